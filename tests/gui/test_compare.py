"""Comparing a prediction with the truth: guesses, numbers that follow the sliders, side by side."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils._proxies import PublicOnlyProxy

from napari_mito_predict._widgets._layers import KEY
from napari_mito_predict._widgets._side_by_side import grid_of
from napari_mito_predict._widgets.compare import CAPTION, CompareWidget
from napari_mito_predict.evaluation import pcc, ssim_global

RNG = np.random.default_rng(0)
TRUTH = RNG.random((6, 32, 40), np.float32)
PREDICTION = TRUTH + RNG.random(TRUTH.shape, np.float32) * np.linspace(0, 2, 6, dtype=np.float32)[:, None, None]


@pytest.fixture
def panel(viewer):
    widget = CompareWidget(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(widget)
    return widget.panel


def add_prediction(viewer, data=PREDICTION, target="mitochondria", **kwargs):
    facts = {"kind": "prediction", "target": target, "input_layer": "BF"}
    return viewer.add_image(data, name=f"{target} predicted", metadata={KEY: facts, **kwargs})


def shown(panel, qtbot, plane):
    """Wait until plane and stack numbers are those of `plane`."""
    expected = f"{pcc(PREDICTION[plane], TRUTH[plane]):.2f}"
    qtbot.waitUntil(lambda: panel.numbers.plane[0].text() == expected, timeout=60_000)


def test_nothing_to_compare_is_said(panel, qtbot):
    qtbot.waitUntil(lambda: panel.problem.text() == "Predict first, then compare.")
    assert panel.caption.text() == CAPTION
    assert not panel.side_by_side.isEnabled()


def test_truth_is_guessed_from_its_role_and_numbers_follow_the_slider(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="SYBR Gold")
    tmrm = viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer)
    assert panel.truth.layer == tmrm
    for plane in (1, 4):
        viewer.dims.set_current_step(0, plane)
        shown(panel, qtbot, plane)
        assert panel.numbers.plane[1].text() == f"{ssim_global(PREDICTION[plane], TRUTH[plane]):.2f}"
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=60_000)
    assert panel.numbers.stack[0].text() == f"{pcc(PREDICTION, TRUTH):.2f}"
    assert panel.numbers.stack[1].text() == f"{ssim_global(PREDICTION, TRUTH):.2f}"
    np.testing.assert_allclose(panel.stack.profile, [pcc(p, t) for p, t in zip(PREDICTION, TRUTH, strict=True)])


def test_a_click_on_the_profile_goes_to_the_plane(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer)
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=60_000)
    panel.profile.clicked.emit(5)
    assert viewer.dims.current_step[0] == 5


def test_the_plane_on_screen_counts_whatever_its_orientation(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM", scale=(3, 1, 1))
    prediction = add_prediction(viewer)
    prediction.scale = (3, 1, 1)
    viewer.dims.order = (2, 0, 1)
    viewer.dims.set_current_step(2, 7)
    expected = f"{pcc(PREDICTION[:, :, 7], TRUTH[:, :, 7]):.2f}"
    qtbot.waitUntil(lambda: panel.numbers.plane[0].text() == expected, timeout=60_000)


def test_a_three_dimensional_view_has_no_plane(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer)
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=60_000)
    viewer.dims.ndisplay = 3
    qtbot.waitUntil(lambda: panel.numbers.plane[0].text() == "–", timeout=60_000)


def test_of_a_series_of_stacks_the_one_on_screen_counts(panel, viewer, qtbot):
    truth, prediction = np.stack([TRUTH, TRUTH[::-1]]), np.stack([PREDICTION, PREDICTION])
    viewer.add_image(truth, name="TMRM")
    add_prediction(viewer, prediction)
    for t in (1, 0):
        viewer.dims.set_current_step(0, t)
        expected = f"{pcc(prediction[t], truth[t]):.2f}"
        qtbot.waitUntil(lambda expected=expected: panel.numbers.stack[0].text() == expected, timeout=60_000)


def test_other_sizes_are_refused_in_words(panel, viewer, qtbot):
    truth = viewer.add_image(TRUTH[:, :, :30], name="TMRM")
    add_prediction(viewer)
    panel.truth.choose(truth)
    qtbot.waitUntil(lambda: "same field" in panel.problem.text(), timeout=30_000)
    assert "6 × 32 × 40" in panel.problem.text()
    assert panel.numbers.isHidden()


def test_a_simulated_model_says_so_here_too(panel, viewer, qtbot):
    add_prediction(viewer, disclaimer="Trained on simulated cells, not validated on real ones.")
    qtbot.waitUntil(lambda: "simulated" in panel.disclaimer.text(), timeout=30_000)


def test_side_by_side_and_everything_back_as_it_was(panel, viewer, qtbot):
    light = viewer.add_image(TRUTH, name="BF")
    truth = viewer.add_image(TRUTH, name="TMRM", visible=False)
    other = viewer.add_image(TRUTH, name="mine")
    prediction = add_prediction(viewer)
    qtbot.waitUntil(lambda: panel.side_by_side.isEnabled(), timeout=30_000)
    panel.side_by_side.click()
    grid = grid_of(viewer)
    assert grid.enabled
    assert [layer.visible for layer in (light, truth, other, prediction)] == [True, True, False, True]
    assert tuple(grid.actual_shape(viewer.layers)) == (1, 3)
    panel.side_by_side.click()
    assert not grid.enabled
    assert [layer.visible for layer in (light, truth, other, prediction)] == [True, False, True, True]
