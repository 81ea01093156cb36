"""A prediction as truth: asked for by name in the dock, said beside the numbers and in what is taken out of napari."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict._widgets.common.facts import PredictionFacts, metadata_of
from napari_mito_predict._widgets.compare.report import case_of
from napari_mito_predict.image import write_ome_tiff

PATIENCE = 60_000


@pytest.fixture
def two(viewer, compare_dock):
    """Predictions of one field by two models, and nothing that was recorded."""
    rng = np.random.default_rng(0)
    values = rng.random((6, 64, 72), np.float32)
    layers = []
    for model, noise in (("mito-a", 0.0), ("mito-b", 0.3)):
        facts = PredictionFacts(target="mitochondria", model=model, input_layer="BF")
        data = values + noise * rng.random(values.shape, np.float32)
        layers.append(viewer.add_image(data, name=f"TMRM predicted ({model})", metadata=metadata_of(facts)))
    return layers


def offered(combo):
    return [combo.itemData(i) for i in range(1, combo.count())]


def test_it_is_offered_only_after_the_question(viewer, compare_dock, two, qtbot):
    panel = compare_dock.panel
    panel.prediction.choose(two[0])
    assert offered(panel.truth) == []
    question = panel.pair.predicted_truth
    assert question.isVisibleTo(compare_dock)
    question.setChecked(True)
    assert offered(panel.truth) == [two[1]]
    panel.truth.choose(two[1])
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=PATIENCE)
    assert "mito-b" in panel.disclaimer.text()
    assert "prediction itself" in panel.disclaimer.text()
    question.setChecked(False)
    assert panel.truth.layer is None
    qtbot.waitUntil(lambda: "prediction itself" not in panel.disclaimer.text(), timeout=PATIENCE)


def test_nobody_is_asked_where_there_is_a_recording(viewer, compare_dock, two, qtbot):
    viewer.add_image(np.random.default_rng(1).random((6, 64, 72), np.float32), name="TMRM")
    panel = compare_dock.panel
    qtbot.waitUntil(lambda: panel.truth.layer is not None, timeout=PATIENCE)
    assert not panel.pair.predicted_truth.isVisibleTo(compare_dock)


def test_report_and_methods_say_it(viewer, compare_dock, two, qtbot):
    panel = compare_dock.panel
    panel.prediction.choose(two[0])
    panel.pair.predicted_truth.setChecked(True)
    panel.truth.choose(two[1])
    qtbot.waitUntil(lambda: panel.stack is not None, timeout=PATIENCE)
    case = case_of(*panel.pair.images)
    assert case.channel.prediction.by == "mito-b"
    copied = []
    panel.reports.copy = copied.append
    panel._copy_methods()
    assert "another prediction by mito-b" in copied[0]
    assert "recorded fluorescence" not in copied[0]


@pytest.fixture
def predicted_truths(train_dock, tmp_path, qtbot):
    """The dock with two folders chosen: recordings of light, and predictions in place of fluorescence."""
    train_dock.start.model.setCurrentIndex(train_dock.start.model.findText("from scratch"))
    rng = np.random.default_rng(0)
    known = {"axes": "ZYX", "voxel_size_um": (0.29, 0.11, 0.11)}
    for folder in ("light", "truth"):
        (tmp_path / folder).mkdir()
    for i in range(3):
        light = rng.normal(1000, 100, (8, 36, 44)).astype(np.float32)
        write_ome_tiff(tmp_path / "light" / f"{i}.ome.tif", light, channel_names=["BF"], **known)
        path = tmp_path / "truth" / f"{i}.ome.tif"
        write_ome_tiff(path, -light, channel_names=["TMRM predicted (mito-b)"], predicted_by=["mito-b"], **known)
    source = train_dock.data.source
    source.kind.setCurrentIndex(source.kind.findData("folders"))
    source.set_folders(tmp_path / "light", tmp_path / "truth")
    qtbot.waitUntil(lambda: train_dock._checked is not None, timeout=PATIENCE)
    return train_dock


def test_training_on_predictions_is_asked_for(predicted_truths, qtbot):
    dock = predicted_truths
    assert not dock.training.start.isEnabled()
    question = dock.data.learn_from_predictions
    assert question.isVisibleTo(dock)
    question.setChecked(True)
    qtbot.waitUntil(dock.training.start.isEnabled, timeout=PATIENCE)
    assert dock.request().data.allow_prediction_as_truth
    assert question.isVisibleTo(dock)
    question.setChecked(False)
    qtbot.waitUntil(lambda: not dock.training.start.isEnabled(), timeout=PATIENCE)


def test_nobody_is_asked_about_recordings(checked):
    assert not checked.data.learn_from_predictions.isVisibleTo(checked)
    assert not checked.request().data.allow_prediction_as_truth
