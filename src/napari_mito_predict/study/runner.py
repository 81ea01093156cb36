"""Doing what a plan says: simulate, train several runs at a time, score; whatever is finished is not repeated."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import StudyError
from napari_mito_predict.study.pool import Pool
from napari_mito_predict.study.tasks import TrainingTask, training_task
from napari_mito_predict.training.runs import threads_each

if TYPE_CHECKING:
    from napari_mito_predict.study.plan import Plan
    from napari_mito_predict.training.run import Run

OnProgress = Callable[[int, int, str], None]
Say = Callable[[str], None]

_POLL_S = 0.2


def run_plan(plan: Plan, processes: int, say: Say, on_progress: OnProgress) -> list[str]:
    """Carry out a plan, or what is left of it.

    Parameters
    ----------
    plan : Plan
    processes : int
        Trainings (and simulations) at a time; the processor's cores are shared among them.
    say : callable
        Told one line for each thing that is done.
    on_progress : callable
        ``(done, total, message)``.

    Returns
    -------
    list of str
        What failed, one line for each run; everything else is finished.

    Raises
    ------
    StudyError
        The folder holds another study.
    """
    claim(plan)
    _simulate(plan, processes, say, on_progress)
    tasks = [training_task(plan, spec, threads_each(processes)) for spec in plan.runs]
    left = [task for task in tasks if not task.finished]
    if len(left) < len(tasks):
        say(f"{len(tasks) - len(left)} of {len(tasks)} trainings are finished already.")
    if not left:
        return []
    return _train(plan, left, processes, say, on_progress, len(tasks))


def claim(plan: Plan) -> None:
    """Write down what this folder is for; see that it was not for something else.

    Raises
    ------
    StudyError
        It holds a study of another scale or of other data.
    """
    path = plan.folder / "study.json"
    data = "simulated"
    if plan.own:
        data = str(plan.own.resolve())
    about = {
        "scale": plan.scale.name,
        # As they come back from the file: lists for tuples.
        "settings": json.loads(json.dumps(dataclasses.asdict(plan.scale))),
        "data": data,
    }
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StudyError(f"not readable ({error}). Choose another folder with -o.", file=path) from error
        different = [f"{key}: {before.get(key)}" for key in ("scale", "data") if before.get(key) != about[key]]
        if not different and before != about:
            different = ["the settings of this scale have changed since"]
        if different:
            raise StudyError(f"holds another study ({'; '.join(different)}). Choose another with -o.", file=plan.folder)
        return
    plan.folder.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, json.dumps(about, indent=1))


def _simulate(plan: Plan, processes: int, say: Say, on_progress: OnProgress) -> None:
    if not plan.jobs:
        return
    from napari_mito_predict.simulation import simulate_files

    missing = sum(not job.path.exists() for job in plan.jobs)
    if missing:
        say(f"Simulating {missing} files of {', '.join(plan.datasets)}.")
    for done, path in enumerate(simulate_files(plan.jobs, processes), 1):
        on_progress(done, len(plan.jobs), f"simulating {path.stem}")


def _train(
    plan: Plan, tasks: Sequence[TrainingTask], processes: int, say: Say, on_progress: OnProgress, total: int
) -> list[str]:
    """Do all trainings; gives a line for each that failed. An exception on the way pauses those under way."""
    done = total - len(tasks)
    failures = []
    for task in tasks:
        _wait_for_earlier(task, say)
    with Pool(plan.folder / "logs", processes, threads_each(processes)) as pool:
        for ended in pool.do(tasks):
            on_progress(done, total, ", ".join(map(_progress_of, pool.under_way)))
            if ended is None:
                continue
            done += 1
            task, outcome = ended
            name = task.run.path.name
            if outcome.state == "done":
                say(f"{done}/{total} {name}: {_result(task.run)}")
            else:
                say(f"{name}: {outcome.reason}")
                failures.append(f"{name}: {outcome.reason}")
    return failures


def _result(run: Run) -> str:
    seconds = 0.0
    if run.metrics:
        seconds = run.metrics[-1]["seconds"]
    best = run.status.scores.get("best", math.nan)
    return f"validation PCC {best:.3f}, {seconds / 60:.1f} min."


def _wait_for_earlier(task: TrainingTask, say: Say) -> None:
    """Wait for a training whose leader was killed: it pauses by itself a moment later."""
    if task.run.exists and task.run.status.alive:
        say(f"{task.name}: process {task.run.status.pid} is still at it; waiting.")
        while task.run.status.alive:
            time.sleep(_POLL_S)


def _progress_of(task: TrainingTask) -> str:
    status = task.run.status
    return f"{task.name} {status.iteration}/{status.iterations or '?'}"
