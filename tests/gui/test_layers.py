"""Between images and layers: names, scale, units, axes; what is believed and what is asked."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtGui import QOpenGLContext

from napari_mito_predict._widgets.common import file_layers, image_layers, removal
from napari_mito_predict._widgets.common.facts import KEY
from napari_mito_predict.image import ChannelRole, from_array, open_image


def image_of(shape, axes, **kwargs):
    return from_array(np.arange(np.prod(shape)).reshape(shape).astype(np.uint16), axes=axes, **kwargs)


def test_a_file_becomes_one_layer_per_channel_with_its_grid(czi):
    layers = [Image(data, **keywords) for data, keywords, _ in file_layers.file_layers(open_image(czi))]
    assert [layer.name for layer in layers] == ["zellen ä T-PMT", "TMRM", "SYBR Gold"]
    assert [layer.colormap.name for layer in layers] == ["gray", "green", "green"]
    for layer in layers:
        np.testing.assert_allclose(layer.scale, (0.29, 0.11, 0.11))
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
        assert layer.axis_labels == ("z", "y", "x")
        assert layer.contrast_limits[0] < layer.contrast_limits[1]


def test_for_an_overlay_truth_starts_hidden_and_light_dimmed(czi):
    layers = [
        Image(data, **keywords) for data, keywords, _ in file_layers.file_layers(open_image(czi), for_overlay=True)
    ]
    assert [layer.visible for layer in layers] == [True, False, False]
    assert layers[0].opacity < 1


def test_a_time_series_keeps_seconds_and_unknown_sizes_stay_pixels():
    source = image_of((3, 1, 8, 9), "TZYX", voxel_size_um=(None, 0.2, 0.2), time_step_s=2.0)
    data, keywords, _ = file_layers.file_layers(source)[0]
    assert data.shape == (3, 1, 8, 9)
    assert keywords["scale"] == [2.0, 1.0, 0.2, 0.2]
    assert keywords["units"] == ["second", "pixel", "micrometer", "micrometer"]


def test_large_images_are_read_plane_by_plane(monkeypatch):
    monkeypatch.setattr(file_layers, "_IN_MEMORY", 0)
    source = image_of((2, 4, 8, 9), "TZYX")
    data, _, _ = file_layers.file_layers(source)[0]
    assert data.chunksize == (1, 1, 8, 9)
    np.testing.assert_array_equal(np.asarray(data[1, 2]), source.read(1, 0, 2)[0])


@pytest.mark.parametrize(
    ("shape", "labels", "axes"),
    [
        ((8, 9), None, "YX"),
        ((4, 8, 9), ("z", "y", "x"), "ZYX"),
        ((4, 8, 9), ("t", "y", "x"), "TYX"),
        ((4, 8, 9), ("Time", "Y", "X"), "TYX"),
        ((1, 8, 9), None, "ZYX"),
        ((4, 8, 9), None, None),
        ((2, 4, 8, 9), ("t", "z", "y", "x"), "TZYX"),
        ((2, 4, 8, 9), ("t", "-3", "y", "x"), None),
        ((4, 8, 9), ("z", "z", "x"), None),
    ],
)
def test_axes_are_read_from_labels_and_never_guessed(shape, labels, axes):
    layer = Image(np.zeros(shape, np.uint8), axis_labels=labels)
    assert image_layers.axes_of(layer) == axes


@pytest.mark.parametrize(
    ("scale", "units", "expected"),
    [
        ((0.3, 0.1, 0.1), ("um", "um", "um"), (0.3, 0.1, 0.1)),
        ((300, 100, 100), ("nm", "nm", "nm"), (0.3, 0.1, 0.1)),
        ((0.3, 0.1, 0.1), None, (None, None, None)),
        ((2.0, 0.1, 0.1), ("pixel", "um", "um"), (None, 0.1, 0.1)),
    ],
)
def test_scale_is_micrometres_only_where_units_say_so(scale, units, expected):
    layer = Image(np.zeros((4, 8, 9), np.uint8), scale=scale, units=units, axis_labels=("z", "y", "x"))
    assert image_layers.source_of(layer, "ZYX").voxel_size_um == pytest.approx(expected)


def test_time_step_is_seconds_whatever_the_unit():
    layer = Image(np.zeros((4, 8, 9), np.uint8), scale=(2, 0.1, 0.1), units=("minute", "um", "um"))
    assert image_layers.source_of(layer, "TYX").time_step_s == pytest.approx(120)


def test_the_finest_level_of_a_pyramid_counts():
    layer = Image([np.zeros((4, 16, 16), np.uint8), np.zeros((4, 8, 8), np.uint8)], multiscale=True)
    assert image_layers.source_of(layer, "ZYX").sizes["X"] == 16


@pytest.mark.parametrize(
    ("result", "axes", "shape"),
    [
        ((5, 8, 9), "ZYX", (5, 8, 9)),
        ((1, 8, 9), "YX", (8, 9)),
        ((4, 1, 8, 9), "TYX", (4, 8, 9)),
        ((4, 5, 8, 9), "ZTYX", (5, 4, 8, 9)),
        ((5, 8, 9), "TZYX", (1, 5, 8, 9)),
        ((5, 8, 9), "XYZ", (9, 8, 5)),
    ],
)
def test_a_result_is_viewed_on_the_layers_axes_without_a_copy(result, axes, shape):
    data = np.zeros(result, np.float32)
    view = image_layers.like_layer(data, axes, shape)
    assert view.shape == shape
    data += 1
    assert view.min() == 1


def test_roles_come_from_the_name_of_a_foreign_layer():
    assert image_layers.role_of(Image(np.zeros((4, 4)), name="ESID-T1"))[0] is ChannelRole.TRANSMITTED
    assert image_layers.role_of(Image(np.zeros((4, 4)), name="MitoTracker Deep Red"))[0] is ChannelRole.MITOCHONDRIA
    assert image_layers.role_of(Image(np.zeros((4, 4)), name="Phalloidin"))[0] is ChannelRole.OTHER


@pytest.mark.parametrize("plane", [np.full((4, 4), np.nan), np.zeros((4, 4)), np.array([[np.inf, 1.0]])])
def test_display_limits_are_finite_and_not_empty(plane):
    low, high = file_layers.contrast_of(plane)
    assert np.isfinite([low, high]).all()
    assert low < high


def test_color_pictures_and_predictions_are_no_input():
    assert not image_layers.is_input(Image(np.zeros((8, 8, 3), np.uint8), rgb=True))
    prediction = Image(np.zeros((8, 8)), metadata={KEY: {"kind": "prediction"}})
    assert not image_layers.is_input(prediction)
    assert image_layers.is_prediction(prediction)


CRASHES_IN_A_STALE_CONTEXT = """
import napari, numpy as np
from qtpy.QtWidgets import QApplication
from napari_mito_predict._widgets.common.removal import take_away

def drawn():
    for _ in range(4):
        QApplication.processEvents()

viewer = napari.Viewer()
layers = [viewer.add_image(np.ones((16, 16), np.float32)) for _ in range(3)]
drawn()
for layer in layers:
    take_away(viewer, [layer])
    drawn()
viewer.close()
"""


def test_the_canvas_outlives_the_removal_of_layers():
    """In a process of its own: a software renderer would end this one with a segmentation fault."""
    script = [sys.executable, "-X", "faulthandler", "-c", CRASHES_IN_A_STALE_CONTEXT]
    done = subprocess.run(script, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[:2000]


def test_the_context_of_this_viewers_canvas_is_current_while_a_layer_goes(make_napari_viewer, qtbot):
    viewer, other = (make_napari_viewer(show=True) for _ in range(2))
    canvas = viewer.window._qt_viewer.canvas.native
    layer = viewer.add_image(np.ones((4, 4)))
    qtbot.waitUntil(lambda: canvas.context() is not None and canvas.isValid(), timeout=60_000)
    other.window._qt_viewer.canvas.native.makeCurrent()
    current = []
    viewer.layers.events.removing.connect(lambda: current.append(QOpenGLContext.currentContext()))
    removal.take_away(viewer, [layer])
    assert current == [canvas.context()]
