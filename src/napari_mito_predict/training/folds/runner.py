"""Training the folds of a cross-validation, several at a time; whatever is finished is not repeated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from napari_mito_predict.errors import MitoPredictError, UnwritableOutputError
from napari_mito_predict.training.runs import has_ended, launch, threads_each

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.folds.plan import CrossValidation, Fold
    from napari_mito_predict.training.run import Run

OnProgress = Callable[[int, int, str], None]
OnEnd = Callable[["Fold", str], None]

_POLL_S = 0.2


def run_folds(planned: CrossValidation, processes: int, on_progress: OnProgress, on_end: OnEnd) -> None:
    """Train the folds that are not finished, each in a process of its own; interrupted ones go on.

    A fold that is being trained already, by the processes of a command that was killed, is waited for. An exception on
    the way, Ctrl-C among them, pauses what is under way.

    Parameters
    ----------
    planned : CrossValidation
        Of a folder that `claim` has let through.
    processes : int
        Folds at a time; the processor's cores are shared among them.
    on_progress : callable
        ``(done, total, message)``.
    on_end : callable
        Told each fold as its training ends, and why it is not finished; empty where it is.
    """
    left = [fold for fold in planned.folds if not is_finished(planned.run_of(fold))]
    # Those that somebody trains already come first: they take their share of the processor.
    waiting = sorted(left, key=lambda fold: not _is_trained(planned.run_of(fold)))
    done = len(planned.folds) - len(left)
    threads = None
    at_a_time = min(processes, len(left))
    if at_a_time > 1:
        threads = threads_each(at_a_time)
    under_way: dict[Fold, _Training] = {}
    with _paused_in_the_end(under_way):
        while waiting or under_way:
            while waiting and len(under_way) < processes:
                fold = waiting.pop(0)
                under_way[fold] = _Training(planned.config_of(fold), planned.run_of(fold), threads)
            on_progress(done, len(planned.folds), ", ".join(map(_progress_of, under_way.values())))
            time.sleep(_POLL_S)
            for fold in [fold for fold, training in under_way.items() if training.over]:
                training = under_way.pop(fold)
                done += 1
                on_end(fold, training.why_unfinished)


def is_finished(run: Run) -> bool:
    """Whether a fold has been trained and tested."""
    return run.exists and run.status.state == "done"


def _is_trained(run: Run) -> bool:
    """Whether a trainer is at work in a run; one that has not begun only says that it is being prepared."""
    return run.exists and run.status.alive


class _Training:
    """A fold under way: begun, gone on with, or only watched where another process trains it.

    Parameters
    ----------
    config : TrainingConfig
        For a fold that has not begun.
    run : Run
    threads : int or None
    """

    def __init__(self, config: TrainingConfig, run: Run, threads: int | None) -> None:
        self.run = run
        self._heartbeat_before = run.status.heartbeat
        self._launched = False
        self._refused = ""
        if _is_trained(run):
            return
        request: TrainingConfig | Run = config
        if run.exists:
            request = run
        try:
            launch(request, threads=threads)
        except MitoPredictError as error:
            self._refused = str(error)
        else:
            self._launched = True

    @property
    def over(self) -> bool:
        """Nobody trains it any more."""
        if self._launched:
            return has_ended(self.run)
        return bool(self._refused) or not _is_trained(self.run)

    @property
    def why_unfinished(self) -> str:
        """What the trainer said, in its status or, where it did not get that far, as its last line; empty if done."""
        status = self.run.status
        if self._refused:
            return self._refused
        if status.state == "done":
            return ""
        if status.state == "interrupted" or status.heartbeat == self._heartbeat_before:
            return f"{status.message} Its last words: {_last_line(self.run)}"
        return status.message


@contextmanager
def _paused_in_the_end(under_way: dict[Fold, _Training]) -> Iterator[None]:
    """Pause what is still under way when the block ends, and wait for that."""
    try:
        yield
    finally:
        while left := [training.run for training in under_way.values() if not training.over]:
            for run in left:
                _ask_to_pause(run)
            time.sleep(_POLL_S)


def _ask_to_pause(run: Run) -> None:
    """Ask a run to stop after this iteration; again and again, because one that just starts forgets what was asked."""
    if not run.stop_requested:
        with suppress(UnwritableOutputError):
            run.request_stop()


def _last_line(run: Run) -> str:
    try:
        lines = (run.path / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "none")


def _progress_of(training: _Training) -> str:
    status = training.run.status
    return f"{training.run.path.name} {status.iteration}/{status.iterations or '?'}"
