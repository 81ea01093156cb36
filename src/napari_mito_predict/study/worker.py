"""Trainings of a study in a process of their own: ``python -m napari_mito_predict.study.worker``.

Tasks come as lines on standard input, which stays open: when it ends, whoever leads the study is gone, and the training
under way pauses cleanly, to be gone on with by the next command.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import MitoPredictError, StudyError, UnwritableOutputError
from napari_mito_predict.study.scoring import read_scores, score_fields, scores_file, write_scores
from napari_mito_predict.study.tasks import Outcome, TrainingTask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_mito_predict.training import TrainingConfig
    from napari_mito_predict.training.fields import Field
    from napari_mito_predict.training.run import Run

_VALIDATION_SHARE = 0.1
_FEWEST_TO_SPLIT = 3
"""Files of a data set. Of fewer none is held back to validate on."""
_POLL_S = 0.5


def work(task: TrainingTask) -> bool:
    """Train a run, or go on with it, then score it; False if it was told to stop before.

    Raises
    ------
    StudyError
        The run was begun with other settings, or has no scores for a data set.
    TrainingError
        It cannot be trained.
    """
    from napari_mito_predict.training import train

    run = task.run
    config = complete_config(task)
    if run.status.state != "done":
        if run.exists:
            _refuse_other_settings(run, config)
            train(run)
        else:
            train(config)
    if run.status.state != "done":
        return False
    for letter in task.unscored:
        names = {field.name for field in _fields(task, task.test[letter])}
        if letter in task.training:
            scores = [score for score in read_scores(run.path / "test.csv") if score.field in names]
        else:
            scores = score_fields(run.model, _fields(task, task.test[letter]))
        if not scores:
            raise StudyError(f"no test field of {letter} could be read; log.txt there says why.", file=run.path)
        write_scores(scores_file(run.path, letter), scores)
    return True


def complete_config(task: TrainingTask) -> TrainingConfig:
    """The configuration of a run, with its fields to test and to validate on by name.

    The first tenth of the training files of each data set validates, so that runs on more or fewer files choose their
    best model on (nearly) the same fields; with fewer than three, strips of them do.
    """
    from napari_mito_predict.training import TrainingConfig

    own_test = list(chain.from_iterable(task.test[letter] for letter in task.training))
    validating = list(chain.from_iterable(_validating(paths) for paths in task.training.values()))
    split: dict[str, object] = {"test": _names(task, own_test), "validation": _VALIDATION_SHARE}
    if validating:
        split["validation"] = _names(task, validating)
    return TrainingConfig.parse(task.request | {"split": split}, source=task.name)


def _validating(paths: Sequence[str]) -> Sequence[str]:
    if len(paths) < _FEWEST_TO_SPLIT:
        return ()
    return paths[: max(1, round(_VALIDATION_SHARE * len(paths)))]


def _names(task: TrainingTask, paths: Sequence[str]) -> list[str]:
    return [field.name for field in _fields(task, paths)]


def _fields(task: TrainingTask, paths: Sequence[str]) -> list[Field]:
    """The fields of some files, under the names they have in this run: a file may hold several."""
    from napari_mito_predict.training.config_parts import Data
    from napari_mito_predict.training.fields import find_fields

    known = list(task.request["data"]["files"])
    files = known + [path for path in paths if path not in known]
    wanted = {Path(path) for path in paths}
    found = find_fields(Data(files=tuple(files)), task.request["targets"])
    return [field for field in found if field.input.path in wanted]


def _refuse_other_settings(run: Run, config: TrainingConfig) -> None:
    changed = config.differences(run.config.model_dump(mode="json"))
    if changed:
        raise StudyError(
            f"this run was begun with other settings ({'; '.join(changed)}). Delete its folder, or choose "
            "another folder for the study.",
            file=run.path,
        )


class _Leader:
    """The process that leads the study, as seen from here: tasks come in, outcomes go out.

    Standard input is read below Python's own buffers, by a thread that would otherwise hold their lock at the end.
    """

    def __init__(self) -> None:
        self._tasks: queue.Queue[TrainingTask | None] = queue.Queue()
        self._current: Run | None = None
        # Whatever else prints must not get between the outcomes.
        self._outcomes = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        threading.Thread(target=self._listen, daemon=True).start()

    def tasks(self) -> Iterator[TrainingTask]:
        """Tasks as they come, until the leader wants no more or is gone."""
        while (task := self._tasks.get()) is not None:
            self._current = task.run
            yield task
            self._current = None

    def tell(self, outcome: Outcome) -> None:
        """Say how a task ended."""
        with suppress(BrokenPipeError):
            self._outcomes.write(outcome.to_json())
            self._outcomes.flush()

    def _listen(self) -> None:
        line = bytearray()
        while byte := os.read(0, 1):
            line += byte
            if byte == b"\n":
                self._tasks.put(TrainingTask.from_json(line.decode("utf-8")))
                line.clear()
        self._tasks.put(None)
        while True:  # again and again, because a run that just starts forgets what was asked of it before
            if self._current is not None:
                ask_to_pause(self._current)
            time.sleep(_POLL_S)


def ask_to_pause(run: Run) -> None:
    """Ask whoever trains a run to stop after this iteration; where that cannot be written, nothing happens."""
    if run.exists:
        with suppress(UnwritableOutputError):
            run.request_stop()


def _outcome_of(task: TrainingTask) -> Outcome:
    """Do a task; whatever goes wrong is its outcome, so that the next task gets its turn."""
    try:
        if not work(task):
            return Outcome("stopped", "stopped before its end")
    except MitoPredictError as error:
        return Outcome("failed", " ".join(str(error).split()))
    except Exception as error:
        logging.getLogger(__name__).exception("A task failed.")
        return Outcome("failed", f"{type(error).__name__}: {error}")
    return Outcome("done")


def main() -> None:
    """Do the tasks on standard input, and say on standard output how each ended."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    leader = _Leader()
    for task in leader.tasks():
        leader.tell(_outcome_of(task))


if __name__ == "__main__":
    main()
