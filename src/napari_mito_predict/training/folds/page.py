"""The results of a cross-validation for people: one HTML page, and the same table as rows of text."""

from __future__ import annotations

import datetime
import math
from importlib import metadata
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.evaluation.markup import Name, count, row, section, table, text, title
from napari_mito_predict.evaluation.page import PAGE
from napari_mito_predict.training.folds.results import TABLE, Mean, Results, TargetSummary, summarise
from napari_mito_predict.training.scoring import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_mito_predict.training.folds.plan import CrossValidation, Fold

_NONE = "–"


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
    body = [_warning(planned, results), *map(_target, summarise(results.scores)), _folds(planned), _MEANING]
    path = planned.folder / "index.html"
    filled = PAGE.substitute(title=text(heading), heading=text(heading), subtitle=text(subtitle), body="\n".join(body))
    atomic_write_text(path, filled)
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


def _target(summary: TargetSummary) -> str:
    head, rows = table_rows(summary)
    lines = [_line(cells) for cells in rows[:-2]]
    lines.append(_line(rows[-2], best=_best_column(summary)))
    lines.append(_line(rows[-1], kind="baseline"))
    return section(
        [
            f"<h2>{text(title(summary.target))}: PCC of each group held out</h2>",
            f"<p><b>{text(verdict(summary))}</b></p>",
            table(head, lines),
            f'<p class="soft">★ marks the best mean. All scores of each group: <code>{TABLE}</code>.</p>',
        ]
    )


def _best_column(summary: TargetSummary) -> int | None:
    """Where the best mean over all groups stands in a row of the table, after the name and the number of images."""
    every = max((mean.groups for mean in summary.means.values()), default=0)
    means = {model: mean.mean for model, mean in summary.means.items() if mean.groups == every}
    if not every:
        return None
    return 2 + list(summary.means).index(max(means, key=means.__getitem__))


def _line(cells: Sequence[str], *, best: int | None = None, kind: str = "") -> str:
    return row([cells[0]], [(cell, i == best) for i, cell in enumerate(cells[1:], 1)], kind)


def _warning(planned: CrossValidation, results: Results) -> str:
    missing = {**results.unfinished, **results.unscored}
    if not missing:
        return ""
    items = [f"<li>{text(name)}: {text(reason)}</li>" for name, reason in missing.items()]
    first = f"Scores of {len(missing)} of {count(len(planned.folds), 'fold')} are missing; the means lack them."
    return f'<div class="warn" role="note"><b>{text(first)}</b><ul>{"".join(items)}</ul></div>'


def _folds(planned: CrossValidation) -> str:
    head = ["fold", Name("tested on"), Name("validated on"), Name("state"), "images trained on", "validation PCC"]
    lines = [_fold(planned, fold) for fold in planned.folds]
    return section(["<h2>The folds</h2>", table(head, lines)])


def _fold(planned: CrossValidation, fold: Fold) -> str:
    run = planned.run_of(fold)
    parts = planned.parts_of(fold)
    state = "not begun"
    if run.exists:
        state = run.status.state
    score = math.nan
    if parts.holds_back(planned.config.select):
        score = run.status.scores.get("best", math.nan)
    heads = [fold.name, Name(", ".join(fold.held_out)), Name(planned.validated_on(fold)), Name(state)]
    cells = [str(len(parts.training)), _score(score)]
    return row(heads, [(cell, False) for cell in cells])


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


_MEANING = section(
    [
        "<h2>What these numbers mean</h2>",
        "<ul>",
        "<li>Each group was held out once, by a model that was neither trained nor validated on any image of it. What "
        "belongs together was said by <code>split.by</code>. Where all groups are of one day or one cell line, this "
        "says nothing of another.</li>",
        "<li>A group counts once, however many images it has: its PCC is the mean over its images, each the mean over "
        "its volumes. An image without a PCC (constant truth or prediction) is left out.</li>",
        "<li>The standard error is over groups. The folds share training images, so that it is rather too small "
        "(Bengio &amp; Grandvalet 2004); with few groups it says little.</li>",
        "<li>The difference is taken group by group, against the best baseline: the start model as it was; the "
        "transmitted light, blurred; its local contrast (both fitted on training images, and inverted where that fits "
        "better); or the mean truth of the training images, where all are of one size.</li>",
        "<li>To be used, train one more model on all images: these folds say how well it will do.</li>",
        "</ul>",
    ]
)
