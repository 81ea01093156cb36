"""Layers that set a prediction over its truth, or subtract it; made by us, and taken away again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils import Colormap

from napari_mito_predict._widgets.common.facts import PreviewFacts, metadata_of
from napari_mito_predict._widgets.common.image_layers import placement_of, values_of
from napari_mito_predict._widgets.common.removal import take_away
from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation import Scaling

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.common.worker import Work

LARGEST_DIFFERENCE = 1 << 31
"""Bytes; a difference is a whole layer more in memory."""
_DIVERGING = "PiYG_r"
"""Green where truth was missed, magenta where there is too much, as in the overlay; white where both agree."""
_SAMPLE = 1 << 20
"""Voxels that the reach of the colours is taken from, at least, where there are as many."""
_SMALLEST_REACH = 1e-3
"""Standard deviations: the colours of a perfect prediction need a range, too."""


@dataclass(frozen=True)
class Matched:
    """Display ranges that show both alike: what lies between the same percentiles of each, as for SSIM."""

    prediction: tuple[float, float]
    truth: tuple[float, float]


@dataclass(frozen=True)
class Residual:
    """Fitted prediction minus truth in standard deviations of the truth, and how far its colours reach."""

    values: NDArray[np.float32]
    limit: float


def matching(prediction: Any, truth: Any, index: tuple[Any, ...]) -> Work:
    """Work that yields the `Matched` display ranges for the stack at `index`.

    Not the least-squares fit: that would fade a prediction which lies beside its truth, just where one wants to see it.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        scaling = Scaling.measure(np.asarray(prediction[index]), np.asarray(truth[index]))
        yield Matched(_span(scaling.prediction_range), _span(scaling.truth_range))

    return work


def subtracting(prediction: Any, truth: Any) -> Work:
    """Work that yields the `Residual` of two arrays of one shape, fitted once over all of them."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        a, b = np.asarray(prediction), np.asarray(truth)
        scaling = Scaling.measure(a, b)
        std = float(np.nanstd(np.where(np.isfinite(b), b, np.nan), dtype=np.float64))
        if not std or not math.isfinite(scaling.gain):
            raise EvaluationError("Prediction or truth has the same value everywhere: there is no difference to show.")
        values = np.empty(a.shape, np.float32)
        for part in np.ndindex(a.shape[:-2]):
            if should_stop():
                return
            values[part] = (scaling.fitted(a[part].astype(np.float64)) - b[part]) / std
        yield Residual(values, _reach(values))

    return work


class OwnLayers:
    """Layers of ours over those that are there, and everything as it was afterwards."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layers: list[Image] = []
        self._visible: dict[Layer, bool] = {}

    @property
    def complete(self) -> bool:
        """Whether all that were shown are still there; the user may remove one."""
        return all(layer in self._viewer.layers for layer in self._layers)

    def show(self, layers: list[Image], *, alone: bool) -> None:
        """Add `layers` over all images, but under shapes and labels that lie on top of those.

        `alone` hides the other images meanwhile. What is selected stays selected.
        """
        selected = self._viewer.layers.selection.active
        if alone:
            self._visible = {layer: layer.visible for layer in self._viewer.layers if isinstance(layer, Image)}
            for layer in self._visible:
                layer.visible = False
        top = 1 + max(i for i, layer in enumerate(self._viewer.layers) if isinstance(layer, Image))
        for i, layer in enumerate(layers, top):
            self._viewer.layers.insert(i, layer)
        self._layers = layers
        self._viewer.layers.selection.active = selected

    def leave(self) -> None:
        """Take them away, and show again what was visible."""
        gone, self._layers = self._layers, []
        take_away(self._viewer, gone)
        before, self._visible = self._visible, {}
        for other, visible in before.items():
            if other in self._viewer.layers:
                other.visible = visible


def overlay_of(prediction: Image, truth: Image, matched: Matched) -> list[Image]:
    """Truth in green, prediction in magenta, additive: white where both are equally bright. The data are shared."""
    return [
        _layer(layer, values_of(layer), f"overlay: {layer.name}", colormap=colormap, contrast_limits=limits)
        for layer, colormap, limits in ((truth, "green", matched.truth), (prediction, "magenta", matched.prediction))
    ]


def difference_of(prediction: Image, truth: Image, residual: Residual, *, in_3d: bool) -> list[Image]:
    """The residual where the prediction lies: one layer, white where both agree; or two where volumes are shown.

    Through a volume one sees the largest values only, in which what was missed would vanish. So too much and missed are
    two layers there, the second one showing the smallest values; nothing is where both agree. The data are shared.
    """
    name = f"difference: {prediction.name} - {truth.name}"
    if in_3d:
        limit = residual.limit
        missed = Colormap([(0.0, 1.0, 0.0), (0.0, 0.0, 0.0)], name="missed")
        return [
            _layer(prediction, residual.values, name, colormap="magenta", contrast_limits=(0, limit), rendering="mip"),
            _layer(
                prediction,
                residual.values,
                f"{name}, missed",
                colormap=missed,
                contrast_limits=(-limit, 0),
                rendering="minip",
            ),
        ]
    limits = (-residual.limit, residual.limit)
    layer = _layer(prediction, residual.values, name, colormap=_DIVERGING, contrast_limits=limits)
    layer.blending = "translucent_no_depth"
    layer.contrast_limits_range = (-4 * residual.limit, 4 * residual.limit)
    return [layer]


def _layer(like: Image, data: Any, name: str, **display: Any) -> Image:
    facts = PreviewFacts(made_from=like.name)
    return Image(data, name=name, blending="additive", metadata=metadata_of(facts), **placement_of(like), **display)


def _span(span: tuple[float, float]) -> tuple[float, float]:
    """A range that napari accepts, also of an image with one value."""
    low, high = span
    if high > low:
        return low, high
    return low, low + 1.0


def _reach(values: NDArray[np.float32]) -> float:
    """99.9 percentile of its size; of large ones from a part of the voxels, for it only sets colours."""
    flat = values.reshape(-1)[:: max(1, values.size // _SAMPLE)]
    sizes = np.abs(flat[np.isfinite(flat)])
    if not sizes.size:
        return 1.0
    return max(float(np.percentile(sizes, 99.9)), _SMALLEST_REACH)
