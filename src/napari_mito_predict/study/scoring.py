"""Scores of a finished run on the test fields of every data set a study asks for, one table each in the run folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict._tables import read_table, write_table
from napari_mito_predict.errors import StudyError, TrainingDataError
from napari_mito_predict.image import Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_mito_predict.models import Model
    from napari_mito_predict.training.fields import Field
    from napari_mito_predict.training.pairs import Pair

MODEL, BLURRED = "this model", "blurred input"


@dataclass(frozen=True, slots=True)
class FieldScore:
    """Agreement on one target of one test field.

    Attributes
    ----------
    field : str
        Name of the field.
    target : str
    model : str
        `MODEL`, or `BLURRED` for the transmitted light blurred: what is there without a network.
    pcc, ssim_global : float
        Over all voxels; SSIM in its global form.
    """

    field: str
    target: str
    model: str
    pcc: float
    ssim_global: float


COLUMNS = tuple(column.name for column in fields(FieldScore))


def scores_file(run_folder: Path, letter: str) -> Path:
    """The table of a run on the test fields of one data set."""
    return run_folder / "scores" / f"{letter}.csv"


def write_scores(path: Path, scores: Sequence[FieldScore]) -> None:
    """Write a table of scores."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (asdict(s) | {"pcc": f"{s.pcc:.6g}", "ssim_global": f"{s.ssim_global:.6g}"} for s in scores)
    write_table(path, COLUMNS, rows)


def read_scores(path: Path) -> list[FieldScore]:
    """Read a table of scores: one of ours, or the `test.csv` of a run, which has the same columns.

    Raises
    ------
    StudyError
        It is missing or damaged.
    """
    try:
        return [
            FieldScore(row["field"], row["target"], row["model"], float(row["pcc"]), float(row["ssim_global"]))
            for row in read_table(path)
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(f"not a table of scores ({error}). Delete it and repeat the command.", file=path) from error


def score_fields(model: Model, test: Sequence[Field]) -> list[FieldScore]:
    """Predict fields whose third axis may be another than the one the model was trained on, and compare."""
    from napari_mito_predict.evaluation import evaluate
    from napari_mito_predict.training.validation import predict_pair

    scores = []
    for field in test:
        for pair in _pairs(model, field):
            predicted = predict_pair(model, pair, model.voxel_size_um)
            for target, prediction, truth in zip(model.targets, predicted, pair.truth, strict=True):
                found = evaluate(prediction, truth.astype(np.float32))
                scores.append(FieldScore(field.name, target, MODEL, found.pcc, found.ssim_global))
    return scores


def _pairs(model: Model, field: Field) -> Iterator[Pair]:
    from napari_mito_predict.training.pairs import open_field, prepare, read_volumes

    opened = open_field(field)
    errors = [finding.advice for finding in opened.findings if finding.level is Level.ERROR]
    if errors:
        raise TrainingDataError(f"{field.name}: {' '.join(errors)}")
    normalisation = model.card.input.normalisation
    return (prepare(raw, opened, model.voxel_size_um, normalisation) for raw in read_volumes(opened))
