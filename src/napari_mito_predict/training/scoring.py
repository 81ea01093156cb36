"""Scores of finished models on fields they never saw, and of what needs no network beside them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict._tables import write_table
from napari_mito_predict.evaluation import BASELINES, MeanTruth, Scores, evaluate
from napari_mito_predict.evaluation.correlation import is_constant
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
            Row(pair.field, group, target, model, self._scores(prediction, truth.astype(np.float32)))
            for target, prediction, truth in zip(self.targets, predicted, pair.truth, strict=True)
        ]

    def _scores(self, prediction: NDArray[np.floating], truth: NDArray[np.floating]) -> Scores:
        scores = evaluate(prediction, truth, voxel_size_um=self.voxel_size_um)
        if math.isnan(scores.pcc) and not is_constant(truth[np.isfinite(truth)]):
            # A constant has no correlation. Left out of the mean, it would flatter a model that fails on some images.
            return replace(scores, pcc=0.0, fine_pcc=0.0, ssim_global=0.0)
        return scores

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


def comparable(rows: Sequence[Row]) -> list[Row]:
    """Rows without the baselines that some images do not have: a mean over others would say nothing beside the model's.

    The mean truth exists for images of one shape only.
    """
    images = Counter(row.model for row in rows)
    return [row for row in rows if row.model == OURS or images[row.model] == images[OURS]]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write all scores as a table, completely or not at all; numbers without meaning are ``nan``.

    A constant prediction of a truth that varies agrees with nothing: its correlations and SSIM are 0.
    """
    measures = [measure.name for measure in fields(Scores)]
    cells = []
    for row in rows:
        numbers = {measure: _cell(getattr(row.scores, measure)) for measure in measures}
        cells.append({"field": row.field, "group": row.group, "target": row.target, "model": row.model} | numbers)
    write_table(path, ("field", "group", "target", "model", *measures), cells)


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
