"""Comparing a prediction with the truth: guesses, numbers that follow sliders and shapes, shifts, what is refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.utils._proxies import PublicOnlyProxy
from scipy.ndimage import gaussian_filter

from napari_mito_predict._widgets.common.facts import KEY
from napari_mito_predict._widgets.compare import scores
from napari_mito_predict._widgets.compare.side_by_side import grid_of
from napari_mito_predict._widgets.compare.text import CAPTION
from napari_mito_predict._widgets.compare.widget import CompareWidget
from napari_mito_predict.evaluation import BlurredInput, LocalContrast, evaluate, fine_pcc, pcc, ssim_global
from napari_mito_predict.evaluation.fine import fine_structure

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
    qtbot.waitUntil(lambda: panel.numbers.plane.pcc.text() == expected, timeout=60_000)


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
        assert panel.numbers.plane.ssim.text() == f"{ssim_global(PREDICTION[plane], TRUTH[plane]):.2f}"
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=60_000)
    assert panel.numbers.stack.pcc.text() == f"{pcc(PREDICTION, TRUTH):.2f}"
    assert panel.numbers.stack.ssim.text() == f"{ssim_global(PREDICTION, TRUTH):.2f}"
    np.testing.assert_allclose(panel.stack.profile, [pcc(p, t) for p, t in zip(PREDICTION, TRUTH, strict=True)])


def test_fine_pcc_stands_beside_the_pcc(panel, viewer, qtbot):
    micrometres = {"scale": (1, 0.5, 0.5), "units": ("pixel", "um", "um")}
    viewer.add_image(TRUTH, name="TMRM", **micrometres)
    prediction = add_prediction(viewer)
    prediction.scale, prediction.units = micrometres["scale"], micrometres["units"]
    viewer.dims.set_current_step(0, 2)
    size = (None, 0.5, 0.5)
    plane, stack = (f"{fine_pcc(PREDICTION[i], TRUTH[i], size):.2f}" for i in (2, slice(None)))
    qtbot.waitUntil(lambda: panel.numbers.plane.fine.text() == plane, timeout=60_000)
    qtbot.waitUntil(lambda: panel.numbers.stack.fine.text() == stack, timeout=60_000)
    viewer.dims.order = (2, 0, 1)  # z and y: a blur in y and x has no meaning there
    qtbot.waitUntil(lambda: panel.numbers.plane.fine.text() == "–", timeout=60_000)


def test_the_slider_moves_on_without_the_fine_pcc_of_the_last_plane(panel, viewer, qtbot, monkeypatch):
    """It takes several times as long as the PCC, which would come late for each plane."""
    fine_of_first = threading.Event()

    def slow(image, voxel_size_um):
        if np.array_equal(image, PREDICTION[0]):
            fine_of_first.wait(60)
        return fine_structure(image, voxel_size_um)

    monkeypatch.setattr(scores, "fine_structure", slow)
    viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer)
    viewer.dims.set_current_step(0, 0)
    try:
        shown(panel, qtbot, 0)
        viewer.dims.set_current_step(0, 1)
        shown(panel, qtbot, 1)
        assert not fine_of_first.is_set()
        fine = f"{fine_pcc(PREDICTION[1], TRUTH[1]):.2f}"
        qtbot.waitUntil(lambda: panel.numbers.plane.fine.text() == fine, timeout=60_000)
    finally:
        fine_of_first.set()


def test_what_needs_no_network_stands_beside_the_numbers(panel, viewer, qtbot):
    light = 3 - gaussian_filter(TRUTH, (0, 1, 1))
    viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer)
    qtbot.waitUntil(lambda: panel.comparing.shift is not None, timeout=60_000)
    assert panel.baselines.isHidden()
    viewer.add_image(light, name="BF")
    panel.update_numbers()
    qtbot.waitUntil(lambda: panel.comparing.baselines is not None, timeout=60_000)
    expected = [kind.fit([(light, TRUTH)])(light) for kind in (BlurredInput, LocalContrast)]
    blurred, contrast = (pcc(image, TRUTH) for image in expected)
    words = f"Blurred input {blurred:.2f}, local contrast {contrast:.2f}."
    if panel.stack.pcc <= blurred:
        words += " The prediction is no better than that."
    assert panel.baselines.text() == words
    assert f"blurred input {fine_pcc(expected[0], TRUTH):.2f}" in panel.baselines.toolTip()


def test_light_that_was_moved_or_replaced_has_other_baselines(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM")
    light = viewer.add_image(3 - gaussian_filter(TRUTH, (0, 1, 1)), name="BF")
    add_prediction(viewer)
    qtbot.waitUntil(lambda: panel.comparing.baselines is not None, timeout=60_000)
    before = panel.comparing.baselines.pcc
    light.translate = (0, 5, 0)
    qtbot.waitUntil(lambda: panel.comparing.baselines is None, timeout=60_000)
    light.translate = (0, 0, 0)
    qtbot.waitUntil(lambda: panel.comparing.baselines is not None, timeout=60_000)
    assert panel.comparing.baselines.pcc == before
    light.data = TRUTH
    qtbot.waitUntil(
        lambda: panel.comparing.baselines is not None and panel.comparing.baselines.pcc["blurred input"] > 0.99,
        timeout=60_000,
    )


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
    qtbot.waitUntil(lambda: panel.numbers.plane.pcc.text() == expected, timeout=60_000)


def test_a_three_dimensional_view_has_no_plane(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer)
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=60_000)
    viewer.dims.ndisplay = 3
    qtbot.waitUntil(lambda: panel.numbers.plane.pcc.text() == "–", timeout=60_000)


def test_of_a_series_of_stacks_the_one_on_screen_counts(panel, viewer, qtbot):
    truth, prediction = np.stack([TRUTH, TRUTH[::-1]]), np.stack([PREDICTION, PREDICTION])
    viewer.add_image(truth, name="TMRM")
    add_prediction(viewer, prediction)
    for t in (1, 0):
        viewer.dims.set_current_step(0, t)
        expected = f"{pcc(prediction[t], truth[t]):.2f}"
        qtbot.waitUntil(lambda expected=expected: panel.numbers.stack.pcc.text() == expected, timeout=60_000)


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


def test_a_series_of_stacks_has_a_line_over_time_too(panel, viewer, qtbot):
    truth, prediction = np.stack([TRUTH, TRUTH[::-1]]), np.stack([PREDICTION, PREDICTION])
    viewer.add_image(truth, name="TMRM")
    add_prediction(viewer, prediction)
    expected = [pcc(p, t) for p, t in zip(prediction, truth, strict=True)]
    qtbot.waitUntil(lambda: np.isfinite(panel.comparing.series).sum() == 2, timeout=60_000)
    np.testing.assert_allclose(panel.comparing.series, expected)
    assert not panel.over_time.isHidden()
    panel.over_time.clicked.emit(1)
    assert viewer.dims.current_step[0] == 1


def test_planes_of_a_time_series_are_called_time(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM", axis_labels=("t", "y", "x"))
    add_prediction(viewer).axis_labels = ("t", "y", "x")
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=60_000)
    assert panel.profile.accessibleName() == "PCC over time"


# ------------------------------------------------------------------ regions

SQUARE = np.array([[4, 5], [4, 22], [20, 22], [20, 5]])


@pytest.fixture
def drawn(panel, viewer, qtbot):
    """Prediction and truth of other voxel sizes than the shapes, and a square drawn in the plane 0."""
    viewer.add_image(TRUTH, name="TMRM", scale=(3, 0.5, 0.5), translate=(0, 2, 1))
    prediction = add_prediction(viewer)
    prediction.scale, prediction.translate = (3, 0.5, 0.5), (0, 2, 1)
    shapes = viewer.add_shapes(SQUARE * 0.5 + (2, 1), name="nucleus")
    panel.region.choose(shapes)
    qtbot.waitUntil(lambda: panel.comparing.region_stack is not None, timeout=60_000)
    return shapes


def mask_of(shape, kind, size=(32, 40)):
    """What napari itself makes of a shape in pixels of the plane."""
    from napari.layers import Shapes

    return Shapes(shape, shape_type=kind).to_masks(size)[0]


def test_a_region_is_scored_in_this_plane_and_in_the_stack(panel, viewer, drawn, qtbot):
    mask = mask_of(SQUARE, "rectangle")
    stack = evaluate(PREDICTION, TRUTH, mask=np.broadcast_to(mask, TRUTH.shape))
    assert panel.comparing.region_stack.pcc == pytest.approx(stack.pcc)
    assert panel.comparing.region_stack.ssim == pytest.approx(stack.ssim_global)
    assert panel.comparing.region_stack.voxels == stack.voxels
    viewer.dims.set_current_step(0, 4)
    plane = evaluate(PREDICTION[4], TRUTH[4], mask=mask)
    qtbot.waitUntil(lambda: panel.numbers.region_plane.pcc.text() == f"{plane.pcc:.2f}", timeout=60_000)
    assert panel.comparing.plane.region.pcc == pytest.approx(plane.pcc)
    assert panel.comparing.plane.region.ssim == pytest.approx(plane.ssim_global)
    assert panel.numbers.region_stack.ssim.text() == f"{stack.ssim_global:.2f}"
    assert (
        f"region: {plane.voxels:,} pixels of this plane and {stack.voxels:,} voxels of the stack"
        in panel.coverage.text()
    )


def test_a_region_without_a_pcc_has_no_fine_pcc(panel, viewer, qtbot):
    """Of a prediction that is constant there, but not around it: its fine structure is what the blur brought in."""
    prediction = PREDICTION.copy()
    prediction[:, 8:24, 8:24] = 1
    viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer, prediction)
    viewer.add_shapes(np.array([[10, 10], [10, 20], [20, 20], [20, 10]]), name="inside")
    panel.region.choose(viewer.layers["inside"])
    qtbot.waitUntil(lambda: panel.numbers.plane.fine.text() != "–", timeout=60_000)
    plane = panel.comparing.plane
    assert plane.region is not None
    assert "prediction has the same value" in plane.region.problem
    assert np.isnan(plane.region.fine)


def test_numbers_follow_the_edits_of_the_shapes(panel, viewer, drawn, qtbot):
    drawn.data = [(SQUARE + 8) * 0.5 + (2, 1)]
    mask = np.broadcast_to(mask_of(SQUARE + 8, "rectangle"), TRUTH.shape)
    expected = evaluate(PREDICTION, TRUTH, mask=mask).pcc
    qtbot.waitUntil(
        lambda: (
            panel.comparing.region_stack is not None and panel.comparing.region_stack.pcc == pytest.approx(expected)
        ),
        timeout=60_000,
    )


@pytest.mark.parametrize("kind", ["polygon", "ellipse", "rectangle"])
def test_shapes_of_each_kind_are_rasterised_as_napari_does(kind):
    from napari.components import ViewerModel
    from napari.layers import Shapes

    from napari_mito_predict._widgets.compare.region import region_of

    corners = np.array([[3.2, 4.7], [4.2, 33.1], [27.9, 31.6], [26.9, 3.2]])

    viewer = ViewerModel()
    image = viewer.add_image(TRUTH)
    found = region_of(Shapes(corners, shape_type=kind), image, viewer).mask
    expected = mask_of(corners, kind)
    assert np.count_nonzero(found != expected) <= 0.02 * expected.sum()


def test_a_region_drawn_in_a_stack_counts_in_every_plane_of_it(panel, viewer, qtbot):
    """A Shapes layer made in a viewer with sliders is three-dimensional: each shape has a plane of its own."""
    viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer)
    shapes = viewer.add_shapes(np.insert(SQUARE, 0, 3, axis=1), name="drawn in plane 3")
    panel.region.choose(shapes)
    qtbot.waitUntil(lambda: panel.comparing.region_stack is not None, timeout=60_000)
    expected = evaluate(PREDICTION, TRUTH, mask=np.broadcast_to(mask_of(SQUARE, "rectangle"), TRUTH.shape))
    assert panel.comparing.region_stack.pcc == pytest.approx(expected.pcc)
    viewer.dims.order = (2, 0, 1)
    qtbot.waitUntil(lambda: "encloses nothing in this view" in panel.problem.text(), timeout=60_000)


def test_shapes_that_enclose_nothing_are_asked_for(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer)
    panel.region.choose(viewer.add_shapes(SQUARE[:2], shape_type="line", name="lines"))
    qtbot.waitUntil(lambda: "draw a polygon" in panel.problem.text(), timeout=30_000)
    assert not panel.numbers.isHidden()
    assert panel.numbers.region_plane.pcc.isHidden()


# ------------------------------------------------------------------ what cannot be compared


def test_a_plane_against_a_stack_is_refused(panel, viewer, qtbot):
    truth = viewer.add_image(TRUTH[0], name="TMRM")
    add_prediction(viewer)
    panel.truth.choose(truth)
    qtbot.waitUntil(lambda: "a plane cannot be compared with a stack" in panel.problem.text(), timeout=30_000)
    assert panel.numbers.isHidden()
    assert not panel.reports.report.isEnabled()


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (np.ones_like(TRUTH), "the truth has the same value everywhere"),
        (np.full_like(TRUTH, np.nan), "finite in both"),
    ],
)
def test_a_truth_without_content_is_refused_in_words(panel, viewer, qtbot, truth, said):
    layer = viewer.add_image(truth, name="TMRM", contrast_limits=(0, 1))
    add_prediction(viewer)
    panel.truth.choose(layer)
    qtbot.waitUntil(lambda: panel.problem.text().startswith("Nothing to compare"), timeout=60_000)
    assert said in panel.problem.text()
    assert panel.numbers.isHidden()
    assert not panel.reports.report.isEnabled()


def test_a_plane_without_content_leaves_the_stack_its_numbers(panel, viewer, qtbot):
    truth = TRUTH.copy()
    truth[0], truth[1, :4] = 7, np.nan
    viewer.add_image(truth, name="TMRM", contrast_limits=(0, 1))
    add_prediction(viewer)
    viewer.dims.set_current_step(0, 0)
    qtbot.waitUntil(lambda: panel.problem.text().startswith("This plane: the truth has the same"), timeout=60_000)
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=60_000)
    assert panel.stack.pcc == pytest.approx(pcc(PREDICTION, truth))
    assert panel.stack.voxels == TRUTH.size - 4 * 40
    assert not panel.numbers.isHidden()


# ------------------------------------------------------------------ shifts


def test_a_shifted_truth_is_told_and_nothing_is_moved(panel, viewer, qtbot):
    from scipy.ndimage import gaussian_filter

    structure = gaussian_filter(np.random.default_rng(1).random((8, 96, 96), np.float32), (1, 1.5, 1.5))
    truth = viewer.add_image(np.roll(structure, (3, -5), (1, 2)), name="TMRM")
    prediction = add_prediction(viewer, structure)
    qtbot.waitUntil(lambda: panel.comparing.shift is not None, timeout=60_000)
    said = panel.warning.text
    assert not panel.warning.isHidden()
    assert "The truth looks shifted by +3 voxels in Y, −5 in X (PCC " in said
    assert "Nothing was moved." in said
    np.testing.assert_array_equal(prediction.data, structure)
    assert tuple(truth.translate) == (0, 0, 0)
    panel.truth.choose(viewer.add_image(structure + 1, name="aligned"))
    qtbot.waitUntil(panel.warning.isHidden, timeout=60_000)
    qtbot.waitUntil(lambda: panel.comparing.shift is not None, timeout=60_000)
    assert panel.comparing.shift.significant
    assert panel.warning.isHidden()


# ------------------------------------------------------------------ drawing a region


def test_a_region_is_drawn_with_one_button(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM", scale=(3, 0.5, 0.5))
    add_prediction(viewer).scale = (3, 0.5, 0.5)
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=60_000)
    assert panel.region.isHidden()
    viewer.dims.ndisplay = 3
    panel.pair.draw.click()
    shapes = viewer.layers["region"]
    assert viewer.dims.ndisplay == 2
    assert viewer.layers.selection.active == shapes
    assert shapes.mode == "add_rectangle"
    assert panel.region.layer == shapes
    assert not panel.region.isHidden()
    assert tuple(shapes.scale) == (0.5, 0.5)
    shapes.add_rectangles(SQUARE)
    qtbot.waitUntil(lambda: panel.comparing.region_stack is not None, timeout=60_000)
    expected = evaluate(PREDICTION, TRUTH, mask=np.broadcast_to(mask_of(SQUARE, "rectangle"), TRUTH.shape))
    assert panel.comparing.region_stack.pcc == pytest.approx(expected.pcc)
    shapes.mode = "select"
    panel.pair.draw.click()  # again: in the same layer
    assert shapes.mode == "add_rectangle"
    assert [layer.name for layer in viewer.layers].count("region") == 1
    assert len(shapes.data) == 1


def test_a_region_in_another_orientation_is_drawn_in_its_own_plane(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer)
    viewer.dims.order = (2, 0, 1)
    panel.pair.draw.click()
    shapes = viewer.layers["region"]
    assert shapes.ndim == 3
    shapes.add_rectangles(np.array([[1, 4, 7], [1, 20, 7], [4, 20, 7], [4, 4, 7]]))
    qtbot.waitUntil(lambda: panel.comparing.region_stack is not None, timeout=60_000)
    assert panel.comparing.region_stack.voxels == 4 * 17 * 40


def test_without_a_prediction_there_is_nothing_to_draw_on(panel):
    assert not panel.pair.draw.isEnabled()


def test_the_numbers_start_with_the_slider_and_do_not_wait_for_the_drawing(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM")
    add_prediction(viewer)
    qtbot.waitUntil(lambda: panel.stack is not None and not panel.comparing.plane_is_late, timeout=60_000)
    viewer.dims.set_current_step(0, 0)
    assert panel.comparing.plane_is_late  # before any event is handled
    shown(panel, qtbot, 0)


@pytest.mark.parametrize("scale", [(3, 0.5, 0.5), (1, 0.6, 0.5)])
def test_other_voxel_sizes_are_refused_in_words(panel, viewer, qtbot, scale):
    truth = viewer.add_image(TRUTH, name="TMRM", scale=scale, units=("um",) * 3)
    prediction = add_prediction(viewer)
    prediction.scale, prediction.units = (1, 0.5, 0.5), ("um",) * 3
    panel.update_numbers()
    assert panel.truth.layer == truth
    assert "different voxel sizes" in panel.problem.text()
    assert "\n" not in panel.problem.text()
    assert panel.numbers.isHidden()
    assert not panel.reports.report.isEnabled()
    truth.scale = (1, 0.5, 0.5)
    panel.update_numbers()
    assert not panel.problem.text()


@pytest.mark.parametrize("bad", [np.ones_like(PREDICTION), np.full_like(PREDICTION, np.nan)])
def test_a_prediction_without_content_is_refused_in_one_line(panel, viewer, qtbot, bad):
    truth = viewer.add_image(TRUTH, name="TMRM")
    viewer.add_image(bad, name="x", contrast_limits=(0, 1), metadata={KEY: {"kind": "prediction"}})
    panel.truth.choose(truth)
    qtbot.waitUntil(lambda: panel.problem.text().startswith("Nothing to compare"), timeout=60_000)
    assert "\n" not in panel.problem.text()
    assert not panel.reports.report.isEnabled()
