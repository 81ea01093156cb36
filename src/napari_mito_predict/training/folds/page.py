"""The results of a cross-validation for people: one HTML page, and the same table as rows of text."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.report.pieces import Cell, Row, Table
from napari_mito_predict.report.rendering import render
from napari_mito_predict.report.words import capitalised, count
from napari_mito_predict.training.folds.results import TABLE, Mean, Results, TargetSummary, summarise
from napari_mito_predict.training.scoring import OURS

if TYPE_CHECKING:
    from pathlib import Path

    from napari_mito_predict.training.folds.plan import CrossValidation, Fold

_NONE = "–"


@dataclass(frozen=True)
class _TargetPart:
    """What the template shows of one target."""

    heading: str
    verdict: str
    groups: Table


def table_rows(summary: TargetSummary) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of the table of one target: groups, then mean and standard error over groups.

    Returns
    -------
    head : list of str
    rows : list of list of str
        The last two are mean and standard error.
    """
    models = list(summary.values)
    head = ["group", "images", *models]
    if summary.baseline:
        head.append(f"{OURS} − {summary.baseline}")
    rows = []
    for group, images in summary.images.items():
        cells = [_score(summary.values[model].get(group, math.nan)) for model in models]
        if summary.baseline:
            cells.append(_signed(summary.differences.get(group, math.nan)))
        rows.append([group, str(images), *cells])
    means = [summary.means[model] for model in models]
    last = ["mean over groups", "", *(_score(mean.mean) for mean in means)]
    errors = ["standard error", "", *(_score(mean.standard_error) for mean in means)]
    if summary.baseline:
        last.append(_signed(summary.difference.mean))
        errors.append(_score(summary.difference.standard_error))
    return head, [*rows, last, errors]


def write_page(planned: CrossValidation, results: Results) -> Path:
    """Write `index.html` of a cross-validation as far as it has come.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    heading = f"Cross-validation of {planned.config.name}"
    subtitle = (
        f"{count(len(planned.folds), 'fold')}, {count(len(set(planned.groups.values())), 'group')}, "
        f"{count(len(planned.groups), 'image')}. {datetime.date.today().isoformat()}, napari-mito-predict "
        f"{metadata.version('napari-mito-predict')}."
    )
    missing = {**results.unfinished, **results.unscored}
    page = render(
        "folds.html.j2",
        package="napari_mito_predict.training.folds",
        title=heading,
        heading=heading,
        subtitle=subtitle,
        missing=[f"{name}: {reason}" for name, reason in missing.items()],
        missing_words=(
            f"Scores of {len(missing)} of {count(len(planned.folds), 'fold')} are missing; the means lack them."
        ),
        targets=[_target(summary) for summary in summarise(results.scores)],
        table_name=TABLE,
        folds=_folds(planned),
    )
    path = planned.folder / "index.html"
    atomic_write_text(path, page)
    return path


def verdict(summary: TargetSummary) -> str:
    """The result of one target in a sentence or two."""
    mine = summary.means[OURS]
    if not mine.groups:
        return "No group has a PCC: truth or prediction is constant."
    said = (
        f"PCC {_with_error(mine, _score(mine.mean))} on groups that it never saw (mean ± standard error over "
        f"{count(mine.groups, 'group')})."
    )
    if not summary.baseline:
        return said
    better = sum(difference > 0 for difference in summary.differences.values())
    difference = _with_error(summary.difference, _signed(summary.difference.mean))
    return (
        f"{said} {difference} against {summary.baseline}, the best baseline; better in {better} of "
        f"{count(summary.difference.groups, 'group')}."
    )


def _target(summary: TargetSummary) -> _TargetPart:
    head, rows = table_rows(summary)
    best = _best_column(summary)
    means: list[str | Cell] = list(rows[-2])
    if best is not None:
        means[best] = Cell(rows[-2][best], "best")
    groups = [*map(Row, rows[:-2]), Row(means), Row(rows[-1], "baseline")]
    heading = f"{capitalised(summary.target)}: PCC of each group held out"
    return _TargetPart(heading, verdict(summary), Table(head, groups))


def _best_column(summary: TargetSummary) -> int | None:
    """Where the best mean over all groups stands in a row of the table, after the name and the number of images."""
    every = max((mean.groups for mean in summary.means.values()), default=0)
    means = {model: mean.mean for model, mean in summary.means.items() if mean.groups == every}
    if not every:
        return None
    return 2 + list(summary.means).index(max(means, key=means.__getitem__))


def _folds(planned: CrossValidation) -> Table:
    names = [Cell(name, "name") for name in ("tested on", "validated on", "state")]
    head: list[str | Cell] = ["fold", *names, "images trained on", "validation PCC"]
    return Table(head, [_fold(planned, fold) for fold in planned.folds])


def _fold(planned: CrossValidation, fold: Fold) -> Row:
    run = planned.run_of(fold)
    parts = planned.parts_of(fold)
    state = "not begun"
    if run.exists:
        state = run.status.state
    score = math.nan
    if parts.holds_back(planned.config.select):
        score = run.status.scores.get("best", math.nan)
    names = [Cell(name, "name") for name in (", ".join(fold.held_out), planned.validated_on(fold), state)]
    return Row([fold.name, *names, str(len(parts.training)), _score(score)])


def _with_error(mean: Mean, shown: str) -> str:
    if mean.groups < 2:
        return shown
    return f"{shown} ± {_score(mean.standard_error)}"


def _score(value: float) -> str:
    if not math.isfinite(value):
        return _NONE
    return f"{value:z.3f}".replace("-", "−")


def _signed(value: float) -> str:
    if not math.isfinite(value):
        return _NONE
    return f"{value:+.3f}".replace("-", "−")
