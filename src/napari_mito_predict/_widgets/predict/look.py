"""What somebody looks at, in voxels of an image."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.image_layers import values_of
from napari_mito_predict.prediction.look import Look
from napari_mito_predict.prediction.tiles import Span

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer
    from numpy.typing import NDArray


def look_of(viewer: Viewer, layer: Image, axes: str) -> Look:
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
    corners = np.array([layer.world_to_data(corner) for corner in _corners(viewer)])
    # A pixel reaches half a pixel around its centre, which is where its coordinates point to.
    first, last = np.floor(corners.min(0) + 0.5).astype(int), np.floor(corners.max(0) + 0.5).astype(int)
    seen = whole | {axis: Span(int(a), int(b) + 1) for axis, a, b in zip(axes, first, last, strict=True)}
    t, z = (_middle(seen[axis], whole[axis]) for axis in "TZ")
    y, x = (seen[axis].clip(whole[axis]) for axis in "YX")
    if viewer.dims.ndisplay == 3 or not (y.size > 0 and x.size > 0):
        y, x = whole["Y"], whole["X"]
    return Look(t, z, y, x)


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
