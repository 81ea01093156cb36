"""How well the folds do on the groups they never saw: from scores of images to scores of groups, and over groups."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict import _tables
from napari_mito_predict.errors import TrainingError
from napari_mito_predict.training.folds.runner import is_finished
from napari_mito_predict.training.scoring import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_mito_predict.training.folds.plan import CrossValidation

TABLE = "groups.csv"
_KEYS = ("field", "target", "model")
_GROUP_KEYS = ("group", "fold", "target", "model", "images")
_WORDS = {*_KEYS, "group"}
"""Columns of `test.csv` that are words, even where they look like numbers; others with numbers are scores."""


@dataclass(frozen=True)
class GroupScores:
    """One model, or baseline, on one group that it never saw.

    Attributes
    ----------
    group : str
    fold : str
        Name of the run folder.
    target : str
    model : str
        `OURS`, or the name of a baseline.
    images : int
        Fields of the group that were scored.
    scores : dict of str to float
        Column of `test.csv` -> mean over these images of what is finite (the volumes of one image are averaged first);
        NaN where nothing is.
    """

    group: str
    fold: str
    target: str
    model: str
    images: int
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Results:
    """What is known of a cross-validation so far.

    Attributes
    ----------
    scores : tuple of GroupScores
        Sorted by target and group; of each, the model comes first.
    unfinished : dict of str to str
        Name of each fold whose training has not ended -> why.
    unscored : dict of str to str
        Name of each fold that has ended, but whose scores are missing or incomplete -> why.
    """

    scores: tuple[GroupScores, ...]
    unfinished: Mapping[str, str]
    unscored: Mapping[str, str]


@dataclass(frozen=True)
class Mean:
    """A mean over groups.

    Attributes
    ----------
    mean : float
        Of the finite values; NaN without any.
    standard_error : float
        Sample standard deviation (n - 1) of the values over the root of their number; NaN for fewer than two.
    groups : int
        How many values are finite.
    """

    mean: float
    standard_error: float
    groups: int


@dataclass(frozen=True)
class TargetSummary:
    """One target, group by group.

    Attributes
    ----------
    target : str
    metric : str
        The score that is summarised.
    images : dict of str to int
        Of each group.
    values : dict of str to dict
        Model or baseline, the model first -> group -> value.
    means : dict of str to Mean
        Of each model or baseline.
    baseline : str
        The best one of those that have a value in the most groups of the model; empty where there is none.
    differences : dict of str to float
        Group -> the model minus that baseline.
    difference : Mean
        Of these.
    """

    target: str
    metric: str
    images: Mapping[str, int]
    values: Mapping[str, Mapping[str, float]]
    means: Mapping[str, Mean]
    baseline: str
    differences: Mapping[str, float]
    difference: Mean


def collect(planned: CrossValidation) -> Results:
    """Gather the scores of all folds that are finished."""
    scores: list[GroupScores] = []
    unfinished: dict[str, str] = {}
    unscored: dict[str, str] = {}
    for fold in planned.folds:
        run = planned.run_of(fold)
        if not is_finished(run):
            unfinished[fold.name] = run.status.message
            continue
        try:
            found = group_scores(fold.name, read_table(run.path / "test.csv"), planned.groups)
        except TrainingError as error:
            unscored[fold.name] = str(error)
            continue
        missing = set(fold.held_out) - {score.group for score in found}
        if missing:
            unscored[fold.name] = f"no image of {', '.join(sorted(missing))} could be scored; log.txt there says why."
        scores += found
    ordered = sorted(scores, key=lambda score: (score.target, score.group))  # keeps the order of the models
    return Results(tuple(ordered), unfinished, unscored)


def read_table(path: Path) -> list[dict[str, str]]:
    """Read the `test.csv` of a run.

    Raises
    ------
    TrainingError
        It is missing or no such table.
    """
    try:
        rows = _tables.read_table(path)
    except (OSError, ValueError) as error:
        raise TrainingError(f"not readable ({error}).", file=path) from error
    if any(not row.keys() >= set(_KEYS) for row in rows):
        raise TrainingError(f"not a table of scores with the columns {', '.join(_KEYS)}.", file=path)
    return rows


def group_scores(fold: str, rows: Sequence[Mapping[str, str]], groups: Mapping[str, str]) -> list[GroupScores]:
    """Average the rows of one fold: over volumes of an image, then over images of a group.

    Parameters
    ----------
    fold : str
        Its name.
    rows : sequence of mapping
        Of its `test.csv`.
    groups : mapping of str to str
        Name of each field -> its group.
    """
    columns = [column for column in dict.fromkeys(_all_keys(rows)) if column not in _WORDS and _is_score(rows, column)]
    by_image: dict[tuple[str, str, str], dict[str, list[Mapping[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        field = row["field"]
        by_image[groups.get(field, field), row["target"], row["model"]][field].append(row)
    found = []
    for (group, target, model), images in by_image.items():
        scores = {}
        for column in columns:
            each = [_finite_mean(_number(row[column]) for row in volumes) for volumes in images.values()]
            scores[column] = _finite_mean(each)
        found.append(GroupScores(group, fold, target, model, len(images), scores))
    return found


def summarise(scores: Sequence[GroupScores], metric: str = "pcc") -> list[TargetSummary]:
    """Compare, for each target, the model with its baselines group by group.

    Parameters
    ----------
    scores : sequence of GroupScores
    metric : str
        A column of `test.csv` of which more is better.
    """
    by_target: dict[str, list[GroupScores]] = defaultdict(list)
    for score in scores:
        by_target[score.target].append(score)
    return [_summary(target, metric, found) for target, found in by_target.items()]


def mean_of_groups(values: Iterable[float]) -> Mean:
    """Mean and standard error of the finite values, see `Mean`."""
    finite = [value for value in values if math.isfinite(value)]
    error = math.nan
    if len(finite) > 1:
        error = float(np.std(finite, ddof=1)) / math.sqrt(len(finite))
    return Mean(_finite_mean(finite), error, len(finite))


def write_groups(path: Path, scores: Sequence[GroupScores]) -> None:
    """Write a row for each group, target and model; ``nan`` where a number has no meaning.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    columns = list(dict.fromkeys(_all_keys(score.scores for score in scores)))
    rows = []
    for score in scores:
        numbers = {column: f"{score.scores.get(column, math.nan):.6g}" for column in columns}
        rows.append({key: getattr(score, key) for key in _GROUP_KEYS} | numbers)
    _tables.write_table(path, (*_GROUP_KEYS, *columns), rows)


def _summary(target: str, metric: str, scores: Sequence[GroupScores]) -> TargetSummary:
    values: dict[str, dict[str, float]] = {OURS: {}}
    images: dict[str, int] = {}
    for score in scores:
        values.setdefault(score.model, {})[score.group] = score.scores.get(metric, math.nan)
        if score.model == OURS:
            images[score.group] = score.images
    baseline = _best_baseline(values)
    differences = {}
    if baseline:
        mine, theirs = values[OURS], values[baseline]
        differences = {group: value - theirs.get(group, math.nan) for group, value in mine.items()}
    means = {model: mean_of_groups(by_group.values()) for model, by_group in values.items()}
    difference = mean_of_groups(differences.values())
    return TargetSummary(target, metric, images, values, means, baseline, differences, difference)


def _best_baseline(values: Mapping[str, Mapping[str, float]]) -> str:
    """The baseline that comes closest to the model, of those that can be compared with it in the most groups.

    One that exists for a few groups only, as the mean truth may, says nothing of the others. Empty without any.
    """
    gaps = {
        model: mean_of_groups(value - by_group.get(group, math.nan) for group, value in values[OURS].items())
        for model, by_group in values.items()
        if model != OURS
    }
    comparable = {model: gap for model, gap in gaps.items() if gap.groups}
    if not comparable:
        return ""
    return max(comparable, key=lambda model: (comparable[model].groups, -comparable[model].mean))


def _all_keys(rows: Iterable[Mapping[str, object]]) -> Iterable[str]:
    for row in rows:
        yield from row


def _is_score(rows: Sequence[Mapping[str, str]], column: str) -> bool:
    """Whether a column has numbers, and no words."""
    filled = [row[column] for row in rows if row[column]]
    try:
        for cell in filled:
            _number(cell)
    except ValueError:
        return False
    return bool(filled)


def _number(cell: str) -> float:
    if not cell:
        return math.nan
    return float(cell)


def _finite_mean(values: Iterable[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return math.nan
    return float(np.mean(finite))
