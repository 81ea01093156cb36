"""What became of each image of a batch, and all of it as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._tables import read_table, write_table
from napari_mito_predict.errors import OutputError
from napari_mito_predict.image.names import as_text
from napari_mito_predict.image.readers import image_name

if TYPE_CHECKING:
    from napari_mito_predict.errors import MitoPredictError
    from napari_mito_predict.image import Finding
    from napari_mito_predict.prediction.batch.inputs import Entry
    from napari_mito_predict.prediction.traffic_light import TrafficLight

_LIGHT = "light "
_PCC = "pcc "
"""Columns of the table begin so, and end with the name of a model or output."""


class State(StrEnum):
    """What became of an image."""

    DONE = "done"
    """Predicted and written."""
    THERE_ALREADY = "there already"
    """What would be written is there: of the same image, by the same model, with the same parameters."""
    LEFT_OUT = "left out"
    """It is a prediction, found in a folder, and nothing to predict from."""
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one image.

    Attributes
    ----------
    entry : Entry
        Which one.
    state : State
    scene : str
        Name of its scene, where the file has several.
    scene_index : int
        Of the scene.
    files : mapping of str to Path
        Where each output is; all outputs in one key where they share a file.
    models : mapping of str to str
        Which model gives each output that has a file of its own.
    error : MitoPredictError, optional
        Why there is no prediction.
    findings : tuple of Finding
        What is to be known of it.
    lights : mapping of str to TrafficLight
        For each model, by name, whether its prediction can be believed.
    pcc : mapping of str to float
        Correlation of each output with the fluorescence in the same image, where there is any.
    seconds : float
        From opening to having written; images overlap, so that they add up to more than the time of the batch.
    """

    entry: Entry
    state: State
    scene: str = ""
    scene_index: int = 0
    files: Mapping[str, Path] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    error: MitoPredictError | None = None
    findings: tuple[Finding, ...] = ()
    lights: Mapping[str, TrafficLight] = field(default_factory=dict)
    pcc: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """Of the image, for messages, as `ImageSource.name`."""
        return image_name(self.entry.path)

    @property
    def is_new(self) -> bool:
        """Whether its files were written now."""
        return self.state is State.DONE

    @property
    def reason(self) -> str:
        """Why there is no prediction, on one line, without the name of the file; empty where there is one."""
        if self.error is None:
            return ""
        return " ".join(self.error.reason_about(self.entry.path).split())


def name_taken(entry: Entry, other: Entry) -> Outcome:
    """Of an image whose predictions would go where those of another one go."""
    reason = f"another image of the same name ({other.path}) goes there too. Predict the two into two folders."
    return Outcome(entry, State.FAILED, error=OutputError(reason, file=entry.path))


def summary(outcomes: Iterable[Outcome]) -> str:
    """Such as ``197 done, 3 failed``."""
    counts = Counter(outcome.state for outcome in outcomes)
    return ", ".join(f"{counts[state]} {state}" for state in State if counts[state]) or "nothing to do"


def write_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write a row for each image as CSV.

    Parameters
    ----------
    path : Path
        The file; one that is there is replaced. What it says of correlations with the truth is kept for predictions
        that are there already: they were not compared again.
    outcomes : sequence of Outcome

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    rows = [_row(outcome) for outcome in outcomes]
    known = _known_scores(path)
    for outcome, row in zip(outcomes, rows, strict=True):
        if outcome.state is State.THERE_ALREADY:
            row |= known.get((as_text(outcome.entry.path), outcome.scene), {})
    lights = dict.fromkeys(column for column in chain.from_iterable(rows) if column.startswith(_LIGHT))
    scores = dict.fromkeys(column for column in chain.from_iterable(rows) if column.startswith(_PCC))
    write_table(path, ["file", "scene", "state", "reason", "seconds", *lights, *scores, "written"], rows)


def _known_scores(path: Path) -> dict[tuple[str, str], dict[str, object]]:
    """What the table that is there says of correlations, by file and scene."""
    try:
        rows = read_table(path)
    except (OSError, ValueError):  # none, or not of ours
        return {}
    return {
        (row.get("file", ""), row.get("scene", "")): {key: value for key, value in row.items() if key.startswith(_PCC)}
        for row in rows
    }


def _row(outcome: Outcome) -> dict[str, object]:
    row: dict[str, object] = {
        "file": outcome.entry.path,
        "scene": outcome.scene,
        "state": str(outcome.state),
        "reason": outcome.reason,
        "seconds": f"{outcome.seconds:.2f}",
        "written": "; ".join(str(path) for path in outcome.files.values()),
    }
    row |= {f"{_LIGHT}{model}": str(light.colour) for model, light in outcome.lights.items()}
    return row | {f"{_PCC}{key}": f"{value:.4f}" for key, value in outcome.pcc.items()}
