"""What is measured: layers of one field, on one grid, and what of them is on screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.facts import PredictionFacts, prediction_facts
from napari_mito_predict._widgets.common.image_layers import source_of, values_of
from napari_mito_predict._widgets.common.origins import origin_of
from napari_mito_predict._widgets.common.placement import moved, sampled_otherwise, to_data, turned
from napari_mito_predict._widgets.common.viewport import plane_index
from napari_mito_predict.image.names import image_stem
from napari_mito_predict.image.predicted import Evidence, PredictionMark
from napari_mito_predict.measurement.sources import Source
from napari_mito_predict.measurement.verdicts import Origin
from napari_mito_predict.measurement.voxels import Voxels

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_mito_predict.measurement.measures import Structure


@dataclass(frozen=True)
class PlaneIndex:
    """A plane of y and x."""

    t: int
    z: int


@dataclass(frozen=True, slots=True)
class LayerSource(Source):
    """A layer as a source of measures: its pixels, and what is known of it as a prediction."""

    facts: PredictionFacts | None
    of_simulated: bool
    """Whether it was predicted from a simulated image."""

    def plane(self, index: PlaneIndex) -> NDArray[Any]:
        """Pixels of a plane, (Y, X)."""
        found: NDArray[Any] = self.image.read(index.t, self.channel.index, index.z)[0]
        return found

    @property
    def field(self) -> str:
        if self.facts is None:
            return image_stem(self.image.name)
        return image_stem(self.facts.record.input.name or self.facts.input_layer or self.image.name)

    def origin(self, *, default_settings: bool) -> Origin:
        if self.facts is None:
            return Origin(default_settings=default_settings)
        return Origin(
            model=self.facts.model or "unknown",
            weights_sha256=self.facts.record.model.weights_sha256,
            simulated=self.of_simulated,
            default_settings=default_settings,
        )


@dataclass(frozen=True)
class Field:
    """Layers that show structures of one field, on one grid.

    Attributes
    ----------
    layers : mapping of Structure to Image
        At least one. None of them is changed.
    axes : str
        A letter from ``TZYX`` for each of their axes, or C for one of a single step.
    """

    layers: Mapping[Structure, Image]
    axes: str

    @property
    def first(self) -> Image:
        """The layer that the grid is taken from."""
        return next(iter(self.layers.values()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of each layer, axis by axis."""
        return tuple(values_of(self.first).shape)

    @property
    def sizes(self) -> dict[str, int]:
        """Of the axes TZYX."""
        present = dict(zip(self.axes, self.shape, strict=True))
        return {axis: present.get(axis, 1) for axis in "TZYX"}

    @property
    def voxel_size_um(self) -> tuple[float | None, float | None, float | None]:
        """(z, y, x) in micrometres; None where the layer does not know."""
        return source_of(self.first, self.axes).voxel_size_um

    @property
    def time_step_s(self) -> float | None:
        """Seconds between two time points; None where the layer does not know."""
        return source_of(self.first, self.axes).time_step_s

    @property
    def dimensions(self) -> int:
        """Whether planes (2) or stacks (3) are measured."""
        return 2 if self.sizes["Z"] == 1 else 3

    @property
    def voxels(self) -> Voxels:
        """The size of a voxel as it is measured."""
        return Voxels.of(self.voxel_size_um, self.dimensions)

    def time_on_screen(self, viewer: Viewer) -> int:
        """The time point that the slider stands at."""
        if "T" not in self.axes:
            return 0
        axis = self.axes.index("T")
        position = to_data(viewer, self.first, viewer.dims.point)[axis]
        return int(np.clip(round(position), 0, self.shape[axis] - 1))

    def plane_on_screen(self, viewer: Viewer) -> PlaneIndex | None:
        """The plane on screen; None where none along y and x is."""
        index = plane_index(viewer, self.first)
        last_two = (viewer.dims.ndim - 2, viewer.dims.ndim - 1)
        if index is None or not self.axes.endswith("YX") or tuple(viewer.dims.displayed) != last_two:
            return None
        steps = dict(zip(self.axes, index, strict=True))
        return PlaneIndex(steps.get("T", 0), steps.get("Z", 0))

    def sources(self, viewer: Viewer) -> dict[Structure, LayerSource]:
        """What is measured, for a worker: pixels without their layers."""
        return {structure: _source(layer, self.axes, viewer) for structure, layer in self.layers.items()}


def problem_of(layers: Mapping[Structure, Image], axes: str) -> str:
    """Why layers cannot be measured together; empty where they can."""
    first, *others = layers.values()
    shape = values_of(first).shape
    if "C" in axes and shape[axes.index("C")] > 1:
        return f"'{first.name}' holds several channels: split them first (Layers > Data > Split stack)."
    for other in others:
        if values_of(other).shape != shape:
            sizes = (" × ".join(map(str, values_of(layer).shape)) for layer in (first, other))
            return f"'{first.name}' and '{other.name}' are not of one field: {' and '.join(sizes)} voxels."
        found = turned(first, other, axes) or moved(first, other, axes) or sampled_otherwise(first, other, axes)
        if found:
            return f"'{first.name}' and '{other.name}' do not lie on one grid: {found}."
    return ""


def _source(layer: Image, axes: str, viewer: Viewer) -> LayerSource:
    image = source_of(layer, axes)
    origin = origin_of(values_of(layer))
    channel = image.channels[origin.channel if origin is not None and len(image.channels) > 1 else 0]
    facts = prediction_facts(layer)
    mark = None
    of_simulated = False
    if facts is not None:
        mark = PredictionMark(facts.model, Evidence.RECORD, facts.record.model.simulated)
        of_simulated = _shows_simulated(facts.input_layer, viewer)
    return LayerSource(image, replace(channel, prediction=mark), facts, of_simulated)


def _shows_simulated(name: str, viewer: Viewer) -> bool:
    """Whether the layer that was predicted from, where it is still there, shows a simulated image."""
    if name not in viewer.layers:
        return False
    origin = origin_of(values_of(viewer.layers[name]))
    return origin is not None and origin.source.simulated
