"""Overlay and difference: layers of our own, and everything as it was when they are switched off."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils._proxies import PublicOnlyProxy

from napari_mito_predict._widgets.common.facts import KEY
from napari_mito_predict._widgets.common.image_layers import is_input, is_prediction
from napari_mito_predict._widgets.compare.widget import CompareWidget

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(100, 900, (5, 24, 28)).astype(np.uint16)
PREDICTION = (TRUTH / 200 + RNG.random(TRUTH.shape)).astype(np.float32)
PLACE = {"scale": (0.29, 0.11, 0.11), "units": ("um",) * 3, "axis_labels": ("z", "y", "x"), "translate": (1, 2, 3)}
OVERLAY = ["overlay: TMRM", "overlay: TMRM predicted (mito-z)"]
DIFFERENCE = "difference: TMRM predicted (mito-z) - TMRM"


@pytest.fixture
def layers(viewer):
    """What a user has open: transmitted light, a hidden truth, something of their own, and a prediction."""
    facts = {"kind": "prediction", "target": "mitochondria", "input_layer": "BF"}
    return [
        viewer.add_image(TRUTH, name="BF", **PLACE),
        viewer.add_image(TRUTH, name="TMRM", visible=False, colormap="cyan", **PLACE),
        viewer.add_labels(np.ones(TRUTH.shape, int), name="cells", scale=PLACE["scale"], units=PLACE["units"]),
        viewer.add_image(PREDICTION, name="TMRM predicted (mito-z)", metadata={KEY: facts}, **PLACE),
    ]


@pytest.fixture
def panel(viewer, layers, qtbot):
    widget = CompareWidget(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(widget)
    qtbot.waitUntil(lambda: widget.panel.stack is not None, timeout=60_000)
    return widget.panel


def state_of(layers):
    """All that we could have changed."""
    return [
        (layer.visible, layer.opacity, layer.blending, str(getattr(layer, "contrast_limits", "")), layer.data)
        for layer in layers
    ]


def same(before, after):
    return all(a[:4] == b[:4] and a[4] is b[4] for a, b in zip(before, after, strict=True))


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_overlay_shows_both_alike_and_leaves_all_as_it_was(panel, viewer, layers, qtbot):
    before, selected = state_of(layers), viewer.layers.selection.active
    panel.overlay.click()
    qtbot.waitUntil(lambda: names(viewer)[4:] == OVERLAY, timeout=60_000)
    truth, prediction = viewer.layers[4:]
    assert [layer.visible for layer in viewer.layers] == [False, False, True, False, True, True]
    assert (truth.colormap.name, prediction.colormap.name) == ("green", "magenta")
    assert truth.blending == prediction.blending == "additive"
    assert truth.data is layers[1].data
    assert prediction.data is layers[3].data
    np.testing.assert_allclose(truth.contrast_limits, np.percentile(TRUTH, (0.1, 99.9)))
    np.testing.assert_allclose(prediction.contrast_limits, np.percentile(PREDICTION, (0.1, 99.9)), rtol=1e-5)
    for layer in (truth, prediction):
        assert not is_input(layer)
        assert not is_prediction(layer)
        np.testing.assert_allclose(layer.translate, PLACE["translate"])
    assert viewer.layers.selection.active == selected
    panel.overlay.click()
    assert list(viewer.layers) == layers
    assert same(before, state_of(layers))


def test_difference_is_the_fitted_prediction_minus_truth_in_standard_deviations(panel, viewer, layers, qtbot):
    before = state_of(layers)
    panel.difference.click()
    qtbot.waitUntil(lambda: DIFFERENCE in viewer.layers, timeout=60_000)
    layer = viewer.layers[DIFFERENCE]
    slope, offset = np.polyfit(PREDICTION.ravel().astype(float), TRUTH.ravel().astype(float), 1)
    np.testing.assert_allclose(layer.data, (offset + slope * PREDICTION - TRUTH) / TRUTH.std(), atol=1e-4)
    low, high = layer.contrast_limits
    assert low == -high
    assert layer.colormap.name == "PiYG_r"
    for name in ("scale", "translate"):
        np.testing.assert_allclose(getattr(layer, name), PLACE[name])
    assert layer.units == layers[3].units
    assert layer.axis_labels == ("z", "y", "x")
    assert not is_input(layer)
    panel.difference.click()
    assert list(viewer.layers) == layers
    assert same(before, state_of(layers))


def test_one_view_at_a_time(panel, viewer, layers, qtbot):
    before = state_of(layers)
    panel.overlay.click()
    qtbot.waitUntil(lambda: OVERLAY[1] in viewer.layers, timeout=60_000)
    panel.difference.click()
    assert not panel.overlay.isChecked()
    qtbot.waitUntil(lambda: names(viewer)[4:] == [DIFFERENCE], timeout=60_000)
    panel.side_by_side.click()
    assert names(viewer)[4:] == []
    panel.side_by_side.click()
    assert same(before, state_of(layers))


def test_switched_off_while_it_computes_nothing_appears(panel, viewer, layers, qtbot):
    panel.difference.click()
    panel.difference.click()
    qtbot.wait(300)
    assert list(viewer.layers) == layers


def test_a_layer_of_ours_removed_by_hand_switches_off(panel, viewer, layers, qtbot):
    before = state_of(layers)
    panel.overlay.click()
    qtbot.waitUntil(lambda: OVERLAY[1] in viewer.layers, timeout=60_000)
    viewer.layers.remove(OVERLAY[0])
    assert not panel.overlay.isChecked()
    assert list(viewer.layers) == layers
    assert same(before, state_of(layers))


def test_another_prediction_switches_off(panel, viewer, layers, qtbot):
    panel.overlay.click()
    qtbot.waitUntil(lambda: OVERLAY[1] in viewer.layers, timeout=60_000)
    viewer.layers.remove(layers[3])
    qtbot.waitUntil(lambda: not panel.overlay.isChecked(), timeout=60_000)
    assert list(viewer.layers) == layers[:3]
    assert layers[0].visible


def test_drawn_shapes_stay_on_top(panel, viewer, layers, qtbot):
    viewer.add_shapes(np.array([[0, 0], [0, 9], [9, 9], [9, 0]]), name="nucleus")
    panel.difference.click()
    qtbot.waitUntil(lambda: names(viewer)[4:] == [DIFFERENCE, "nucleus"], timeout=60_000)


def test_the_stack_on_screen_decides_the_contrast(viewer):
    from napari_mito_predict._widgets.compare.layers import matching

    series = np.stack([PREDICTION, 2 * PREDICTION])
    (found,) = matching(series, np.stack([TRUTH, TRUTH]), (1, *(slice(None),) * 3))(lambda: False)
    np.testing.assert_allclose(found.prediction, np.percentile(2 * PREDICTION, (0.1, 99.9)), rtol=1e-5)


def test_a_difference_without_content_is_refused(panel, viewer, layers, qtbot):
    # Other pixels switch all views off, a moment later: nobody clicks before that, but a test would.
    with qtbot.waitSignal(panel._of_prediction.changed, timeout=60_000):
        layers[3].data = np.ones(TRUTH.shape, np.float32)
    panel.difference.click()
    qtbot.waitUntil(lambda: not panel.views.failure.isHidden(), timeout=60_000)
    assert "the same value everywhere" in panel.views.failure.what.text()
    assert not panel.difference.isChecked()


def test_a_difference_shows_both_signs_in_a_volume_too(panel, viewer, layers, qtbot):
    viewer.dims.ndisplay = 3
    panel.difference.click()
    qtbot.waitUntil(lambda: DIFFERENCE in viewer.layers)
    excess, missed = viewer.layers[DIFFERENCE], viewer.layers[f"{DIFFERENCE}, missed"]
    assert (excess.rendering, missed.rendering) == ("mip", "minip")
    assert excess.contrast_limits[0] == 0
    assert missed.contrast_limits[1] == 0
    viewer.dims.ndisplay = 2
    assert f"{DIFFERENCE}, missed" not in viewer.layers
    assert viewer.layers[DIFFERENCE].contrast_limits[0] < 0
    viewer.dims.ndisplay = 3
    assert f"{DIFFERENCE}, missed" in viewer.layers
    panel.difference.click()
    assert DIFFERENCE not in viewer.layers
