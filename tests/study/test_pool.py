"""Processes that train: one failing task is reported in a line, and does not keep the others from being tried."""

from __future__ import annotations

import os

from napari_mito_predict.study.pool import Pool
from napari_mito_predict.study.tasks import TrainingTask
from napari_mito_predict.study.worker import ask_to_pause
from napari_mito_predict.training import Run


def _impossible(folder, name: str) -> TrainingTask:
    missing = str(folder / f"{name}.czi")
    request = {
        "targets": {"mitochondria": "mitochondria"},
        "data": {"files": [missing]},
        "output": str(folder / name),
        "name": name,
    }
    return TrainingTask(name, str(folder / name), request, {"H": [missing]}, {"H": [missing]})


def test_tasks_survive_the_way_to_the_process(tmp_path):
    task = _impossible(tmp_path, "a")
    assert TrainingTask.from_json(task.to_json()) == task


def test_failures_are_lines(tmp_path):
    with Pool(tmp_path / "logs", processes=1, threads=1) as pool:
        ended = [found for found in pool.do([_impossible(tmp_path, "a"), _impossible(tmp_path, "b")]) if found]
    assert [task.name for task, _ in ended] == ["a", "b"]
    for task, outcome in ended:
        assert outcome.state == "failed"
        assert f"{task.name}.czi" in outcome.reason
        assert "\n" not in outcome.reason


def test_a_pause_that_cannot_be_written_is_asked_for_again(tmp_path, monkeypatch):
    """The thread that asks must live on: nobody else pauses what is under way."""

    def refuse(source, target):
        raise OSError("no space left")

    run = Run(tmp_path)
    ask_to_pause(run)
    assert not list(tmp_path.iterdir()), "the run has not begun yet"
    (tmp_path / "config.yaml").touch()
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        ask_to_pause(run)
    assert run.stop_requested == ""
    ask_to_pause(run)
    assert run.stop_requested == "pause"
