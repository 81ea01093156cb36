"""The layers that a run makes: created at the start, refreshed while it paints, removed together."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_mito_predict._widgets.common.facts import Facts, PredictionFacts, metadata_of, prediction_facts
from napari_mito_predict._widgets.common.image_layers import like_layer, placement_of, values_of
from napari_mito_predict._widgets.common.removal import take_away
from napari_mito_predict.models.record import Quantity

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_mito_predict._widgets.predict.work import Finished, Started
    from napari_mito_predict.models.record import PredictionRecord
    from napari_mito_predict.prediction import Output

_SECONDS_BETWEEN_VOLUMES = 2.0
"""In 3-D view every refresh uploads the whole stack."""


class Grid:
    """Where the input lies; a snapshot, so that a run does not depend on its input layer staying there."""

    def __init__(self, layer: Image, axes: str) -> None:
        self.name = layer.name
        self.layer_axes = axes
        # A prediction from one channel of a layer has no axis of channels.
        self.axes = axes.replace("C", "")
        sizes = zip(axes, values_of(layer).shape, strict=True)
        self.shape = tuple(size for axis, size in sizes if axis != "C")
        self.placement = placement_of(layer, axes)


class Run:
    """The layers of one prediction. Only the GUI thread may call this.

    Parameters
    ----------
    viewer : Viewer
        Where they go, on top.
    grid : Grid
        The input's grid, which they copy: scale, translate, rotation, units, axis labels.
    started : Started
        The plan, and the arrays being painted.
    """

    def __init__(self, viewer: Viewer, grid: Grid, started: Started) -> None:
        self._viewer = viewer
        self._live = started.live
        self._painted = 0
        self._refreshed = 0.0
        self._grid = grid
        self.layers: list[Image] = []
        for key, array in started.arrays.items():
            self._show(started.plan.outputs[key], started.records[key], array)

    def refresh(self) -> None:
        """Show what was painted since the last time; neither thumbnails nor limits are computed anew."""
        if self._live.painted == self._painted:
            return
        now = time.monotonic()
        if self._viewer.dims.ndisplay == 3 and now - self._refreshed < _SECONDS_BETWEEN_VOLUMES:
            return
        self._painted = self._live.painted
        self._refreshed = now
        for layer in self._still_there():
            layer.refresh(thumbnail=False, extent=False, highlight=False)

    def finish(self, finished: Finished) -> None:
        """Show the end result, and write down all that was found on the way; contrast that the user chose stays."""
        if not self.layers:  # the results went to a disk
            for key, array in finished.arrays.items():
                self._show(finished.plan.outputs[key], finished.records[key], array)
        for layer in self._still_there():
            facts = prediction_facts(layer)
            if facts is not None:
                record = finished.records[facts.key]
                layer.metadata.update(metadata_of(replace(facts, record=record, complete=True)))
                layer.metadata["light"] = record.light
                if tuple(layer.contrast_limits) == finished.plan.outputs[facts.key].target.contrast_limits:
                    _show_range(layer, finished.limits[facts.key])
            layer.refresh(extent=False, highlight=False)

    def remove(self) -> None:
        """Take away these layers, and no others."""
        layers = self.layers
        self.layers = []
        take_away(self._viewer, layers)

    def _show(self, output: Output, record: PredictionRecord, array: Any) -> None:
        image = _make_layer(self._grid, output, record, array)
        self.layers.append(self._viewer.add_layer(image))

    def _still_there(self) -> list[Image]:
        return [layer for layer in self.layers if layer in self._viewer.layers]


def _show_range(layer: Image, limits: tuple[float, float]) -> None:
    """Set the contrast, with room to stretch it in both directions."""
    low, high = limits
    layer.contrast_limits_range = (low - (high - low), high + (high - low))
    layer.contrast_limits = limits


def output_layer(output: Output, data: Any, name: str, facts: Facts, placement: dict[str, Any]) -> Image:
    """A layer that looks as this output shall look, whatever is in it yet.

    How far predictions scatter is a map by itself, and hidden until somebody wants to see it instead of them.
    """
    low, high = output.target.contrast_limits
    is_prediction = output.quantity is Quantity.PREDICTION
    image = Image(
        data,
        name=name,
        colormap=output.target.colormap,
        blending="additive" if is_prediction else "translucent_no_depth",
        visible=is_prediction,
        contrast_limits=(low, high),
        metadata=metadata_of(facts) | {"disclaimer": output.disclaimer},
        **placement,
    )
    # Room to stretch the contrast in both directions; napari would find limits in an array that is still empty.
    image.contrast_limits_range = (low - (high - low), high + (high - low))
    return image


def _make_layer(grid: Grid, output: Output, record: PredictionRecord, array: Any) -> Image:
    facts = PredictionFacts(
        target=output.target.name,
        model=output.model_name,
        key=output.key,
        input_layer=grid.name,
        record=record,
        complete=False,
    )
    layer = output_layer(output, like_layer(array, grid.axes, grid.shape), output.title, facts, grid.placement)
    layer.metadata["light"] = record.light
    return layer
