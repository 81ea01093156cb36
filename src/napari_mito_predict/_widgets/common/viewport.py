"""Which part of a layer is on screen, and what its axes are."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.image_layers import axes_of, values_of
from napari_mito_predict._widgets.common.placement import to_data
from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.viewport import Viewport

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray


def plane_index(viewer: Viewer, layer: Layer) -> tuple[Any, ...] | None:
    """Index of the plane on screen: integers for sliders, slices for what is displayed; None in 3-D view."""
    if viewer.dims.ndisplay != 2:
        return None
    offset = viewer.dims.ndim - layer.ndim
    displayed = {axis - offset for axis in viewer.dims.displayed}
    position = to_data(viewer, layer, viewer.dims.point)
    index: list[Any] = [_step_at(at, size) for at, size in zip(position, layer.data.shape, strict=True)]
    for axis in displayed:
        index[axis] = slice(None)
    return tuple(index)


def stack_index(viewer: Viewer, layer: Layer) -> tuple[Any, ...]:
    """Index of the stack on screen: of a time series of stacks the current time point, else everything."""
    shape = layer.data.shape
    if not is_series(shape):
        return (slice(None),) * len(shape)
    position = to_data(viewer, layer, viewer.dims.point)
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


def viewport_of(viewer: Viewer, layer: Image, axes: str) -> Viewport:
    """The plane and the part of a layer that are on screen.

    Where the layer lies beside the canvas, and in 3-D view, it is the whole field: of a large one the engine takes the
    middle. A layer that is turned may show less than its box; the box counts.

    Parameters
    ----------
    viewer : Viewer
        Its sliders, camera and canvas.
    layer : Image
        What is looked at; it may be hidden.
    axes : str
        Letters from ``TZYX`` for the layer's axes.
    """
    sizes = dict(zip(axes, values_of(layer).shape, strict=True))
    whole = {axis: Span(0, sizes.get(axis, 1)) for axis in "TZYX"}
    corners = np.array([to_data(viewer, layer, corner) for corner in _corners(viewer)])
    # A pixel reaches half a pixel around its centre, which is where its coordinates point to.
    first, last = np.floor(corners.min(0) + 0.5).astype(int), np.floor(corners.max(0) + 0.5).astype(int)
    seen = whole | {axis: Span(int(a), int(b) + 1) for axis, a, b in zip(axes, first, last, strict=True)}
    t, z = (_middle(seen[axis], whole[axis]) for axis in "TZ")
    y, x = (seen[axis].clip(whole[axis]) for axis in "YX")
    if viewer.dims.ndisplay == 3 or not (y.size > 0 and x.size > 0):
        y, x = whole["Y"], whole["X"]
    return Viewport(t, z, y, x)


def _corners(viewer: Viewer) -> NDArray[Any]:
    """Where the corners of the canvas lie in the world; in 3-D view only where the sliders stand.

    From camera and canvas: what layers know of it they learn when they are drawn, which is too late, and those of
    several levels never forget it.
    """
    point = np.array(viewer.dims.point, float)
    if viewer.dims.ndisplay == 3:
        return point[None]
    camera = viewer.scene.camera
    half = np.array(viewer.canvas.viewbox_size(viewer.layers), float) / camera.zoom / 2
    corners = []
    for sign in itertools.product((-1, 1), repeat=2):
        corner = point.copy()
        corner[list(viewer.dims.displayed)] = np.array(camera.center[-2:]) + sign * half
        corners.append(corner)
    return np.array(corners)


def _middle(span: Span, whole: Span) -> int:
    """The step in the middle, in an axis that is displayed; the only one in an axis with a slider."""
    return int(np.clip((span.start + span.stop - 1) // 2, 0, whole.stop - 1))
