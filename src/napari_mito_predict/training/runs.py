"""All runs this computer knows of, and starting a trainer in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import platformdirs

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict._reading import read_text
from napari_mito_predict.errors import TrainingError, UnwritableOutputError
from napari_mito_predict.training.config import TrainingConfig
from napari_mito_predict.training.run import Run

RUNS_VARIABLE = "MITO_PREDICT_RUNS"
_INDEX = "known-runs.txt"
_LARGEST_INDEX = 16 << 20
_trainers: dict[Path, subprocess.Popen[bytes]] = {}
"""The last trainer started here for each run; kept, because a process that nobody asks after stays a zombie."""
_earlier_trainers: list[subprocess.Popen[bytes]] = []
"""Earlier trainers of resumed runs: their last words are written before they are gone."""
# With a session of its own on other systems: what lets the child outlive its parent, and keeps Ctrl-C from reaching it.
_DETACHED = 0
if sys.platform == "win32":
    _DETACHED = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS


def runs_folder() -> Path:
    """Where runs go that nobody gave a place: ``$MITO_PREDICT_RUNS`` or the platform's data folder."""
    configured = os.environ.get(RUNS_VARIABLE)
    if configured:
        return Path(configured)
    return platformdirs.user_data_path("napari-mito-predict", False) / "runs"


def known_runs() -> list[Run]:
    """Runs in `runs_folder` and those started elsewhere that are still there, last changed first."""
    folder = runs_folder()
    inside = []
    if os.path.isdir(folder):
        with suppress(TrainingError):  # those elsewhere are known all the same
            inside = [run.path for run in runs_in(folder)]
    runs = [Run(path) for path in dict.fromkeys([*inside, *_indexed()])]
    return _ordered(runs)


def runs_in(folder: Path) -> list[Run]:
    """Runs directly in a folder, last changed first.

    Raises
    ------
    TrainingError
        There is no such folder, or it cannot be read.
    """
    try:
        return _ordered([Run(path) for path in folder.iterdir()])
    except OSError as error:
        raise TrainingError(f"this folder cannot be read ({error.strerror or error}).", file=folder) from error


def _ordered(runs: Iterable[Run]) -> list[Run]:
    return sorted((run for run in runs if run.exists), key=_last_changed, reverse=True)


def remember(run: Run) -> None:
    """Let `known_runs` find this run, wherever it is; a folder that cannot be written to is no reason to fail."""
    path = run.path.absolute()
    if path.parent == runs_folder().absolute():
        return
    kept = [known for known in _indexed() if os.path.exists(known) and known != path]
    try:
        runs_folder().mkdir(parents=True, exist_ok=True)
        atomic_write_text(runs_folder() / _INDEX, "".join(f"{known}\n" for known in [*kept, path]))
    except (OSError, UnwritableOutputError):
        return


def launch(request: TrainingConfig | Run, *, keep: bool = False, threads: int | None = None) -> Run:
    """Start a trainer in a process of its own, which goes on when this one ends.

    Parameters
    ----------
    request : TrainingConfig or Run
        A new run, whose folder is made now; or a stopped or interrupted one to go on with.
    keep : bool
        Only finish the model of a stopped run.
    threads : int or None
        Its share of the processor, where the configuration does not say it; ``None``: all of it.

    Returns
    -------
    Run
        To be watched by its `status`; `log.txt` holds what the process printed.

    Raises
    ------
    TrainingError
        The folder holds a run already, or cannot be written to, or the process cannot be started.
    """
    run = request
    if isinstance(run, TrainingConfig):
        run = Run.create(run)
    remember(run)
    if run.path in _trainers:
        _earlier_trainers.append(_trainers.pop(run.path))
    _earlier_trainers[:] = [child for child in _earlier_trainers if child.poll() is None]
    command = [sys.executable, "-m", "napari_mito_predict", "train", "--resume", str(run.path)]
    if keep:
        command.append("--keep")
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    try:
        with (run.path / "log.txt").open("ab") as log:
            _trainers[run.path] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=run.path,
                env=environment,
                start_new_session=sys.platform != "win32",
                creationflags=_DETACHED,
            )
    except OSError as error:
        raise TrainingError(f"the trainer could not be started ({error.strerror or error}).", file=run.path) from error
    return run


def threads_each(processes: int) -> int:
    """Threads of each of so many processes on this computer."""
    available = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # fewer, where a job of a cluster got only some of the cores
        available = len(os.sched_getaffinity(0))
    return max(1, available // processes)


def has_ended(run: Run) -> bool:
    """Whether the trainer that this process started for `run` is over, however it ended.

    Asking also reaps it: an ended process that nobody asks after stays a zombie.
    """
    child = _trainers.get(run.path)
    return child is not None and child.poll() is not None


def _indexed() -> list[Path]:
    """Run folders outside of `runs_folder` that `remember` has written down."""
    try:
        lines = read_text(runs_folder() / _INDEX, _LARGEST_INDEX).splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [Path(line) for line in lines if line]


def _last_changed(run: Run) -> float:
    for name in ("status.json", "config.yaml"):
        try:
            return (run.path / name).stat().st_mtime
        except OSError:
            continue
    return 0.0
