"""Prediction and truth are compared where they lie, in one system of units, and with the pixels that they have now."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils._proxies import PublicOnlyProxy

from napari_mito_predict._widgets.common.facts import KEY
from napari_mito_predict._widgets.common.viewport import plane_index, viewport_of
from napari_mito_predict._widgets.compare.widget import CompareWidget
from napari_mito_predict.evaluation import pcc

PATIENCE = 60_000
RNG = np.random.default_rng(0)
TRUTH = RNG.random((6, 32, 32), np.float32)
PREDICTION = TRUTH + RNG.random(TRUTH.shape, np.float32)
UM = {"scale": (0.3, 0.1, 0.1), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
NM = {"scale": (300, 100, 100), "units": ("nm",) * 3, "axis_labels": ("z", "y", "x")}


@pytest.fixture
def panel(viewer):
    widget = CompareWidget(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(widget)
    return widget.panel


def add_prediction(viewer, data=PREDICTION, **placed):
    facts = {"kind": "prediction", "target": "mitochondria", "input_layer": "BF"}
    return viewer.add_image(data, name="predicted", metadata={KEY: facts}, **placed)


def stack_is(panel, qtbot, prediction, truth):
    expected = pcc(np.asarray(prediction), np.asarray(truth))
    qtbot.waitUntil(
        lambda: panel.stack is not None and panel.stack.pcc == pytest.approx(expected, abs=1e-4), timeout=PATIENCE
    )


MOVES = {
    "translated": ({"translate": (0, 3.3, 0)}, "3.3 µm along y"),
    "of one pixel": ({"translate": (0, 0, 0.1)}, "0.1 µm along x"),
    "mirrored": ({"scale": (0.3, -0.1, 0.1)}, "mirrored along y"),
    "rotated": ({"rotate": 20.0}, "rotated"),
    "in another order": ({"affine": np.eye(4)[[0, 2, 1, 3]]}, "another order"),
    "sheared": ({"shear": (0.0, 0.0, 0.3)}, "sheared"),
    "of another size": ({"scale": (0.3, 0.2, 0.2)}, "voxel sizes"),
}


@pytest.mark.parametrize(("change", "said"), MOVES.values(), ids=MOVES)
def test_a_truth_that_lies_elsewhere_is_refused_in_words(panel, viewer, qtbot, change, said):
    truth = viewer.add_image(TRUTH, name="TMRM", **UM)
    add_prediction(viewer, **UM)
    stack_is(panel, qtbot, PREDICTION, TRUTH)
    for name, value in change.items():
        setattr(truth, name, value)
    qtbot.waitUntil(lambda: said in panel.problem.text(), timeout=PATIENCE)
    assert panel.stack is None
    assert panel.numbers.isHidden()
    assert not panel.overlay.isEnabled()


def test_moving_it_back_brings_the_numbers_back(panel, viewer, qtbot):
    truth = viewer.add_image(TRUTH, name="TMRM", **UM)
    add_prediction(viewer, **UM)
    truth.translate = (0, 5, 5)
    qtbot.waitUntil(lambda: "away" in panel.problem.text(), timeout=PATIENCE)
    truth.translate = (0, 0, 0)
    stack_is(panel, qtbot, PREDICTION, TRUTH)
    assert panel.problem.text() == ""


@pytest.mark.parametrize(
    ("of_truth", "of_prediction"),
    [
        (NM, UM),
        (UM, NM),
        ({}, UM),  # as napari opens a TIFF that knows no size
        ({"scale": (0.3, 0.1, 0.1), "translate": (0.001, 0.001, 0)}, {"scale": (0.3, 0.1, 0.1)}),
        (UM | {"scale": (0.301, 0.1005, 0.1)}, UM),  # rounded by some program
    ],
)
def test_the_same_place_in_other_units_is_the_same(panel, viewer, qtbot, of_truth, of_prediction):
    viewer.add_image(TRUTH, name="TMRM", **of_truth)
    add_prediction(viewer, **of_prediction)
    stack_is(panel, qtbot, PREDICTION, TRUTH)


@pytest.mark.parametrize("placed", [UM, NM], ids=["um", "nm"])
def test_this_plane_is_the_plane_on_screen_whatever_other_layers_count_in(panel, viewer, qtbot, placed):
    viewer.add_image(TRUTH, name="TMRM", **placed)
    prediction = add_prediction(viewer, **placed)
    other = {"nm": UM, "um": NM}[str(placed["units"][0])]
    finer = viewer.add_image(np.zeros((60, 8, 8), np.float32), name="other", **other)
    finer.scale = np.array(other["scale"]) * (0.1, 4, 4)
    viewer.reset_view()
    viewer.dims.set_current_step(0, 41)
    plane = plane_index(viewer, prediction)
    assert plane[0] == 4
    expected = f"{pcc(PREDICTION[4], TRUTH[4]):.2f}"
    qtbot.waitUntil(lambda: panel.numbers.plane[0].text() == expected, timeout=PATIENCE)
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=PATIENCE)
    panel.profile.clicked.emit(2)
    assert plane_index(viewer, prediction)[0] == 2
    shown = viewport_of(viewer, prediction, "ZYX")
    assert shown.z == 2
    assert (shown.y.start, shown.y.stop) == (0, 32)


# ------------------------------------------------------------------ pixels


def replace_data(layer, values):
    layer.data = values


def write_in_place(layer, values):
    layer.data[:] = values
    layer.refresh()


@pytest.mark.parametrize("change", [replace_data, write_in_place])
@pytest.mark.parametrize("which", ["truth", "prediction"])
def test_numbers_are_of_the_pixels_there_are_now(panel, viewer, qtbot, change, which):
    layers = {"truth": viewer.add_image(TRUTH.copy(), name="TMRM", **UM)}
    layers["prediction"] = add_prediction(viewer, PREDICTION.copy(), **UM)
    stack_is(panel, qtbot, PREDICTION, TRUTH)
    panel.difference.click()
    qtbot.waitUntil(lambda: any("difference" in layer.name for layer in viewer.layers), timeout=PATIENCE)
    other = RNG.random(TRUTH.shape, np.float32)
    change(layers[which], other)
    stack_is(panel, qtbot, layers["prediction"].data, layers["truth"].data)
    assert not any("difference" in layer.name for layer in viewer.layers), "it was that of the old pixels"


def test_moving_a_slider_changes_no_number_of_the_stack(panel, viewer, qtbot):
    viewer.add_image(TRUTH, name="TMRM", **UM)
    add_prediction(viewer, **UM)
    stack_is(panel, qtbot, PREDICTION, TRUTH)
    qtbot.waitUntil(lambda: np.isfinite(panel.stack.fine), timeout=PATIENCE)  # it comes after the others
    known = panel.stack
    viewer.dims.set_current_step(0, 5)
    qtbot.waitUntil(lambda: panel.comparing._checked is not None, timeout=PATIENCE)
    assert panel.stack is known
