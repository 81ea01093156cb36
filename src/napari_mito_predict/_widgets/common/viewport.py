"""Which part of a layer is on screen, and what its axes are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common import image_layers
from napari_mito_predict._widgets.common.facts import prediction_facts

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
    return tuple(
        slice(None) if axis in displayed else int(np.clip(round(position[axis]), 0, size - 1))
        for axis, size in enumerate(layer.data.shape)
    )


def stack_index(viewer: Viewer, layer: Layer) -> tuple[Any, ...]:
    """Index of the stack on screen: of a time series of stacks the current time point, else everything."""
    shape = layer.data.shape
    if not is_series(shape):
        return (slice(None),) * len(shape)
    position = layer.world_to_data(viewer.dims.point)
    times = tuple(int(np.clip(round(position[axis]), 0, shape[axis] - 1)) for axis in range(len(shape) - 3))
    return (*times, slice(None), slice(None), slice(None))


def is_series(shape: tuple[int, ...]) -> bool:
    """Whether this is a time series of stacks: more than planes along one axis."""
    return sum(size > 1 for size in shape[:-2]) > 1


def stack_axis(shape: tuple[int, ...]) -> int:
    """Which axis the planes of the stack are counted along."""
    last = len(shape) - 3
    return last if shape[last] > 1 else next((axis for axis, size in enumerate(shape[:-2]) if size > 1), last)


def values_of(layer: Image) -> Any:
    """A layer's array; of a multiscale layer the finest."""
    return layer.data[0] if layer.multiscale else layer.data


def letters_of(layer: Image) -> str:
    """Letters from ``TCZYX`` for a layer's axes; where its labels leave it open, what the prediction was made for."""
    known = image_layers.axes_of(layer)
    if known is not None:
        return known
    facts = prediction_facts(layer)
    is_series = facts is not None and facts.record.parameters.third_axis == "series"
    third = "T" if is_series else "Z"
    return {2: "YX", 3: f"{third}YX"}.get(layer.ndim, "TZYX"[-layer.ndim :])


def along_z(layer: Image) -> bool:
    """Whether the planes of the stack are Z steps, not time points."""
    shape = values_of(layer).shape
    return len(shape) < 3 or letters_of(layer)[stack_axis(shape)] != "T"
