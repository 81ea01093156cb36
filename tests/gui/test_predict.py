"""The dock from opening a file to comparing, with the real engine; and everything that can happen in between."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QThread
from qtpy.QtWidgets import QApplication

from napari_mito_predict import errors
from napari_mito_predict._widgets.common import image_layers
from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.predict import planning, work
from napari_mito_predict.image import open_image


def finish(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.job.state.busy, timeout=60_000)


def predictions(viewer):
    return [layer for layer in viewer.layers if image_layers.is_prediction(layer)]


@pytest.fixture
def held(monkeypatch):
    """Let the engine wait before its first block, until the test lets it go on; cancelling still works."""
    from napari_mito_predict.prediction import Execution

    go, run = threading.Event(), Execution.blocks

    def slow(self):
        while not go.wait(0.01):
            if self.context.cancel():
                raise errors.PredictionCancelled("Cancelled; nothing was written.")
        yield from run(self)

    monkeypatch.setattr(Execution, "blocks", slow)
    yield go
    go.set()


def start(qtbot, dock):
    dock.predict.predict.click()
    qtbot.waitUntil(lambda: dock.job.state is JobState.RUNNING, timeout=60_000)


def test_from_a_file_to_compared_predictions(ready, viewer, qtbot):
    light, tmrm, _sybr = viewer.layers
    assert [layer.name for layer in viewer.layers] == ["zellen ä T-PMT", "TMRM", "SYBR Gold"]
    assert ready.image.sizes.text() == "16 planes · 0.29 µm · 72 × 64 at 0.11 µm"
    assert ready.image.summary == "zellen ä.czi · T-PMT"
    ready.predict.predict.click()
    finish(qtbot, ready)
    assert ready.job.state is JobState.DONE

    made = predictions(viewer)
    assert [layer.name for layer in made] == ["TMRM predicted (mito-z)", "SYBR Gold predicted (dna-z)"]
    assert [layer.colormap.name for layer in made] == ["magenta", "cyan"]
    for layer in made:
        assert layer.data.shape == light.data.shape
        assert layer.data.dtype == np.float32
        np.testing.assert_allclose(layer.scale, (0.29, 0.11, 0.11))
        np.testing.assert_allclose(layer.translate, light.translate)
        assert layer.units == light.units
        assert layer.axis_labels == ("z", "y", "x")
        assert layer.blending == "additive"
        assert tuple(layer.contrast_limits) == (-0.5, 5.0)
        assert layer.contrast_limits_range[0] < -0.5
        assert layer.contrast_limits_range[1] > 5.0
        assert "not validated" in layer.metadata["disclaimer"]
        assert prediction_facts(layer).record.model.simulated is True
        assert not np.any(layer.data == np.float32(-0.5)), "every voxel was painted"
    assert [str(unit) for unit in viewer.layers.units] == ["micrometer"] * 3
    assert tmrm.colormap.name == "green"

    assert ready.compare.prediction.layer == made[0]
    assert ready.compare.truth.layer == tmrm
    qtbot.waitUntil(lambda: ready.compare.stack is not None, timeout=60_000)
    from napari_mito_predict.evaluation import pcc

    expected = pcc(made[0].data, tmrm.data)
    assert ready.compare.stack.pcc == pytest.approx(expected)
    assert ready.compare.numbers.stack[0].text() == f"{expected:.2f}"


def test_the_prediction_is_what_the_engine_gives_without_a_viewer(ready, viewer, qtbot, czi):
    from napari_mito_predict.prediction import predict

    ready.predict.predict.click()
    finish(qtbot, ready)
    alone = predict(czi, ["mito-z", "dna-z"])
    for layer, key in zip(predictions(viewer), ("mitochondria", "dna"), strict=True):
        np.testing.assert_allclose(layer.data, alone[key].data, atol=1e-5)


def test_the_mean_over_orientations_is_predicted_where_it_is_ticked(ready, viewer, qtbot, czi):
    from napari_mito_predict.prediction import predict

    asked = []
    ready.predict.options_changed.connect(lambda: asked.append((ready._request().tta, ready._request().uncertainty)))
    assert not ready.predict.uncertainty.isEnabled(), "of one prediction there is none"
    ready.predict.average.click()
    ready.predict.uncertainty.click()
    assert asked == [(True, False), (True, True)]
    ready.predict.predict.click()
    finish(qtbot, ready)
    alone = predict(czi, ["mito-z", "dna-z"], tta=True, uncertainty=True)
    keys = ("mitochondria", "mitochondria/uncertainty", "dna", "dna/uncertainty")
    for layer, key in zip(ready.run.layers, keys, strict=True):
        np.testing.assert_allclose(layer.data, alone[key].data, atol=1e-5)
        assert prediction_facts(layer).record.parameters.orientations == 8
    shown, deviation, *_ = ready.run.layers
    assert deviation.name == "TMRM uncertainty (mito-z)"
    assert deviation.colormap.name == "inferno"
    assert deviation.contrast_limits[0] == 0
    assert (shown.visible, deviation.visible) == (True, False)
    assert "is a prediction" in image_layers.not_an_input(deviation)
    assert deviation not in predictions(viewer), "it is not compared with the truth"
    ready.predict.average.click()
    assert not ready._request().uncertainty


@pytest.mark.parametrize(("value", "ticked"), [(True, True), (False, False)])
def test_whether_to_average_is_remembered_in_the_preferences(qtbot, monkeypatch, value, ticked):
    from napari import settings

    from napari_mito_predict._widgets.predict.predict_step import PredictStep

    kept = SimpleNamespace(computing=SimpleNamespace(device="auto", precision="auto", tta=value, models_folder=""))
    monkeypatch.setattr(settings, "get_plugin_settings", lambda name: kept, raising=False)
    step = PredictStep()
    qtbot.addWidget(step)
    assert step.average.isChecked() is ticked


def test_the_time_that_is_shown_counts_all_orientations(models_folder, czi):
    from napari_mito_predict._widgets.predict.model_cache import ModelCache
    from napari_mito_predict.prediction import plan_prediction

    cache, names = ModelCache(), ("mito-z",)
    once, averaged = (plan_prediction(czi, cache.get(names), tta=tta) for tta in (False, True))
    assert cache.seconds_per_voxel(names, averaged) == 8 * cache.seconds_per_voxel(names, once)


def test_remove_this_run_removes_its_layers_and_no_others(ready, viewer, qtbot):
    others = list(viewer.layers)
    ready.predict.predict.click()
    finish(qtbot, ready)
    mine = viewer.add_image(np.zeros((4, 4)), name="mine")
    viewer.layers.remove(predictions(viewer)[0])
    ready.predict.remove.click()
    assert list(viewer.layers) == [*others, mine]
    assert ready.predict.remove.isHidden()


def test_cancel_ends_idle_without_layers(ready, viewer, qtbot, held):
    before = list(viewer.layers)
    start(qtbot, ready)
    assert len(predictions(viewer)) == 2
    assert not ready.predict.predict.isEnabled()
    ready.predict.cancel.click()
    finish(qtbot, ready)
    assert ready.job.state is JobState.IDLE
    assert list(viewer.layers) == before
    assert ready.predict.predict.isEnabled()


def test_pressed_twice_predicts_once(ready, viewer, qtbot, held):
    start(qtbot, ready)
    ready.start()
    held.set()
    finish(qtbot, ready)
    assert len(predictions(viewer)) == 2


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: device-side assert"), errors.PredictionError("NaN at z 3")]
)
def test_an_engine_error_is_shown_and_the_button_comes_back(ready, viewer, qtbot, monkeypatch, error):
    from napari_mito_predict.prediction import Execution

    def broken(self):
        raise error
        yield

    monkeypatch.setattr(Execution, "blocks", broken)
    ready.predict.predict.click()
    finish(qtbot, ready)
    assert ready.job.state is JobState.FAILED
    assert str(error) in ready.predict.failure.what.text()
    assert not ready.predict.failure.isHidden()
    assert ready.predict.predict.isEnabled()
    assert predictions(viewer) == []
    ready.predict.failure.copy_button.click()
    assert "Traceback" in QApplication.clipboard().text()


def test_a_failed_run_can_be_tried_again(ready, viewer, qtbot, monkeypatch):
    from napari_mito_predict.prediction import Execution

    run, failed = Execution.blocks, []

    def once(self):
        if not failed:
            failed.append(True)
            raise RuntimeError("a hiccup")
        yield from run(self)

    monkeypatch.setattr(Execution, "blocks", once)
    for expected in (JobState.FAILED, JobState.DONE):
        ready.predict.predict.click()
        finish(qtbot, ready)
        assert ready.job.state is expected
    assert ready.predict.failure.isHidden()


def test_the_input_layer_may_go_while_it_runs(ready, viewer, qtbot, held):
    start(qtbot, ready)
    viewer.layers.remove("zellen ä T-PMT")
    held.set()
    finish(qtbot, ready)
    assert ready.job.state is JobState.DONE
    assert [str(unit) for unit in predictions(viewer)[0].units] == ["micrometer"] * 3


def test_an_output_layer_may_go_while_it_runs(ready, viewer, qtbot, held):
    start(qtbot, ready)
    viewer.layers.remove(predictions(viewer)[0])
    held.set()
    finish(qtbot, ready)
    assert ready.job.state is JobState.DONE
    assert len(predictions(viewer)) == 1


def test_the_viewer_may_close_while_it_runs(make_napari_viewer, czi, qtbot, held):
    from napari_mito_predict._widgets.contributions.predict_dock import MitoPredict

    viewer = make_napari_viewer()
    dock = MitoPredict(viewer)
    viewer.window.add_dock_widget(dock)
    dock.image.open_file(czi)
    qtbot.waitUntil(lambda: dock.image.input is not None, timeout=60_000)
    for box in dock.models._boxes.values():
        box.setChecked(box.accessibleName() == "mito-z")
    qtbot.waitUntil(lambda: dock.predict.predict.isEnabled(), timeout=60_000)
    start(qtbot, dock)
    worker = dock.job._worker
    viewer.close()
    qtbot.waitUntil(lambda: not worker.is_running, timeout=60_000)


def test_layers_are_only_touched_on_the_gui_thread(ready, viewer, qtbot, monkeypatch):
    from napari.layers import Image

    threads = set()
    refresh = Image.refresh

    def watched(self, *args, **kwargs):
        threads.add(QThread.currentThread())
        return refresh(self, *args, **kwargs)

    monkeypatch.setattr(Image, "refresh", watched)
    viewer.layers.events.inserted.connect(lambda event: threads.add(QThread.currentThread()))
    ready.predict.predict.click()
    finish(qtbot, ready)
    assert threads == {QApplication.instance().thread()}


def test_pixels_that_are_not_numbers_are_explained(dock, viewer, qtbot):
    light = np.random.default_rng(0).random((16, 64, 64), np.float32)
    light[3, 5, 5] = np.nan
    viewer.add_image(light, name="BF", scale=(0.29, 0.11, 0.11), units=("um",) * 3, axis_labels=("z", "y", "x"))
    for box in dock.models._boxes.values():
        box.setChecked(box.accessibleName() == "mito-z")
    qtbot.waitUntil(lambda: dock.predict.predict.isEnabled(), timeout=60_000)
    dock.predict.predict.click()
    finish(qtbot, dock)
    assert dock.job.state is JobState.FAILED
    assert "NaN" in dock.predict.failure.what.text()
    assert predictions(viewer) == []


def test_a_result_of_an_abandoned_plan_is_dropped(ready, qtbot, monkeypatch):
    release, plan = threading.Event(), planning.make_plan

    def slow(request, cache):
        if request.models == ("mito-z",):
            release.wait(10)
        return plan(request, cache)

    monkeypatch.setattr(planning, "make_plan", slow)
    boxes = ready.models._boxes
    boxes["dna-z"].setChecked(False)
    qtbot.waitUntil(lambda: ready.planning.state is JobState.PREPARING, timeout=30_000)
    seen = []
    ready.planning.yielded.connect(lambda planned: seen.append(list(planned.plan.outputs)))
    boxes["mito-z"].setChecked(False)
    boxes["dna-z"].setChecked(True)
    qtbot.waitUntil(lambda: bool(seen), timeout=60_000)
    release.set()
    qtbot.wait(100)
    assert all(keys == ["dna"] for keys in seen)


def test_the_plan_on_screen_is_the_plan_that_runs_each_time_as_it_was_made(ready, qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(work, "make_plan", None)
    finished = []
    ready.job.yielded.connect(lambda item: finished.append(item) if isinstance(item, work.Finished) else None)
    for folder in (None, tmp_path):  # where to save makes no other plan
        ready.predict.set_output_folder(folder)
        ready.predict.predict.click()
        finish(qtbot, ready)
        assert ready.job.state is JobState.DONE
    first, second = (item.plan for item in finished)
    assert first is not second
    assert first.findings == second.findings
    assert first.outputs == second.outputs


def test_results_are_saved_too_where_a_folder_is_chosen(ready, qtbot, tmp_path):
    ready.predict.set_output_folder(tmp_path)
    ready.predict.predict.click()
    finish(qtbot, ready)
    assert ready.job.state is JobState.DONE
    assert {path.name for path in tmp_path.glob("*.ome.tif")} == {
        "zellen ä_mitochondria.ome.tif",
        "zellen ä_dna.ome.tif",
    }


def test_both_targets_go_into_one_file_where_that_is_chosen(ready, qtbot, tmp_path):
    ready.predict.set_output_folder(tmp_path)
    ready.predict.one_file.setChecked(True)
    ready.predict.predict.click()
    finish(qtbot, ready)
    assert ready.job.state is JobState.DONE
    assert [path.name for path in tmp_path.glob("*.ome.tif")] == ["zellen ä_predicted.ome.tif"]
    assert len(open_image(tmp_path / "zellen ä_predicted.ome.tif").channels) == 2


def test_fine_tune_opens_the_other_dock_once_with_the_file_that_is_open(ready, places, viewer, czi):
    for _ in range(2):
        ready.models.fine_tune.click()
    docks = [widget for widget in QApplication.allWidgets() if getattr(widget, "dock_name", "") == "Fine-tune"]
    (dock,) = (dock for dock in docks if dock.viewer == viewer)
    assert dock.data.source.data["files"] == [str(czi)]
