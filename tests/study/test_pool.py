"""Processes that train: one failing task is reported in a line, and does not keep the others from being tried."""

from __future__ import annotations

from napari_mito_predict.study.pool import Pool
from napari_mito_predict.study.tasks import TrainingTask


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
