"""What is on screen, in voxels of the image: whatever the layer's transform, the sliders and the camera."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict._widgets.common.viewport import viewport_of
from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.viewport import Viewport

SHAPE = (8, 400, 600)
UNITS = {"units": ("um",) * 3, "axis_labels": ("z", "y", "x")}


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    viewer.canvas.size = (100, 200)
    return viewer


def aim(viewer, layer, voxel, zoom=1.0):
    """Bring a voxel to the middle of the canvas."""
    world = layer.data_to_world(voxel)
    viewer.dims.point = world
    viewer.scene.camera.center = tuple(world[axis] for axis in viewer.dims.displayed)
    viewer.scene.camera.zoom = zoom


@pytest.mark.parametrize(
    "placed",
    [
        {},
        {"scale": (0.3, 0.1, 0.1)},
        {"scale": (0.3, 0.1, 0.1), "translate": (5, -7, 40)},
        {"affine": np.diag([2, 3, 3, 1.0])},
    ],
    ids=["plain", "scaled", "translated", "affine"],
)
def test_the_canvas_in_voxels(viewer, placed):
    layer = viewer.add_image(np.zeros(SHAPE, np.uint8), **placed, **UNITS)
    pixel = np.linalg.norm(np.subtract(layer.data_to_world((0, 0, 1)), layer.data_to_world((0, 0, 0))))
    aim(viewer, layer, (3, 200, 300), zoom=2 / pixel)
    assert viewport_of(viewer, layer, "ZYX") == Viewport(0, 3, Span(175, 226), Span(250, 351))


def test_no_more_than_the_image(viewer):
    layer = viewer.add_image(np.zeros(SHAPE, np.uint8), **UNITS)
    aim(viewer, layer, (7, 0, 599), zoom=1)
    assert viewport_of(viewer, layer, "ZYX") == Viewport(0, 7, Span(0, 51), Span(499, 600))


def test_beside_the_canvas_it_is_the_whole_field_at_this_plane(viewer):
    layer = viewer.add_image(np.zeros(SHAPE, np.uint8), **UNITS)
    aim(viewer, layer, (2, 1000, 300))
    viewer.dims.point = (2, 0, 0)
    assert viewport_of(viewer, layer, "ZYX") == Viewport(0, 2, Span(0, 400), Span(0, 600))


def test_in_three_dimensions_it_is_the_whole_field(viewer):
    layer = viewer.add_image(np.zeros((5, *SHAPE), np.uint8), axis_labels=("t", "z", "y", "x"))
    aim(viewer, layer, (4, 2, 200, 300), zoom=10)
    viewer.dims.ndisplay = 3
    assert viewport_of(viewer, layer, "TZYX") == Viewport(4, 2, Span(0, 400), Span(0, 600))


def test_seen_from_the_side(viewer):
    layer = viewer.add_image(np.zeros(SHAPE, np.uint8), **UNITS)
    viewer.dims.order = (1, 0, 2)
    aim(viewer, layer, (3, 200, 300), zoom=20)
    assert viewport_of(viewer, layer, "ZYX") == Viewport(0, 3, Span(200, 201), Span(295, 306))


def test_turned_by_a_right_angle(viewer):
    layer = viewer.add_image(np.zeros(SHAPE, np.uint8), rotate=90, **UNITS)
    aim(viewer, layer, (3, 200, 300), zoom=2)
    assert viewport_of(viewer, layer, "ZYX") == Viewport(0, 3, Span(150, 251), Span(275, 326))


def test_axes_in_another_order_and_absent_ones(viewer):
    layer = viewer.add_image(np.zeros((400, 600, 8), np.uint8), axis_labels=("y", "x", "z"))
    viewer.dims.order = (2, 0, 1)
    aim(viewer, layer, (200, 300, 5), zoom=1)
    assert viewport_of(viewer, layer, "YXZ") == Viewport(0, 5, Span(150, 251), Span(200, 401))
    plane = viewer.add_image(np.zeros((400, 600), np.uint8))
    viewer.dims.order = (0, 1, 2)
    aim(viewer, layer, (0, 200, 5), zoom=100)
    assert (viewport_of(viewer, plane, "YX").t, viewport_of(viewer, plane, "YX").z) == (0, 0)


def test_sliders_beyond_the_layer_and_levels(viewer):
    levels = [np.zeros((4, 400, 600), np.uint8), np.zeros((4, 200, 300), np.uint8)]
    layer = viewer.add_image(levels, multiscale=True, **UNITS)
    viewer.add_image(np.zeros((20, 400, 600), np.uint8), **UNITS)
    aim(viewer, layer, (15, 200, 300), zoom=2)
    assert viewport_of(viewer, layer, "ZYX") == Viewport(0, 3, Span(175, 226), Span(250, 351))
