"""What is measured: layers of one field, on one grid, and what of them is on screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.image_layers import source_of, values_of
from napari_mito_predict._widgets.common.placement import moved, sampled_otherwise, to_data, turned
from napari_mito_predict._widgets.common.viewport import plane_index
from napari_mito_predict.image.arrays import read_stack
from napari_mito_predict.measurement.voxels import Voxels

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_mito_predict.measurement.measures import Structure


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
        return {axis: self.shape[self.axes.index(axis)] if axis in self.axes else 1 for axis in "TZYX"}

    @property
    def voxel_size_um(self) -> tuple[float | None, ...]:
        """(z, y, x) in micrometres; None where the layer does not know."""
        return source_of(self.first, self.axes).voxel_size_um

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
        if index is None or not self.axes.endswith("YX") or viewer.dims.displayed != last_two:
            return None
        steps = dict(zip(self.axes, index, strict=True))
        return PlaneIndex(steps.get("T", 0), steps.get("Z", 0))


@dataclass(frozen=True)
class PlaneIndex:
    """A plane of y and x."""

    t: int
    z: int


@dataclass(frozen=True, eq=False)
class Pixels:
    """The pixels of a layer, for a worker.

    Attributes
    ----------
    array : array-like
        With `axes`.
    axes : str
    """

    array: Any
    axes: str

    def stack(self, t: int) -> NDArray[Any]:
        """Pixels of a time point: (Z, Y, X), or (Y, X) where there is a single plane."""
        found = read_stack(self.array, self.axes, t, 0, None)
        return found[0] if len(found) == 1 else found

    def plane(self, index: PlaneIndex) -> NDArray[Any]:
        """Pixels of a plane, (Y, X)."""
        return read_stack(self.array, self.axes, index.t, 0, index.z)[0]


def pixels_of(field: Field) -> dict[Structure, Pixels]:
    """Give the pixels of the layers of a field."""
    return {structure: Pixels(values_of(layer), field.axes) for structure, layer in field.layers.items()}


def problem_of(layers: Mapping[Structure, Image], axes: str) -> str:
    """Why layers cannot be measured together; empty where they can."""
    first, *others = layers.values()
    shape = values_of(first).shape
    if "C" in axes and shape[axes.index("C")] > 1:
        return f"'{first.name}' holds several channels: split them first (Layers > Data > Split stack)."
    for other in others:
        if other == first:
            continue
        if values_of(other).shape != shape:
            sizes = (" × ".join(map(str, values_of(layer).shape)) for layer in (first, other))
            return f"'{first.name}' and '{other.name}' are not of one field: {' and '.join(sizes)} voxels."
        found = turned(first, other, axes) or moved(first, other, axes) or sampled_otherwise(first, other, axes)
        if found:
            return f"'{first.name}' and '{other.name}' do not lie on one grid: {found}."
    return ""

