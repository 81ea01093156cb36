"""Which part of a layer is on screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


def plane_index(viewer: Viewer, layer: Layer) -> tuple[Any, ...] | None:
    """Index of the plane on screen: integers for sliders, slices for what is displayed; None in 3-D view."""
    if viewer.dims.ndisplay != 2:
        return None
    offset = viewer.dims.ndim - layer.ndim
    displayed = {axis - offset for axis in viewer.dims.displayed}
    position = layer.world_to_data(viewer.dims.point)
    return tuple(
        slice(None) if axis in displayed else int(np.clip(round(position[axis]), 0, size - 1))
        for axis, size in enumerate(layer.data.shape)
    )


def stack_index(viewer: Viewer, layer: Layer) -> tuple[Any, ...]:
    """Index of the stack on screen: of a time series of stacks the current time point, else everything."""
    shape = layer.data.shape
    if sum(size > 1 for size in shape[:-2]) < 2:
        return (slice(None),) * len(shape)
    position = layer.world_to_data(viewer.dims.point)
    times = tuple(int(np.clip(round(position[axis]), 0, shape[axis] - 1)) for axis in range(len(shape) - 3))
    return (*times, slice(None), slice(None), slice(None))


def stack_axis(shape: tuple[int, ...]) -> int:
    """Which axis the planes of the stack are counted along."""
    last = len(shape) - 3
    return last if shape[last] > 1 else next((axis for axis, size in enumerate(shape[:-2]) if size > 1), last)
