"""The run folder: the only channel between a training process and whoever watches it."""

from __future__ import annotations

import csv
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_mito_predict._files import atomic_path, atomic_write_text
from napari_mito_predict.errors import TrainingError
from napari_mito_predict.training.config import TrainingConfig

if TYPE_CHECKING:
    from napari_mito_predict.models import Model

_log = logging.getLogger(__name__)

METRICS = ("iteration", "train_loss", "val_loss", "val_pcc", "lr", "seconds")
_KEPT_CHECKPOINTS = 2

State = Literal["preparing", "running", "stopped", "done", "failed"]


class Run:
    """One training run on disk.

    Parameters
    ----------
    path : Path
        The run folder. `config.yaml` in it is the request and never edited; `status.json`, `metrics.csv`,
        `checkpoints/`, `model/` and `log.txt` are written by the trainer; creating `stop` ends the run cleanly.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, config: TrainingConfig) -> Run:
        """Make the folder of a new run and write its request.

        Raises
        ------
        TrainingError
            The folder already holds a run.
        """
        run = cls(config.output)
        if (run.path / "config.yaml").exists():
            raise TrainingError(
                f"{run.path}: holds a run already. Resume it with `mito-predict train --resume {run.path}`, "
                "or choose another output folder."
            )
        (run.path / "checkpoints").mkdir(parents=True, exist_ok=True)
        config.save(run.path / "config.yaml")
        return run

    @property
    def config(self) -> TrainingConfig:
        """The request of this run."""
        return TrainingConfig.load(self.path / "config.yaml")

    @property
    def model_folder(self) -> Path:
        """The best model so far, a valid package once the first validation is over."""
        return self.path / "model"

    @property
    def model(self) -> Model:
        """Load the best model so far."""
        from napari_mito_predict.models import read_package

        return read_package(self.model_folder)

    @property
    def status(self) -> dict[str, Any]:
        """State, process, heartbeat, iteration and message; empty before the trainer's first word."""
        try:
            content: dict[str, Any] = json.loads((self.path / "status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content

    def write_status(self, state: State, iteration: int, message: str) -> None:
        """Say where the run stands."""
        status = {
            "state": state,
            "pid": os.getpid(),
            "heartbeat": time.time(),
            "iteration": iteration,
            "message": message,
        }
        atomic_write_text(self.path / "status.json", json.dumps(status, indent=2))

    @property
    def stop_requested(self) -> bool:
        """Somebody created the file `stop`."""
        return (self.path / "stop").exists()

    def clear_stop(self) -> None:
        """Forget an earlier request to stop."""
        (self.path / "stop").unlink(missing_ok=True)

    def append_metrics(self, row: Mapping[str, float]) -> None:
        """Add one line to `metrics.csv`; numbers that were not measured stay empty."""
        path = self.path / "metrics.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, METRICS)
            if new:
                writer.writeheader()
            writer.writerow({key: f"{row[key]:.6g}" if key in row else "" for key in METRICS})

    def drop_metrics_after(self, iteration: int) -> None:
        """Forget metrics beyond a checkpoint, which the resumed run will measure again."""
        path = self.path / "metrics.csv"
        if not path.exists():
            return
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines[1:] if float(line.split(",")[0]) <= iteration]
        atomic_write_text(path, "\n".join([lines[0], *kept]) + "\n")

    def save_checkpoint(self, iteration: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint completely or not at all, and keep the last two."""
        import torch

        folder = self.path / "checkpoints"
        with atomic_path(folder / f"{iteration:08d}.pt") as temporary:
            torch.save(dict(state), temporary)
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
