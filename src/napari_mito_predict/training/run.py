"""The run folder: the only channel between a training process and whoever watches it."""

from __future__ import annotations

import csv
import dataclasses
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_mito_predict._files import atomic_write_text, remove_abandoned
from napari_mito_predict._reading import read_text
from napari_mito_predict._tables import write_table
from napari_mito_predict.errors import DamagedCheckpointError, ModelError, TrainingError, UnwritableOutputError
from napari_mito_predict.training.checkpoints import load_newest_checkpoint, save_checkpoint
from napari_mito_predict.training.config import TrainingConfig
from napari_mito_predict.training.lock import only_trainer
from napari_mito_predict.training.status import Status, read_status, trainer_is_alive, write_status

if TYPE_CHECKING:
    from napari_mito_predict.models import Model

_LARGEST_STOP = 1 << 10
_LARGEST_METRICS = 64 << 20
_MOST_ITERATIONS = 10**12
METRICS = ("iteration", "train_loss", "val_loss", "val_pcc", "lr", "seconds")


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
        run._refuse_existing()
        try:
            run._make_folders()
        except OSError as error:
            raise TrainingError(
                f"the run folder cannot be made ({error.strerror or error}). Choose another `output`.", file=run.path
            ) from error
        with only_trainer(run.path):
            run._refuse_existing()  # made by another process since
            config.save(run.path / "config.yaml")
        return run

    def _make_folders(self) -> None:
        for folder in ("checkpoints", "preview"):
            (self.path / folder).mkdir(parents=True, exist_ok=True)

    def _refuse_existing(self) -> None:
        if (self.path / "config.yaml").exists():
            raise TrainingError(
                f"holds a run already. Resume it with `mito-predict train --resume {self.path}`, "
                "or choose another output folder.",
                file=self.path,
            )

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run; not while a network drive does not answer."""
        try:
            return (self.path / "config.yaml").is_file()
        except OSError:
            return False

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
            status = read_status(self.path / "status.json")
        except OSError:
            message = "The trainer has not said anything yet."
            if self.exists:
                return Status("interrupted", message)
            return Status("preparing", message)
        if status.alive and not trainer_is_alive(status):
            return dataclasses.replace(status, state="interrupted", message="The trainer ended unexpectedly.")
        return status

    def write_status(self, status: Status) -> None:
        """Say where the run stands."""
        write_status(self.path / "status.json", status)

    # ------------------------------------------------------------------ stopping

    def request_stop(self, *, keep: bool = False) -> None:
        """Ask the trainer to stop after this iteration; with `keep` to finish the model instead of leaving it open.

        Takes no lock, so that it may be called from the handler of a signal while the trainer writes.

        Raises
        ------
        UnwritableOutputError
            The folder is gone, or cannot be written to.
        """
        content = "keep" if keep else ""
        # All at once: whoever reads half of it would pause a run that was to be finished.
        atomic_write_text(self.path / "stop", content)

    @property
    def stop_requested(self) -> Literal["", "pause", "keep"]:
        """Whether somebody created the file `stop`, and what they want of it."""
        try:
            content = read_text(self.path / "stop", _LARGEST_STOP)
        except (OSError, UnicodeDecodeError):
            return ""
        if content.strip() == "keep":
            return "keep"
        return "pause"

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
                f"could not be written ({error.strerror or error}). Free some space, then resume the run.", file=path
            ) from error

    @property
    def metrics(self) -> list[dict[str, float]]:
        """The lines of `metrics.csv` so far, without empty cells and numbers that are not finite.

        A line that is being written is left out.
        """
        try:
            lines = read_text(self.path / "metrics.csv", _LARGEST_METRICS).splitlines(keepends=True)
        except (OSError, UnicodeDecodeError):
            return []
        whole = [line for line in lines[1:] if line.endswith("\n")]
        rows = []
        with suppress(csv.Error):  # cells of a size that no number has
            for cells in csv.reader(whole):
                with suppress(ValueError):
                    rows.append(_numbers(cells))
        return rows

    def drop_metrics_after(self, iteration: int) -> None:
        """Forget metrics beyond a checkpoint, which the resumed run will measure again."""
        path = self.path / "metrics.csv"
        if not path.exists():
            return
        kept = [row for row in self.metrics if row.get("iteration", math.inf) <= iteration]
        write_table(path, METRICS, map(_cells, kept))

    # ------------------------------------------------------------------ pictures

    @property
    def previews(self) -> list[Path]:
        """The pictures of a validation field so far, by iteration."""
        return sorted(path for path in (self.path / "preview").glob("[0-9]*.tif") if path.stem.isdecimal())

    # ------------------------------------------------------------------ checkpoints

    def save_checkpoint(self, iteration: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint; see `checkpoints.save_checkpoint`."""
        save_checkpoint(self.path / "checkpoints", iteration, state)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Load the newest sound checkpoint; None for a run that has not trained yet. Changes nothing.

        Raises
        ------
        DamagedCheckpointError
            The run has trained, but none of its checkpoints is there and sound. To begin again from nothing would
            overwrite what it learned.
        """
        state = load_newest_checkpoint(self.path / "checkpoints")
        if state is None and (trained := self._iterations_on_record()):
            raise DamagedCheckpointError(
                f"this run has trained for {trained} iterations, but its checkpoints are gone, so it "
                "cannot go on; nothing in its folder was changed. Put `checkpoints` back from a backup, or start a new "
                "run in another folder, with `start_from` this run's model.",
                file=self.path,
            )
        return state

    def _iterations_on_record(self) -> int:
        """How far the run has come by what it left beside its checkpoints.

        0 for a run that was killed before its first checkpoint, although a line of metrics and a model may be there:
        the untrained network is measured and kept first.
        """
        from napari_mito_predict.models import read_card

        found = [self.status.iteration, *(int(row.get("iteration", 0)) for row in self.metrics)]
        found += [int(path.stem) for path in self.previews]
        if self.model_folder.exists():
            with suppress(ModelError):
                found.append(read_card(self.model_folder).training.iterations or 0)
        return max(found)

    # ------------------------------------------------------------------ after a crash

    def tidy(self) -> None:
        """Put right what a killed trainer may have left: a model half-way through being replaced, partial files.

        Raises
        ------
        UnwritableOutputError
            The folder cannot be written to.
        """
        try:
            self._make_folders()
        except OSError as error:
            raise UnwritableOutputError(
                f"this run folder cannot be written to ({error.strerror or error}). Check its permissions.",
                file=self.path,
            ) from error
        folders = [path for path in self.path.rglob("*") if path.is_dir()]
        for folder in [self.path, *folders]:
            remove_abandoned(folder, locked=True)

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


def _numbers(cells: Sequence[str]) -> dict[str, float]:
    """What a line of `metrics.csv` says; raises `ValueError` for a line that is none of it."""
    numbers = {key: float(cell) for key, cell in zip(METRICS, cells, strict=True) if cell}
    if not 0 <= numbers.get("iteration", -1) <= _MOST_ITERATIONS:
        raise ValueError("no iteration")
    return {key: number for key, number in numbers.items() if math.isfinite(number)}


def _cells(row: Mapping[str, float]) -> dict[str, str]:
    """A row of `metrics.csv`; what was not measured is an empty cell."""
    empty = dict.fromkeys(METRICS, "")
    return empty | {key: f"{row[key]:.6g}" for key in METRICS if key in row}
