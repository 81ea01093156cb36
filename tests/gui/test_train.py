"""The fine-tune dock from fields to a model in the list, with the real trainer in a process of its own."""

from __future__ import annotations

import shlex
import subprocess
import sys

import numpy as np
from qtpy.QtWidgets import QApplication

from napari_mito_predict._widgets.common import image_layers
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.train.watch import Phase
from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.training import Run
from napari_mito_predict.training.config import TrainingConfig
from napari_mito_predict.training.runs import known_runs, runs_folder

PATIENCE = 60_000


def wait_for(qtbot, dock, *phases):
    qtbot.waitUntil(lambda: dock.watch.phase in phases, timeout=PATIENCE)


def log_of(dock):
    return (dock.watch.run.path / "log.txt").read_text(encoding="utf-8")


def test_from_fields_to_a_model_in_the_list(checked, dock, qtbot):
    assert checked.data.split.text() == "3 train · 1 validate · 1 test · seed 0"
    assert checked.start.model.currentText() == "mito-z (simulated)"
    qtbot.waitUntil(lambda: checked.start.cost.text().startswith("about"), timeout=PATIENCE)
    checked.training.start.click()
    assert checked.watch.phase.at_work
    wait_for(qtbot, checked, Phase.DONE, Phase.FAILED)
    assert checked.watch.phase is Phase.DONE, log_of(checked)
    assert checked.training.curve.scores[0] == list(range(11))
    assert checked.training.scores.text().startswith("PCC ")
    assert "start model" in checked.training.scores.text()
    assert "blurred input" in checked.training.scores.text()
    assert checked.start.model.findData("my-cells") >= 0, "it is offered as a start model"
    assert "my-cells" in dock.models._boxes, "and for predicting"
    assert "my-cells" not in dock.models.checked


def test_pause_and_resume(checked, qtbot):
    checked.start.options.iterations.value = 200
    checked.training.start.click()
    wait_for(qtbot, checked, Phase.RUNNING, Phase.FAILED)
    checked.training.pause.click()
    assert checked.watch.phase is Phase.STOPPING
    assert not checked.training.pause.isEnabled()
    wait_for(qtbot, checked, Phase.STOPPED, Phase.FAILED)
    assert "resume" in checked.training.pause.text().lower().replace("&", "")
    paused_at = checked.watch.run.status.iteration
    assert paused_at < 200
    checked.training.pause.click()
    wait_for(qtbot, checked, Phase.DONE, Phase.FAILED)
    assert checked.watch.phase is Phase.DONE, log_of(checked)
    assert checked.watch.run.status.iteration == 200


def test_a_stop_that_cannot_be_written_is_said(checked, qtbot, monkeypatch):
    checked.start.options.iterations.value = 100_000
    checked.training.start.click()
    wait_for(qtbot, checked, Phase.RUNNING, Phase.FAILED)

    def refuse(self, *, keep=False):
        raise UnwritableOutputError("the drive is full")

    with monkeypatch.context() as patched:
        patched.setattr(Run, "request_stop", refuse)
        checked.training.pause.click()
    assert not checked.training.failure.isHidden()
    assert "the drive is full" in checked.training.failure.what.text()
    assert checked.watch.phase is Phase.RUNNING
    checked.training.pause.click()
    assert checked.watch.phase is Phase.STOPPING
    wait_for(qtbot, checked, Phase.STOPPED)


def test_stop_and_keep_leaves_a_model_in_the_list(checked, qtbot):
    checked.start.options.iterations.value = 100_000
    checked.training.start.click()
    wait_for(qtbot, checked, Phase.RUNNING, Phase.FAILED)
    checked.training.keep.click()
    wait_for(qtbot, checked, Phase.DONE, Phase.FAILED)
    assert checked.watch.phase is Phase.DONE, log_of(checked)
    assert checked.start.model.findData("my-cells") >= 0


def test_the_training_outlives_the_dock_and_is_found_again(checked, make_train_dock, viewer, qtbot):
    checked.start.options.iterations.value = 100_000
    checked.training.start.click()
    wait_for(qtbot, checked, Phase.RUNNING, Phase.FAILED)
    run = checked.watch.run
    viewer.window.remove_dock_widget(checked.parentWidget())
    checked.deleteLater()
    QApplication.processEvents()
    assert run.status.alive
    again = make_train_dock()
    assert again.watch.run.path == run.path
    assert again.watch.phase is Phase.RUNNING
    assert not again.training.start.isVisibleTo(again)
    again.training.pause.click()
    wait_for(qtbot, again, Phase.STOPPED)


def test_a_failed_run_says_what_happened(checked, folder, qtbot):
    (folder / "field3.ome.tif").unlink()
    checked.training.start.click()
    wait_for(qtbot, checked, Phase.FAILED, Phase.DONE)
    failure = checked.training.failure
    assert not failure.isHidden()
    assert "field3" in failure.what.text()
    failure.copy_button.click()
    copied = QApplication.clipboard().text()
    assert "field3" in copied
    assert str(checked.watch.run.path) in copied
    checked.attach(None)
    assert failure.isHidden()
    assert checked.training.start.isEnabled()


def test_use_this_model_now(checked, dock, czi, qtbot, viewer):
    dock.image.open_file(czi)
    qtbot.waitUntil(lambda: dock.image.input is not None, timeout=PATIENCE)
    checked.training.start.click()
    wait_for(qtbot, checked, Phase.DONE, Phase.FAILED)
    checked.training.use.click()
    qtbot.waitUntil(lambda: dock.job.state is JobState.DONE, timeout=PATIENCE)
    assert dock.models.checked == (str(checked.watch.run.model_folder),)
    assert checked.watch.run.model.card.unbeaten, "ten iterations are too few to be better than a blur"
    # Noise is no cell, which is worse.
    assert dock.models.summary.endswith(("with care", "do not believe"))
    made = [layer for layer in viewer.layers if image_layers.is_prediction(layer)]
    assert [layer.data.shape for layer in made] == [viewer.layers[0].data.shape]
    assert np.isfinite(made[0].data).all()
    assert dock.image.transmitted.layer == viewer.layers[0], "previews are not mistaken for images"


def test_copy_as_command_reproduces_the_run(checked, folder):
    checked.data.table.item(0, 0).setCheckState(checked.data.table.item(0, 0).checkState().Unchecked)
    checked.training.copy.click()
    command = shlex.split(QApplication.clipboard().text())
    assert command[:2] == ["mito-predict", "train"]
    asked, loaded = checked.request(), TrainingConfig.load(command[2])
    assert loaded == asked
    assert loaded.data.exclude == ("field0",)
    assert not loaded.output.exists()
    checked.training.copy.click()
    assert shlex.split(QApplication.clipboard().text()) == command, "the same request, the same file"


def test_a_name_that_is_taken_gets_a_folder_of_its_own(checked, qtbot):
    (runs_folder() / "my-cells").mkdir(parents=True)
    assert checked.request().output == runs_folder() / "my-cells-2"
    checked.training.name.setText("my/cells")
    assert not checked.training.start.isEnabled()
    assert "model name" in checked.training.name_note.text


def test_opening_the_module_imports_no_torch():
    code = "import sys, napari_mito_predict._widgets.train.widget; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_opening_starts_nothing(train_dock):
    assert train_dock.watch.phase is Phase.NONE
    assert not train_dock.training.start.isEnabled()
    assert known_runs() == []
    assert train_dock.training.summary == "choose fields first"


def test_a_trainer_that_refuses_to_begin_says_why(checked, qtbot):
    """It leaves the run folder as it is: its reason is found in the log, and shown."""
    checked.start.options.iterations.value = 100_000
    checked.training.start.click()
    wait_for(qtbot, checked, Phase.RUNNING, Phase.FAILED)
    checked.training.pause.click()
    wait_for(qtbot, checked, Phase.STOPPED, Phase.FAILED)
    run = checked.watch.run
    for checkpoint in (run.path / "checkpoints").glob("*.pt"):
        checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    status = (run.path / "status.json").read_bytes()
    checked.training.pause.click()  # Resume
    failure = checked.training.failure
    qtbot.waitUntil(lambda: not failure.isHidden(), timeout=PATIENCE)
    assert "none of the" in failure.what.text()
    assert "start_from" in failure.what.text()
    assert checked.watch.phase is Phase.STOPPED
    assert checked.training.pause.isEnabled()
    assert (run.path / "status.json").read_bytes() == status
