"""The dock "Measure": what it offers, shows live, measures, plots and writes."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QFileDialog
from scipy.ndimage import gaussian_filter

from napari_mito_predict._widgets.common.facts import PredictionFacts, metadata_of
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict.measurement.measures import Structure

# The colours of napari's first layer of labels.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB:UserWarning")
PIXEL = 0.1
PLACE = {"scale": (PIXEL, PIXEL), "units": ("um", "um"), "axis_labels": ("y", "x")}


def tubes(lengths, width=64):
    """A plane with a horizontal tube of each of these lengths in pixels, from the left to the right."""
    plane = np.zeros((16 * len(lengths), width), np.float32)
    for number, length in enumerate(lengths):
        plane[16 * number + 7 : 16 * number + 10, 8 : 8 + length] = 1000
    return gaussian_filter(plane, 1) + np.random.default_rng(0).normal(0, 2, plane.shape).astype(np.float32)


@pytest.fixture
def dock(viewer, qtbot):
    """The dock as a user opens it from the menu, beside three tubes."""
    from napari.utils._proxies import PublicOnlyProxy

    from napari_mito_predict._widgets.measure.widget import MeasureWidget

    viewer.add_image(tubes((10, 20, 40)), name="TMRM", **PLACE)
    widget = MeasureWidget(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(widget, name="Measure", area="right")
    yield widget
    widget.job.cancel()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=60_000)


@pytest.fixture
def measure(dock, qtbot):
    """Presses Measure and waits for the end."""

    def run():
        dock.run.start.click()
        qtbot.waitUntil(lambda: not dock.job.state.busy, timeout=120_000)
        assert dock.job.state is JobState.DONE, dock.run.failure._details
        qtbot.waitUntil(lambda: dock.result_layers.is_complete, timeout=60_000)
        return dock

    return run


def value(dock, measure):
    return next(row.value for row in dock.results.table.model().rows if row.measure.name == measure)


def outlined(dock):
    """How many objects the outlines show; None without outlines."""
    layer = dock.preview.layer
    return None if layer is None else int(layer.data.max())


def test_mitochondria_are_outlined_while_settings_change(dock, viewer, qtbot):
    qtbot.waitUntil(lambda: outlined(dock) == 3, timeout=60_000)
    assert dock.settings.found.text() == "3 in this plane."
    assert viewer.layers.selection.active.name == "TMRM"
    assert tuple(map(str, dock.preview.layer.units)) == ("micrometer", "micrometer")
    form = dock.settings.forms[Structure.MITOCHONDRIA]
    form.fields["least_diameter"].setValue(1.2)
    qtbot.waitUntil(lambda: outlined(dock) == 1, timeout=60_000)
    assert dock.settings.summary == "changed"
    dock.settings.reset.click()
    qtbot.waitUntil(lambda: outlined(dock) == 3, timeout=60_000)
    dock.settings.live.setChecked(False)
    assert [layer.name for layer in viewer.layers] == ["TMRM"]


def test_outlines_in_a_stack_are_those_that_are_measured(dock, viewer, qtbot):
    from napari_mito_predict.measurement import segment_mitochondria

    plane = tubes((10, 20, 40))
    stack = np.stack([plane * weight for weight in (0.2, 0.6, 1.0, 0.6, 0.2)])
    place = {"scale": (0.3, PIXEL, PIXEL), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    layer = viewer.add_image(stack, name="mitochondria", **place)
    dock.layers.combos[Structure.MITOCHONDRIA].choose(layer)
    viewer.dims.set_current_step(0, 3)
    expected = segment_mitochondria(stack, place["scale"])[3] > 0
    alone = segment_mitochondria(stack[3], place["scale"][1:]) > 0
    assert not np.array_equal(expected, alone)
    qtbot.waitUntil(
        lambda: dock.preview.layer is not None and np.array_equal(dock.preview.layer.data > 0, expected), timeout=60_000
    )
    assert dock.settings.found.text() == f"{outlined(dock)} in this plane."


def test_outlines_that_are_removed_by_hand_stay_away(dock, viewer, qtbot):
    qtbot.waitUntil(lambda: outlined(dock) == 3, timeout=60_000)
    viewer.layers.remove(dock.preview.layer)
    assert not dock.settings.live.isChecked()
    viewer.dims.events.current_step()
    assert dock.preview.job.state is not JobState.RUNNING
    assert [layer.name for layer in viewer.layers] == ["TMRM"]


def test_objects_become_layers_with_features_and_numbers(measure, viewer):
    before = viewer.layers[0].data.copy()
    dock = measure()
    assert dock.run.summary == "done"
    labels, skeletons = viewer.layers["mitochondria: TMRM"], viewer.layers["skeletons: TMRM"]
    assert [layer.name for layer in viewer.layers] == ["TMRM", labels.name, skeletons.name]
    assert list(labels.features["index"]) == [1, 2, 3]
    assert labels.features["length"].is_monotonic_increasing
    assert set(np.unique(skeletons.data)) == {0, 1, 2, 3}
    assert np.array_equal(skeletons.scale, viewer.layers[0].scale)
    assert value(dock, "count") == 3
    assert value(dock, "total_length") == pytest.approx(labels.features["length"].sum())
    assert {row.verdict for row in dock.results.table.model().rows} == {"recorded"}
    np.testing.assert_array_equal(viewer.layers[0].data, before)
    dock.settings.forms[Structure.MITOCHONDRIA].fields["threshold"].setValue(1.5)
    assert dock.run.summary == "changed since"


def test_bars_select_objects_and_objects_mark_their_value(measure, viewer):
    dock = measure()
    labels = viewer.layers["mitochondria: TMRM"]
    own = labels.colormap
    results = dock.results
    results.measure.setCurrentIndex(results.measure.findText("length"))
    longest = labels.features["length"].max()
    results.histogram.clicked_at(longest)
    assert results.selection.text() == "1 of 3 mitochondria selected"
    np.testing.assert_allclose(labels.get_color(3)[:3], (1, 0.85, 0), atol=0.01)
    assert not np.allclose(labels.get_color(1), labels.get_color(3))
    results.histogram.clicked_at(-100.0)
    assert labels.colormap is own
    labels.selected_label = 2
    assert results.selection.text().startswith("Object 2: length ")
    assert results.histogram._mark.value() == pytest.approx(labels.features["length"][1])
    labels.selected_label = 0
    assert results.selection.text() == ""


def test_tables_and_report_are_written_with_unit_and_verdict(measure, qtbot, tmp_path, monkeypatch):
    dock = measure()
    dock.save_tables(tmp_path / "measures.csv")
    qtbot.waitUntil(lambda: "measures.csv" in dock.results.saved.text(), timeout=60_000)
    with (tmp_path / "measures.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["measure"]: row for row in csv.DictReader(file)}
    assert (rows["total_area"]["unit"], rows["total_area"]["verdict"]) == ("µm²", "recorded")
    with (tmp_path / "measures_mitochondria.csv").open(encoding="utf-8", newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "page"), ""))
    dock.results.report.click()
    qtbot.waitUntil(lambda: "page.html" in dock.results.saved.text(), timeout=60_000)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Mitochondria, recorded" in page
    assert "total length" in page


def test_numbers_follow_the_slider_and_a_click_goes_to_a_time_point(dock, viewer, measure):
    series = np.stack([tubes((10, 20, 40)), tubes((10, 0, 40)), tubes((0, 0, 40))])
    place = {"scale": (2, PIXEL, PIXEL), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}
    layer = viewer.add_image(series, name="mitochondria over time", **place)
    dock.layers.combos[Structure.MITOCHONDRIA].choose(layer)
    viewer.dims.set_current_step(0, 0)
    measure()
    results = dock.results
    assert list(results.over_time.values) == [3, 2, 1]
    labels = viewer.layers["mitochondria: mitochondria over time"]
    assert list(labels.features["index"]) == [1, 2, 3, 4, 5, 6]  # no number at two time points
    assert list(labels.features["t"]) == [0, 0, 0, 1, 1, 2]
    assert set(np.unique(labels.data[1])) == {0, 4, 5}
    results.over_time.clicked_at(1.2)
    assert viewer.dims.current_step[0] == 1
    assert value(dock, "count") == 2
    results.histogram.clicked_at(results.histogram.centres[0])
    labels.selected_label = 6
    assert results.selection.text().startswith("Object 6: ")


@pytest.fixture
def dividing(dock, viewer):
    """Four planes with two tubes; the longer one is two from the third on."""
    frames = np.stack([tubes((20, 40)) for _ in range(4)])
    frames[2:, 16:, 24:31] = frames[:2, 16:, 55:62]
    place = {"scale": (1, PIXEL, PIXEL), "units": ("pixel", "um", "um"), "axis_labels": ("t", "y", "x")}
    layer = viewer.add_image(frames, name="mitochondria", **place)
    dock.layers.combos[Structure.MITOCHONDRIA].choose(layer)
    return layer


def test_fissions_are_counted_and_shown(dock, viewer, measure, dividing, qtbot, tmp_path):
    series = dock.run.series
    assert series.seconds.isHidden()
    series.switch.setChecked(True)
    series.seconds.setValue(5)
    measure()
    results = dock.results
    results.structure.setCurrentIndex(results.structure.findText("Fissions, fusions and speed"))
    assert value(dock, "fissions") == 1
    assert value(dock, "fissions_per_min") == pytest.approx(1 / ((2 + 2 + 3) * 5 / 60))
    assert {row.verdict for row in results.table.model().rows} == {"recorded"}
    assert list(results.over_time.values) == [0, 0, 1, 1]
    events = dock.result_layers.events
    assert list(events.features["kind"]) == ["fission"]
    np.testing.assert_allclose(events.data[0], [2, 16 + 8, 27.5], atol=1.5)
    viewer.dims.set_current_step(0, 0)
    results.event_list.setCurrentIndex(1)
    results.event_list.activated.emit(1)
    assert results.event_list.currentText().startswith("10 s: 2 divides into ")
    assert viewer.dims.current_step[0] == 2
    chosen = dock.result_layers.labels[Structure.MITOCHONDRIA].colormap.color_dict
    assert len([label for label in chosen if label]) == 3, "what divided, and the two that it became"
    dock.save_tables(tmp_path / "t.csv")
    qtbot.waitUntil(lambda: "t_events.csv" in results.saved.text(), timeout=60_000)


def test_a_click_on_an_event_says_which_it_is(dock, viewer, measure, dividing):
    dock.run.series.switch.setChecked(True)
    measure()
    assert "time between two frames is not known" in dock.results.warning.text
    layer = dock.result_layers.events
    (pick,) = layer.mouse_drag_callbacks
    position = layer.data_to_world(layer.data[0])
    viewer.dims.set_point(0, position[0])
    where = {"position": position, "view_direction": None, "dims_displayed": [1, 2]}
    pick(layer, SimpleNamespace(**where))
    assert dock.results.event_list.currentText().startswith("time point 2: 2 divides into ")
    dock.run.series.switch.setChecked(False)
    assert dock.run.summary == "changed since"
    measure()
    assert dock.result_layers.events is None
    assert layer not in viewer.layers


def test_only_series_of_mitochondria_are_followed(dock, dividing):
    assert not dock.run.series.isHidden()
    dock.layers.combos[Structure.MITOCHONDRIA].choose(None)
    dock.layers.combos[Structure.NUCLEI].choose(dividing)
    assert dock.run.series.isHidden()
    assert dock.run.series.following is None


def test_predictions_have_a_verdict_beside_each_number(dock, viewer, measure):
    facts = metadata_of(PredictionFacts(target="mitochondria", model="no-such-model", input_layer="T-PMT"))
    viewer.add_image(tubes((10, 20, 40)), name="TMRM predicted", metadata=facts, **PLACE)
    dock.layers.combos[Structure.MITOCHONDRIA].choose(viewer.layers["TMRM predicted"])
    measure()
    assert dock.results.warning.text.startswith("Measured on predictions (no-such-model)")
    rows = dock.results.table.model().rows
    assert {row.verdict for row in rows} == {"not tested"}
    assert "the model no-such-model is not here" in rows[0].why


def test_what_may_not_be_taken_is_grey_and_says_why():
    from qtpy.QtCore import Qt

    from napari_mito_predict._widgets.measure.field_table import NAME, VERDICT, FieldModel
    from napari_mito_predict._widgets.measure.rows import FieldRow
    from napari_mito_predict.measurement.measures import FIELD_MEASURES

    model = FieldModel()
    reason = "simulated cells, 8 fields, concordance 0.31, bias +44%"
    good = FieldRow(FIELD_MEASURES[0], 3.0, "", "supported", "")
    bad = FieldRow(FIELD_MEASURES[1], 1.25, "µm²", "not supported", reason)
    model.show_rows([good, bad])
    colours = [model.data(model.index(row, NAME), Qt.ItemDataRole.ForegroundRole) for row in range(2)]
    assert colours == [None, model.grey]
    assert reason in model.data(model.index(1, VERDICT), Qt.ItemDataRole.ToolTipRole)
    assert [model.data(model.index(1, column)) for column in range(4)] == ["total area", "1.25", "µm²", "not supported"]


def test_without_a_size_lengths_are_in_pixels(dock, viewer, qtbot, measure):
    layer = viewer.add_image(tubes((10, 20, 40)), name="mitochondria")
    dock.layers.combos[Structure.MITOCHONDRIA].choose(layer)
    assert "measured in pixels" in dock.layers.sampling.text()
    assert dock.settings.forms[Structure.MITOCHONDRIA].fields["background"].suffix() == " px"
    qtbot.waitUntil(lambda: outlined(dock) == 3, timeout=60_000)
    measure()
    units = {row.measure.name: row.unit for row in dock.results.table.model().rows}
    assert (units["total_length"], units["total_area"]) == ("px", "px²")


def test_layers_of_different_fields_are_not_measured_together(dock, viewer):
    other = viewer.add_image(np.zeros((20, 30), np.float32), name="DAPI", **PLACE)
    dock.layers.combos[Structure.NUCLEI].choose(other)
    assert "are not of one field" in dock.layers.summary
    assert not dock.run.start.isEnabled()
    dock.layers.combos[Structure.NUCLEI].choose(None)
    assert dock.run.start.isEnabled()


def test_a_measurement_is_cancelled_and_leaves_what_was_there(dock, measure, viewer, qtbot, monkeypatch):
    from napari_mito_predict.measurement import segmentation

    measure()
    layers = list(viewer.layers)

    def segment_until_cancelled(pixels, size, settings, progress):
        while True:
            progress.step(0, 1, "waiting")

    monkeypatch.setattr(segmentation, "segment_mitochondria", segment_until_cancelled)
    dock.run.start.click()
    qtbot.waitUntil(lambda: dock.run.note.text() == "waiting", timeout=60_000)
    dock.run.cancel.click()
    qtbot.waitUntil(lambda: dock.job.state is JobState.IDLE, timeout=60_000)
    assert dock.run.start.isVisibleTo(dock)
    assert [layer for layer in viewer.layers if layer.name != "outlines"] == layers
    assert value(dock, "count") == 3


def test_closing_the_dock_takes_its_outlines_away(dock, viewer, qtbot):
    qtbot.waitUntil(lambda: outlined(dock) == 3, timeout=60_000)
    dock.setParent(None)
    assert not any(isinstance(layer, Labels) for layer in viewer.layers)


def test_sizes_that_spread_over_orders_of_magnitude_have_a_logarithmic_axis(qtbot):
    from napari_mito_predict._widgets.measure.plots import Histogram

    histogram = Histogram()
    qtbot.addWidget(histogram)
    masks = []
    histogram.clicked.connect(masks.append)
    values = np.geomspace(0.01, 100, 50)
    histogram.set_values(values, "volume")
    histogram.clicked_at(-2.0)
    assert histogram.counts.sum() == 50
    np.testing.assert_array_equal(masks[0], values < 10 ** histogram._edges[1])
    histogram.set_values(np.append(values, 0.0), "length")
    histogram.clicked_at(histogram.centres[-1])
    np.testing.assert_array_equal(masks[1], np.append(values >= histogram._edges[-2], False))
    histogram.set_values(np.array([1.0, 1, 2, 4]), "branches")
    assert list(histogram.counts) == [2, 1, 0, 1]
    histogram.clicked_at(4.4)
    histogram.clicked_at(3.0)
    assert list(masks[2]) == [False, False, False, True]
    assert masks[3] is None
