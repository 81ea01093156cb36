"""The report and the methods text of what is compared in the viewer."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_mito_predict._widgets.common.facts import KEY
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.compare.widget import CompareWidget
from napari_mito_predict.evaluation import evaluate
from napari_mito_predict.models.record import PredictionRecord

SIMULATED = "Trained on simulated cells, not validated on real ones."
TRUTH = np.random.default_rng(0).integers(100, 900, (5, 24, 28)).astype(np.uint16)
PREDICTION = (TRUTH / 200 + np.random.default_rng(1).random(TRUTH.shape)).astype(np.float32)
RECORD = {
    "target": "mitochondria",
    "stain": "TMRM",
    "input": {"name": "cells", "channel": {"index": 0, "name": "T-PMT"}, "voxel_size_um": [0.29, 0.11, 0.11]},
    "model": {"name": "mito-z", "weights_sha256": "0123abcd", "simulated": True},
    "parameters": {"device": "cpu", "precision": "32", "third_axis": "stacks"},
    "versions": {"napari-mito-predict": "1.2.3"},
}


@pytest.fixture
def panel(viewer, qtbot):
    """An untitled stack without axis labels, as any array in napari."""
    facts = {"kind": "prediction", "target": "mitochondria", "model": "mito-z", "input_layer": "BF", "record": RECORD}
    viewer.add_image(TRUTH[::-1], name="BF")
    viewer.add_image(TRUTH, name="TMRM")
    viewer.add_image(PREDICTION, name="TMRM predicted", metadata={KEY: facts, "disclaimer": SIMULATED})
    widget = CompareWidget(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(widget)
    qtbot.waitUntil(lambda: widget.panel.comparing.shift is not None, timeout=60_000)
    return widget.panel


def save_as(monkeypatch, path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args, **kwargs: (str(path), ""))


def test_the_report_is_written_where_one_asks_for(panel, qtbot, tmp_path, monkeypatch):
    save_as(monkeypatch, tmp_path / "my report")
    panel.reports.report.click()
    assert panel.reports.report.text() == "Cancel"
    assert not panel.reports.bar.isHidden()
    qtbot.waitUntil(lambda: panel.reports.job.state is JobState.DONE, timeout=120_000)
    assert panel.reports.line.text() == f"Saved my report.html in {tmp_path}."
    assert panel.reports.bar.isHidden()
    assert panel.reports.report.isEnabled()
    html = (tmp_path / "my report.html").read_text(encoding="utf-8")
    scores = evaluate(PREDICTION, TRUTH)
    for said in ("cells", "mito-z", "TMRM", SIMULATED, f"{scores.pcc:.3f}", "blurred input"):
        assert said in html


def test_another_report_is_not_replaced_without_asking(panel, tmp_path, monkeypatch):
    """The dialog asks about the name as typed; we add the ending after it."""
    (tmp_path / "a.html").write_text("mine", encoding="utf-8")
    save_as(monkeypatch, tmp_path / "a")
    panel.reports.report.click()
    assert "a.html exists already" in panel.reports.line.text()
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == "mine"


def test_a_report_that_cannot_be_written_says_why(panel, qtbot, tmp_path, monkeypatch):
    save_as(monkeypatch, tmp_path / "missing" / "a.html")
    panel.reports.report.click()
    qtbot.waitUntil(lambda: panel.reports.job.state is JobState.FAILED, timeout=60_000)
    assert not panel.reports.failure.isHidden()
    assert "missing" in panel.reports.failure.what.text()
    assert "Choose another folder." in panel.reports.failure.fix.text()


def test_no_file_no_report(panel, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args, **kwargs: ("", ""))
    panel.reports.report.click()
    assert panel.reports.job.state is JobState.IDLE


def test_the_methods_text_tells_what_a_reader_has_to_know(panel):
    panel.reports.methods.click()
    text = QGuiApplication.clipboard().text()
    scores = evaluate(PREDICTION, TRUTH)
    for said in (
        "Fluorescence of mitochondria (TMRM)",
        "channel T-PMT; voxel size 0.29 × 0.11 × 0.11 µm (z, y, x)",
        "napari-mito-predict 1.2.3 (model mito-z, weights SHA-256 0123abcd, on CPU in float32)",
        f"all {TRUTH.size:,} voxels of 5 Z steps",
        f"(PCC) {scores.pcc:.3f}",
        f"(SSIM) {scores.ssim_global:.3f}",
        "Hsu, Lee & Wei (2021)",
        "not calibrated",
        SIMULATED,
    ):
        assert said in text
    assert "\n" not in text
    assert "Copied" in panel.reports.line.text()


def test_without_a_record_the_methods_text_says_what_is_unknown(panel, viewer):
    from napari_mito_predict._widgets.compare.text import methods_text

    text = methods_text(PredictionRecord(), "TMRM", panel.stack)
    assert "model unknown" in text
    assert "None" not in text


def test_the_methods_text_says_that_orientations_were_averaged(panel):
    from napari_mito_predict._widgets.compare.text import methods_text

    def of(orientations):
        return methods_text(PredictionRecord(parameters={"orientations": orientations}), "TMRM", panel.stack)

    assert "mean of the predictions of 8 orientations of each image" in of(8)
    assert "test-time augmentation" in of(8)
    assert "orientations" not in of(1)


def test_the_methods_text_says_that_a_series_was_smoothed(panel):
    from napari_mito_predict._widgets.compare.text import methods_text

    def of(smooth_time):
        return methods_text(PredictionRecord(parameters={"smooth_time": smooth_time}), "TMRM", panel.stack)

    assert "smoothed along time, over 3 time points" in of(3)
    assert "smoothed" not in of(1)


def test_the_numbers_say_what_they_cover(panel):
    assert panel.coverage.isHidden()
    panel.what.click()
    assert not panel.coverage.isHidden()
    text = panel.coverage.text()
    assert text.startswith("This plane: 672 pixels; stack: 3,360 voxels, all that is finite in both images.")
    assert "clipped to its 0.1–99.9 percentiles" in text
    assert "not calibrated" in panel.caption.text()


def test_writing_can_be_cancelled_and_leaves_nothing(panel, qtbot, tmp_path, monkeypatch):
    from napari_mito_predict.evaluation import results as made_by

    begun, may_go_on = threading.Event(), threading.Event()
    examine = made_by.examine

    def slow(*args, **kwargs):
        begun.set()
        may_go_on.wait(60)
        return examine(*args, **kwargs)

    monkeypatch.setattr(made_by, "examine", slow)
    (tmp_path / "a.html").write_text("an older one", encoding="utf-8")
    save_as(monkeypatch, tmp_path / "a.html")
    button = panel.reports.report
    button.click()
    qtbot.waitUntil(begun.is_set, timeout=60_000)
    assert button.text() == "Cancel"
    assert button.isEnabled()
    button.click()
    assert not button.isEnabled()
    assert "Cancelling" in panel.reports.line.text()
    may_go_on.set()
    qtbot.waitUntil(lambda: panel.reports.job.state is JobState.IDLE, timeout=60_000)
    assert button.text() == "Report…"
    assert button.isEnabled()
    assert panel.reports.line.text() == "Cancelled: a.html was not written."
    assert panel.reports.failure.isHidden()
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == "an older one"
    button.click()
    qtbot.waitUntil(lambda: panel.reports.job.state is JobState.DONE, timeout=120_000)
    assert "<html" in (tmp_path / "a.html").read_text(encoding="utf-8")
