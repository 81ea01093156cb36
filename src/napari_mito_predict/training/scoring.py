"""Scores of finished models on fields they never saw, and of what needs no network beside them."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict._files import atomic_path
from napari_mito_predict.evaluation import BASELINES, MeanTruth, Scores, evaluate
from napari_mito_predict.models import Agreement, ModelTest
from napari_mito_predict.training.baselines import predict_without_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.evaluation import Baseline
    from napari_mito_predict.training.data import TrainingData
    from napari_mito_predict.training.pairs import Pair, VoxelSize

OURS = "this model"
MEAN_TRUTH = "mean truth"
"""Of the training fields: what can be known of a field without looking at it."""
_MEASURES = ("pcc", "fine_pcc", "ssim_global")
"""What the card tells; `test.csv` has all."""


@dataclass(frozen=True)
class Row:
    """One image of a test field, predicted by one model or baseline.

    Attributes
    ----------
    field, group : str
        The field, and what stayed together with it (its own name, without `split.by`).
    target, model : str
        What was predicted, and by what.
    scores : Scores
    """

    field: str
    group: str
    target: str
    model: str
    scores: Scores


@dataclass(frozen=True)
class Scorer:
    """Compares with the truth of test fields.

    Attributes
    ----------
    groups : mapping of str to str
        Field -> group.
    targets : tuple of str
    voxel_size_um : tuple of float or None
        Of all pairs, z, y, x.
    baselines : mapping of str to tuple of Baseline
        Each fitted to each target.
    means : tuple of MeanTruth
        Of the training fields, one for each target; none where their shapes differ.
    """

    groups: Mapping[str, str]
    targets: tuple[str, ...]
    voxel_size_um: VoxelSize
    baselines: Mapping[str, tuple[Baseline, ...]]
    means: tuple[MeanTruth, ...]

    @classmethod
    def of(cls, data: TrainingData, targets: tuple[str, ...]) -> Scorer:
        """The scorer of a run, whose model predicts `targets`."""
        means = mean_truths(data.training)
        return cls(data.fields.groups, targets, data.sampling.voxel_size_um, data.baselines, means)

    def rows(self, pair: Pair, model: str, predicted: NDArray[np.floating]) -> list[Row]:
        """Score a prediction of a pair, (targets, [D,] Y, X)."""
        group = self.groups.get(pair.field, pair.field)
        return [
            Row(
                pair.field,
                group,
                target,
                model,
                evaluate(prediction, truth.astype(np.float32), voxel_size_um=self.voxel_size_um),
            )
            for target, prediction, truth in zip(self.targets, predicted, pair.truth, strict=True)
        ]

    def baseline_rows(self, pair: Pair) -> list[Row]:
        """Score what needs no network."""
        rows = []
        for name, baseline in self.baselines.items():
            rows += self.rows(pair, name, predict_without_network(baseline, pair.input))
        if self.means and self.means[0].shape == pair.input.shape:
            rows += self.rows(pair, MEAN_TRUTH, np.stack([mean.value for mean in self.means]))
        return rows


def mean_truths(training: Sequence[Pair]) -> tuple[MeanTruth, ...]:
    """The mean truth of each target; empty where the volumes are not all of one shape."""
    shapes = {pair.truth.shape for pair in training}
    if len(shapes) != 1:
        return ()
    targets, *shape = shapes.pop()
    means = tuple(MeanTruth(tuple(shape)) for _ in range(targets))
    for pair in training:
        for mean, truth in zip(means, pair.truth, strict=True):
            mean.add(truth)
    return means


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write all scores as a table, completely or not at all; numbers without meaning are ``nan``."""
    measures = [measure.name for measure in fields(Scores)]
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["field", "group", "target", "model", *measures])
        for row in rows:
            numbers = [_cell(getattr(row.scores, measure)) for measure in measures]
            writer.writerow([row.field, row.group, row.target, row.model, *numbers])


def _cell(value: float) -> str:
    """Six digits of a score; all digits of a number of voxels."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.6g}"


def summarise(rows: Sequence[Row], label: str) -> dict[str, dict[str, float]]:
    """Mean scores of each target and model for the card, this model first; see `mean_over_groups`.

    Parameters
    ----------
    rows : sequence of Row
    label : str
        Which fields they are of.
    """
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        name = f"{row.target}, {label}"
        if row.model != OURS:
            name += f", {row.model}"
        found[name].append(row)
    summary = {}
    for name, mine in found.items():
        means = {measure: mean_over_groups(mine, measure) for measure in _MEASURES}
        if math.isfinite(means["pcc"]):
            known = {measure: mean for measure, mean in means.items() if math.isfinite(mean)}
            summary[name] = known | {"fields": float(len({row.field for row in mine}))}
    return summary


def mean_over_groups(rows: Sequence[Row], measure: str) -> float:
    """Mean over groups of the mean over the images of each, which is one over the volumes of an image.

    So a group of many crops counts as much as one of few, and an image of many time points as much as one of one.
    """
    by_image: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        value = getattr(row.scores, measure)
        if math.isfinite(value):
            by_image[row.group, row.field].append(value)
    by_group: dict[str, list[float]] = defaultdict(list)
    for (group, _), values in by_image.items():
        by_group[group].append(float(np.mean(values)))
    if not by_group:
        return math.nan
    return float(np.mean([np.mean(values) for values in by_group.values()]))


def model_tests(rows: Sequence[Row], label: str) -> tuple[ModelTest, ...]:
    """What the card says of this model beside the baselines, for each target."""
    tests = []
    for target in dict.fromkeys(row.target for row in rows):
        mine = [row for row in rows if row.target == target]
        tests.append(
            ModelTest(
                target=target,
                on=label,
                model=_agreement(mine, OURS),
                baselines={
                    name: _agreement(mine, name)
                    for name in (*BASELINES, MEAN_TRUTH)
                    if any(row.model == name for row in mine)
                },
            )
        )
    return tuple(tests)


def _agreement(rows: Sequence[Row], model: str) -> Agreement:
    mine = [row for row in rows if row.model == model]
    means = {measure: mean_over_groups(mine, measure) for measure in ("pcc", "fine_pcc")}
    return Agreement(**{measure: mean for measure, mean in means.items() if math.isfinite(mean)})
