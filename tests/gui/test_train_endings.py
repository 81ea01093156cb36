"""Names of runs as people give them, run folders that vanish while they are watched, trainings that diverge."""

from __future__ import annotations

import shutil

import pytest

from napari_mito_predict._widgets.train.watch import Phase
from napari_mito_predict.models import read_card

PATIENCE = 90_000


@pytest.mark.parametrize("name", ["my model", "線維芽細胞 1", "Zellen vom Dienstag (größer)", "हिन्दी", "ไมโทคอนเดรีย"])
def test_names_in_any_script_are_names_of_folders_and_models(checked, qtbot, name):
    checked.training.name.setText(name)
    assert checked.training.start.isEnabled(), checked.training.name_note.text
    config = checked.request()
    assert config.name == name
    assert config.output.name == name


def test_a_model_of_such_a_name_is_in_the_list(checked, dock, qtbot):
    checked.training.name.setText("線維芽 細胞")
    checked.training.start.click()
    qtbot.waitUntil(lambda: checked.watch.phase in (Phase.DONE, Phase.FAILED), timeout=PATIENCE)
    assert checked.watch.phase is Phase.DONE
    assert read_card(checked.watch.run.model_folder).name == "線維芽 細胞"
    assert "線維芽 細胞" in dock.models._boxes


@pytest.mark.parametrize("name", ["", "x" * 300, "a/b", "..", "con", "-m", "ends with a dot.", "what?", "a\u202eb"])
def test_a_name_that_cannot_be_is_said_in_a_sentence_below_it(checked, name):
    checked.training.name.setText(name)
    assert not checked.training.start.isEnabled()
    assert checked.training.name_note.isVisibleTo(checked)
    assert checked.training.name_note.text.endswith(".")
    checked.training.name.setText("fine")
    assert checked.training.start.isEnabled()
    assert not checked.training.name_note.isVisibleTo(checked)


@pytest.mark.parametrize("replaced_by", ["nothing", "a file"])
def test_a_run_folder_that_vanishes_is_said_at_the_next_look(train_dock, write_run, tmp_path, replaced_by):
    run = write_run("cells", "running", "Training.")
    train_dock.attach(run)
    assert train_dock.watch.phase is Phase.RUNNING
    moved = tmp_path / "elsewhere"
    shutil.move(run.path, moved)
    if replaced_by == "a file":
        run.path.write_text("")
    train_dock.watch.look()
    assert train_dock.watch.phase is Phase.GONE
    step = train_dock.training
    assert str(run.path) in step.failure.what.text()
    assert not step.outside.isVisibleTo(train_dock)
    assert not step.bar.isVisibleTo(train_dock)
    run.path.unlink(missing_ok=True)
    shutil.move(moved, run.path)
    train_dock.watch.look()
    assert train_dock.watch.phase is Phase.RUNNING
    assert step.failure.isHidden()


def test_another_run_can_be_prepared_after_that(train_dock, write_run):
    run = write_run("cells", "running", "Training.")
    train_dock.attach(run)
    shutil.rmtree(run.path)
    train_dock.watch.look()
    train_dock.attach(None)
    assert train_dock.watch.phase is Phase.NONE
    assert train_dock.training.start.isVisibleTo(train_dock)


def test_a_drive_that_does_not_answer_is_said_too(train_dock, write_run, monkeypatch):
    run = write_run("cells", "running", "Training.")
    train_dock.attach(run)

    def stale(self, **_):
        raise OSError(116, "Stale file handle")

    with monkeypatch.context() as without_drive:
        without_drive.setattr(type(run.path), "stat", stale)
        train_dock.watch.look()
    assert train_dock.watch.phase is Phase.GONE
    train_dock.watch.look()
    assert train_dock.watch.phase is Phase.RUNNING


def test_a_training_that_diverges_is_not_done(checked, dock, qtbot):
    checked.extra |= {"learning_rate": 1e4, "validate_every": 2, "precision": "32", "warmup": 0}
    checked._settings_changed()
    qtbot.waitUntil(checked.training.start.isEnabled, timeout=PATIENCE)
    checked.training.start.click()
    qtbot.waitUntil(lambda: checked.watch.phase in (Phase.DONE, Phase.FAILED), timeout=PATIENCE)
    assert checked.watch.phase is Phase.FAILED
    assert "learning rate" in checked.training.failure.what.text()
    assert "my-cells" not in dock.models._boxes
