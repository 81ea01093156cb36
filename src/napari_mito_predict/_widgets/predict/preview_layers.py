"""The layers of a preview: where the outputs would lie, but only a region of them; taken away again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.transforms import Affine

from napari_mito_predict._widgets.common.facts import PreviewFacts
from napari_mito_predict._widgets.common.image_layers import like_layer, placement_of
from napari_mito_predict._widgets.common.removal import take_away
from napari_mito_predict._widgets.predict.output_layers import output_layer

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_mito_predict._widgets.predict.preview_regions import PreviewPart, PreviewRegion
    from napari_mito_predict.prediction import PredictionPlan


@dataclass(frozen=True, eq=False)
class Aim:
    """What is previewed: the plan, the layer that shows its image, and letters for the layer's axes."""

    plan: PredictionPlan
    layer: Image
    axes: str


class PredictionPreviewLayers:
    """One layer for each target. Only the GUI thread may call this.

    A layer that the user took away stays away until all are.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layers: dict[str, Image] = {}
        self._parts: dict[str, PreviewPart] = {}

    def show(self, region: PreviewRegion, aim: Aim) -> None:
        """Show a region instead of the one before; the user's choice of contrast stays."""
        for key, part in region.parts.items():
            if key not in self._layers:
                self._add(key, part, aim)
            elif part is not self._parts[key] and self._layers[key] in self._viewer.layers:
                for name, value in _placed(part, aim).items():
                    setattr(self._layers[key], name, value)
            self._parts[key] = part

    def remove(self) -> None:
        """Take all of them away, and no others."""
        layers = list(self._layers.values())
        self._layers.clear()
        self._parts.clear()
        take_away(self._viewer, layers)

    def _add(self, key: str, part: PreviewPart, aim: Aim) -> None:
        """Insert a layer over all images, but under shapes drawn on top; what is selected stays selected."""
        output = aim.plan.outputs[key]
        facts = PreviewFacts(key=key, made_from=aim.layer.name)
        placed = _placed(part, aim)
        data = placed.pop("data")
        layer = output_layer(
            output, data, f"preview: {output.title}", facts, placement_of(aim.layer, aim.axes) | placed
        )
        selected = self._viewer.layers.selection.active
        top = 1 + max((i for i, other in enumerate(self._viewer.layers) if isinstance(other, Image)), default=-1)
        self._viewer.layers.insert(top, layer)
        self._viewer.layers.selection.active = selected
        self._layers[key] = layer


def _placed(part: PreviewPart, aim: Aim) -> dict[str, Any]:
    """The data with the axes of the layer, and where its first voxel lies."""
    axes = aim.axes.replace("C", "")
    sizes = [part.data.shape["TZYX".index(axis)] for axis in axes]
    start = [part.start["TZYX".index(axis)] for axis in axes]
    # Without the layer's own affine, which comes after translating.
    placement = placement_of(aim.layer, aim.axes)
    place = Affine(**{key: placement[key] for key in ("scale", "translate", "rotate", "shear")})
    return {"data": like_layer(part.data, axes, tuple(sizes)), "translate": np.asarray(place(start))}
