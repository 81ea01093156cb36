"""The run folder: the only channel between a training process and whoever watches it."""

from __future__ import annotations

import csv
import dataclasses
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from napari_mito_predict._files import atomic_path, atomic_write_text
from napari_mito_predict.errors import TrainingError, UnwritableOutputError
from napari_mito_predict.training.config import TrainingConfig

if TYPE_CHECKING:
    from napari_mito_predict.models import Model

_log = logging.getLogger(__name__)

METRICS = ("iteration", "train_loss", "val_loss", "val_pcc", "lr", "seconds")
_KEPT_CHECKPOINTS = 2
_SILENT_S = 60.0
"""A trainer that has not been heard of for so long is taken for dead, even if its process number lives on."""

State = Literal["preparing", "running", "stopped", "done", "failed", "interrupted"]
_ALIVE = ("preparing", "running")


@dataclass
class Status:
    """What `status.json` holds.

    Attributes
    ----------
    state : str
        ``preparing``, ``running``, ``stopped`` (can be resumed), ``done``, ``failed``; and ``interrupted``, which no
        trainer writes: it said it was alive, but its process is gone.
    message : str
        For people.
    iteration, iterations : int
        How far, and how many there will be.
    seconds_left : float or None
        Time to the end.
    pid : int
        Of the trainer.
    heartbeat : float
        When it was last heard of, seconds since 1970.
    scores : dict
        Validation PCC of ``best``, of the ``base`` model before training, and of the ``blurred input``.
    """

    state: State
    message: str = ""
    iteration: int = 0
    iterations: int = 0
    seconds_left: float | None = None
    pid: int = 0
    heartbeat: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """A trainer is at work."""
        return self.state in _ALIVE


class Run:
    """One training run on disk.

    Parameters
    ----------
    path : Path
        The run folder. `config.yaml` in it is the request and never edited; `status.json`, `fields.json`,
        `metrics.csv`, `checkpoints/`, `preview/`, `model/` and `log.txt` are written by the trainer; creating `stop`
        ends the run cleanly.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, config: TrainingConfig) -> Run:
        """Make the folder of a new run and write its request.

        Raises
        ------
        TrainingError
            The folder already holds a run, or cannot be made.
        UnwritableOutputError
            It cannot be written to.
        """
        run = cls(config.output)
        if (run.path / "config.yaml").exists():
            raise TrainingError(
                f"{run.path}: holds a run already. Resume it with `mito-predict train --resume {run.path}`, "
                "or choose another output folder."
            )
        try:
            for folder in ("checkpoints", "preview"):
                (run.path / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(
                f"{run.path}: the run folder cannot be made ({error.strerror or error}). Choose another `output`."
            ) from error
        config.save(run.path / "config.yaml")
        return run

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / "config.yaml").is_file()

    @property
    def config(self) -> TrainingConfig:
        """The request of this run; it writes into this folder, wherever that was moved to.

        Raises
        ------
        ConfigError
            There is no request, or it was edited into nonsense.
        """
        return TrainingConfig.load(self.path / "config.yaml").model_copy(update={"output": self.path.absolute()})

    @property
    def model_folder(self) -> Path:
        """The best model so far, a valid package once the first validation is over."""
        return self.path / "model"

    @property
    def model(self) -> Model:
        """Load the best model so far."""
        from napari_mito_predict.models import read_package

        return read_package(self.model_folder)

    # ------------------------------------------------------------------ status

    @property
    def status(self) -> Status:
        """Where the run stands; a dead trainer that left no last word counts as interrupted."""
        try:
            content = json.loads((self.path / "status.json").read_text(encoding="utf-8"))
            known = {f.name for f in dataclasses.fields(Status)}
            status = Status(**{key: value for key, value in content.items() if key in known})
        except (OSError, ValueError, TypeError, AttributeError):
            return Status("interrupted" if self.exists else "preparing", "The trainer has not said anything yet.")
        if status.alive and not _is_alive(status):
            return dataclasses.replace(status, state="interrupted", message="The trainer ended unexpectedly.")
        return status

    def write_status(self, status: Status) -> None:
        """Say where the run stands."""
        status = dataclasses.replace(status, pid=os.getpid(), heartbeat=time.time())
        atomic_write_text(self.path / "status.json", json.dumps(dataclasses.asdict(status), indent=2))

    # ------------------------------------------------------------------ stopping

    def request_stop(self, *, keep: bool = False) -> None:
        """Ask the trainer to stop after this iteration; with `keep` to finish the model instead of leaving it open."""
        (self.path / "stop").write_text("keep" if keep else "", encoding="utf-8")

    @property
    def stop_requested(self) -> Literal["", "pause", "keep"]:
        """Whether somebody created the file `stop`, and what they want of it."""
        try:
            return "keep" if (self.path / "stop").read_text(encoding="utf-8").strip() == "keep" else "pause"
        except (OSError, UnicodeDecodeError):
            return ""

    def clear_stop(self) -> None:
        """Forget an earlier request to stop."""
        (self.path / "stop").unlink(missing_ok=True)

    # ------------------------------------------------------------------ metrics

    def append_metrics(self, row: Mapping[str, float]) -> None:
        """Add one line to `metrics.csv`; numbers that were not measured stay empty."""
        path = self.path / "metrics.csv"
        new = not path.exists()
        try:
            with path.open("a", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, METRICS)
                if new:
                    writer.writeheader()
                writer.writerow(_cells(row))
        except OSError as error:
            raise UnwritableOutputError(
                f"{path}: could not be written ({error.strerror or error}). Free some space, then resume the run."
            ) from error

    @property
    def metrics(self) -> list[dict[str, float]]:
        """The lines of `metrics.csv` so far, without empty cells; a line that is being written is left out."""
        try:
            lines = (self.path / "metrics.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        except (OSError, UnicodeDecodeError):
            return []
        whole = [line for line in lines[1:] if line.endswith("\n")]
        rows = []
        for cells in csv.reader(whole):
            with suppress(ValueError):
                rows.append({key: float(cell) for key, cell in zip(METRICS, cells, strict=True) if cell})
        return rows

    def drop_metrics_after(self, iteration: int) -> None:
        """Forget metrics beyond a checkpoint, which the resumed run will measure again."""
        path = self.path / "metrics.csv"
        if not path.exists():
            return
        kept = [row for row in self.metrics if row["iteration"] <= iteration]
        with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, METRICS)
            writer.writeheader()
            writer.writerows(map(_cells, kept))

    # ------------------------------------------------------------------ pictures

    @property
    def previews(self) -> list[Path]:
        """The pictures of a validation field so far, by iteration."""
        return sorted((self.path / "preview").glob("[0-9]*.tif"))

    # ------------------------------------------------------------------ checkpoints

    def save_checkpoint(self, iteration: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint completely or not at all, and keep the last two."""
        import torch

        folder = self.path / "checkpoints"
        with atomic_path(folder / f"{iteration:08d}.pt") as temporary:
            try:
                torch.save(dict(state), temporary)
            except RuntimeError as error:  # what torch makes of a full disk
                raise OSError(f"torch could not write: {error}") from error
        for old in sorted(folder.glob("[0-9]*.pt"))[:-_KEPT_CHECKPOINTS]:
            old.unlink(missing_ok=True)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The newest checkpoint that can be read, or ``None``; a damaged one is said in the log and passed over."""
        import pickle
        import zipfile

        import torch

        for path in sorted((self.path / "checkpoints").glob("[0-9]*.pt"), reverse=True):
            try:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile, KeyError) as error:
                _log.warning("%s is damaged (%s); trying the one before.", path, error)
            else:
                return state
        return None

    # ------------------------------------------------------------------ after a crash

    def tidy(self) -> None:
        """Put right what a killed trainer may have left: a model half-way through being replaced, partial files."""
        for old in self.path.glob(".model.*.old"):
            if not self.model_folder.exists():
                os.replace(old, self.model_folder)
            shutil.rmtree(old, ignore_errors=True)
        for partial in self.path.rglob(".*.partial*"):
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink(missing_ok=True)

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Write what the package logs into `log.txt` too."""
        handler = logging.FileHandler(self.path / "log.txt", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger = logging.getLogger("napari_mito_predict")
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(min(before or logging.INFO, logging.INFO))
        try:
            yield
        finally:
            logger.setLevel(before)
            logger.removeHandler(handler)
            handler.close()


def _cells(row: Mapping[str, float]) -> dict[str, str]:
    return {key: f"{row[key]:.6g}" if key in row else "" for key in METRICS}


def _is_alive(status: Status) -> bool:
    if time.time() - status.heartbeat > _SILENT_S:
        return False
    try:
        return bool(psutil.Process(status.pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
