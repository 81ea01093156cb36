"""``mito-predict train``: the trainer, as a command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mito_predict.cli._console import progress, say

if TYPE_CHECKING:
    from napari_mito_predict.training import Run

_LOOK_EVERY_SECONDS = 1.0


def train(
    config: Annotated[Path | None, typer.Argument(help="What to train, from which files: a YAML file.")] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with the run in this folder.")
    ] = None,
) -> None:
    """Train or fine-tune a model on pairs of transmitted light and fluorescence.

    CONFIG names the files, the truth channels and the run folder; the documentation (fine-tuning) has an example.
    The run folder holds the loss curve (metrics.csv), the state (status.json) and the best model so far (model/),
    which `mito-predict predict -m RUN/model` takes. A file named `stop` in it, or Ctrl-C, ends the run cleanly;
    `--resume RUN` goes on from there.
    """
    if (config is None) == (resume is None):
        raise typer.BadParameter("give either CONFIG.yaml or --resume RUN")
    from napari_mito_predict import training

    request = training.TrainingConfig.load(config) if config else None
    run = training.Run(request.output if request else resume or Path())
    with _stop_on_ctrl_c(run) as stopped, _shown(run):
        training.train(request or run)
    say(str(run.status.get("message", "")))
    typer.echo(run.model_folder)
    if stopped.is_set():
        say(f"Go on with: mito-predict train --resume {run.path}")
        raise typer.Exit(130)


@contextmanager
def _stop_on_ctrl_c(run: Run) -> Iterator[threading.Event]:
    """Let the first Ctrl-C end the run cleanly, as a `stop` file does; the second one breaks it off."""
    stopped = threading.Event()

    def ask(signum: int, frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)
        if run.path.is_dir():
            (run.path / "stop").touch()
            say("\nStopping after this iteration. Ctrl-C again breaks it off.")
        else:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _shown(run: Run) -> Iterator[None]:
    """Show what the run folder says while the trainer writes it, on a terminal."""
    finished = threading.Event()

    def watch() -> None:
        while not finished.wait(_LOOK_EVERY_SECONDS):
            status = run.status
            if status:
                on_progress(int(status["iteration"]), run.config.iterations, str(status["message"]))

    with progress("Training") as on_progress:
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            finished.set()
            watcher.join()
