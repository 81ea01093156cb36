"""The part of an image that lies in drawn shapes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.placement import to_data, to_world

if TYPE_CHECKING:
    from napari.layers import Layer, Shapes
    from napari.viewer import Viewer
    from numpy.typing import NDArray

_CLOSED = ("polygon", "rectangle", "ellipse")
_CORNERS_OF_ELLIPSE = 128
_FLAT = 1e-3
"""Pixels: a shape that is no larger along an axis is seen from its edge."""


class Region:
    """Outlines on the grid of one image; they count in every plane.

    Parameters
    ----------
    outlines : tuple of ndarray, (N, 2)
        Corners in pixels of the plane; whole numbers are the centres of pixels.
    axes : tuple of int
        Which two axes of the image the outlines lie in, in ascending order.
    shape : tuple of int
        Size of the image along them.
    """

    def __init__(
        self, outlines: tuple[NDArray[np.float64], ...], axes: tuple[int, int], shape: tuple[int, int]
    ) -> None:
        self.outlines = outlines
        self.axes = axes
        self.shape = shape

    @property
    def key(self) -> tuple[object, ...]:
        """Tells whether two regions cover the same pixels: equal keys, equal masks."""
        return (self.axes, self.shape, *(outline.tobytes() for outline in self.outlines))

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Which pixels of a plane have their centre in one of the outlines; of size `shape`."""
        from skimage.draw import polygon

        mask = np.zeros(self.shape, bool)
        for outline in self.outlines:
            rows, columns = polygon(outline[:, 0], outline[:, 1], self.shape)
            mask[rows, columns] = True
        return mask

    def part(self, values: NDArray[Any], index: tuple[Any, ...]) -> NDArray[Any]:
        """Those of `values` (the image at `index`) that lie in the region, as one axis.

        Empty where the outlines do not lie in `values`, as when another plane than that drawn in is looked at.
        """
        kept = [axis for axis, i in enumerate(index) if isinstance(i, slice)]
        if not set(self.axes) <= set(kept):
            return values.reshape(-1)[:0]
        planes = np.moveaxis(values, [kept.index(axis) for axis in self.axes], (-2, -1))
        part: NDArray[Any] = planes[..., self.mask].reshape(-1)
        return part


def region_of(shapes: Shapes, layer: Layer, viewer: Viewer) -> Region:
    """Polygons, rectangles and ellipses of a layer of shapes, in the displayed plane of another layer.

    All shapes of the layer count, whichever plane they were drawn in, but those drawn in another orientation; lines
    and paths enclose nothing.
    """
    offset = viewer.dims.ndim - layer.ndim
    first, second = sorted(axis - offset for axis in viewer.dims.displayed[-2:])
    matrix, origin = _transform(shapes, layer, viewer)
    size = layer.data.shape
    outlines = []
    for corners, kind in zip(shapes.data, shapes.shape_type, strict=True):
        if kind not in _CLOSED:
            continue
        outline = np.asarray(corners, float)
        if kind == "ellipse":
            outline = _ellipse(outline)
        # Contiguous: `Region.key` takes its bytes.
        outline = np.ascontiguousarray((outline @ matrix.T + origin)[:, [first, second]])
        if (np.ptp(outline, axis=0) > _FLAT).all():
            outlines.append(outline)
    return Region(tuple(outlines), (first, second), (size[first], size[second]))


def draw_in(viewer: Viewer, layer: Layer, shapes: Layer | None) -> Layer:
    """Make the rectangle tool of `shapes` the active one; without such a layer, of a new one over `layer`.

    In the usual orientation the new layer has two axes, so that what is drawn shows in every plane, as it counts in
    every plane.
    """
    from napari.layers import Shapes

    viewer.dims.ndisplay = 2  # rectangles are drawn in a plane
    if not isinstance(shapes, Shapes):
        axes = viewer.dims.ndim
        if tuple(viewer.dims.displayed) == (axes - 2, axes - 1):
            axes = 2
        placed: dict[str, Any] = {
            key: tuple(values)[-axes:]
            for key in ("scale", "translate", "units", "axis_labels")
            if layer.ndim >= axes and (values := getattr(layer, key, None)) is not None
        }
        shapes = viewer.add_shapes(
            ndim=axes,
            name="region",
            edge_width=max(1.0, max(layer.data.shape[-2:]) / 300),
            edge_color="yellow",
            face_color="transparent",
            **placed,
        )
    shapes.visible = True
    viewer.layers.selection.active = shapes
    shapes.mode = "add_rectangle"
    return shapes


def _transform(shapes: Shapes, layer: Layer, viewer: Viewer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From pixels of the shapes to pixels of the layer, by way of the world: matrix and origin.

    Taken from where the origin and one step along each axis go, because both layers' transforms are affine.
    """
    n = shapes.ndim
    ends = [to_data(viewer, layer, to_world(viewer, shapes, point)) for point in (np.zeros(n), *np.eye(n))]
    origin = ends[0]
    return np.stack([end - origin for end in ends[1:]], axis=1), origin


def _ellipse(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """An ellipse as a polygon, from the four corners of its box."""
    along, across = (corners[1] - corners[0]) / 2, (corners[2] - corners[1]) / 2
    angle = np.linspace(0, 2 * np.pi, _CORNERS_OF_ELLIPSE, endpoint=False)[:, None]
    points: NDArray[np.float64] = corners.mean(axis=0) + np.cos(angle) * along + np.sin(angle) * across
    return points
