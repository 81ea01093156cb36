"""Which part of a layer is on screen, and what its axes are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.image_layers import axes_of, values_of

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer


def plane_index(viewer: Viewer, layer: Layer) -> tuple[Any, ...] | None:
    """Index of the plane on screen: integers for sliders, slices for what is displayed; None in 3-D view."""
    if viewer.dims.ndisplay != 2:
        return None
    offset = viewer.dims.ndim - layer.ndim
    displayed = {axis - offset for axis in viewer.dims.displayed}
    position = layer.world_to_data(viewer.dims.point)
    index: list[Any] = [_step_at(at, size) for at, size in zip(position, layer.data.shape, strict=True)]
    for axis in displayed:
        index[axis] = slice(None)
    return tuple(index)


def stack_index(viewer: Viewer, layer: Layer) -> tuple[Any, ...]:
    """Index of the stack on screen: of a time series of stacks the current time point, else everything."""
    shape = layer.data.shape
    if not is_series(shape):
        return (slice(None),) * len(shape)
    position = layer.world_to_data(viewer.dims.point)
    times = tuple(_step_at(position[axis], shape[axis]) for axis in range(len(shape) - 3))
    return (*times, slice(None), slice(None), slice(None))


def is_series(shape: tuple[int, ...]) -> bool:
    """Whether this is a time series of stacks: more than planes along one axis."""
    return sum(size > 1 for size in shape[:-2]) > 1


def stack_axis(shape: tuple[int, ...]) -> int:
    """Which axis the planes of the stack are counted along."""
    last = len(shape) - 3
    if shape[last] > 1:
        return last
    return next((axis for axis, size in enumerate(shape[:-2]) if size > 1), last)


def letters_of(layer: Image) -> str:
    """Letters from ``TCZYX`` for a layer's axes; where its labels leave it open, what the prediction was made for."""
    known = axes_of(layer)
    if known is not None:
        return known
    facts = prediction_facts(layer)
    of_series = facts is not None and facts.record.parameters.third_axis == "series"
    if layer.ndim == 3 and of_series:
        return "TYX"
    return "TZYX"[-layer.ndim :]


def along_z(layer: Image) -> bool:
    """Whether the planes of the stack are Z steps, not time points."""
    shape = values_of(layer).shape
    return len(shape) < 3 or letters_of(layer)[stack_axis(shape)] != "T"


def _step_at(position: float, size: int) -> int:
    """The step nearest to a position along an axis of `size` steps."""
    return int(np.clip(round(position), 0, size - 1))
