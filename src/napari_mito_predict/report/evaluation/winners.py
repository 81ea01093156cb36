"""Models side by side: who wins in which measure, by how much, and where the measures disagree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_mito_predict.evaluation.compare import mean_of
from napari_mito_predict.report.evaluation.scores import LABELS, number, with_error
from napari_mito_predict.report.pieces import Cell, Row, Table
from napari_mito_predict.report.words import count, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mito_predict.evaluation.compare import Comparison, Difference
    from napari_mito_predict.evaluation.results import Result

_SHORT = {
    "pcc": "PCC",
    "fine_pcc": "fine PCC",
    "spectral_pcc": "spectral PCC",
    "ssim_global": "SSIM (global)",
    "ssim_windowed": "SSIM (windowed)",
    "r2": "R²",
    "nrmse": "NRMSE",
    "psnr": "PSNR",
    "mae": "MAE",
}
"""Measure -> its name in a sentence."""
_HEAD = (
    "measure",
    Cell("winner", "name"),
    Cell("against", "name"),
    "mean difference ± standard error",
    "fields n",
    "winner better in",
)


def winner_of(comparisons: Sequence[Comparison], averaged: Sequence[Result]) -> str:
    """Who has the best means, and whether measures or the foreground say otherwise.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Of one target; one at least.
    averaged : sequence of Result
        What the means are over.
    """
    by_metric = {comparison.metric: comparison for comparison in comparisons}
    sentences = [_winners(comparisons), _foreground_disagrees(averaged, by_metric.get("pcc"))]
    return " ".join(sentence for sentence in sentences if sentence)


def differences_table(comparisons: Sequence[Comparison]) -> Table:
    """A row for each measure and model that lost, and for each measure without a winner."""
    rows = []
    for comparison in comparisons:
        if not comparison.winner:
            none = Cell("none: equal means", "name")
            rows.append(Row([LABELS[comparison.metric], none, Cell("", "name"), "", str(len(comparison.fields)), ""]))
        rows += [_difference(comparison, other) for other in comparison.differences]
    return Table(_HEAD, rows)


def _difference(comparison: Comparison, other: Difference) -> Row:
    n = len(comparison.fields)
    told_apart = not abs(other.mean) < other.standard_error
    return Row(
        [
            LABELS[comparison.metric],
            Cell(comparison.winner if told_apart else f"{comparison.winner} (not told apart)", "name"),
            Cell(other.model, "name"),
            with_error(other.mean, other.standard_error),
            str(n),
            f"{other.better_in} of {n}",
        ],
        "" if told_apart else "baseline",
    )


def _winners(comparisons: Sequence[Comparison]) -> str:
    """Who has the best means, and in what the measures disagree."""
    won: dict[str, list[str]] = {}
    for comparison in comparisons:
        won.setdefault(comparison.winner, []).append(_SHORT[comparison.metric])
    first = comparisons[0]
    over = f"over {count(len(first.fields), 'field')} that every model predicted"
    if len(won) == 1 and first.winner:
        return f"{first.winner} has the best mean in every measure {over}."
    equal = won.pop("", [])
    said = [f"{model} has the best mean {listed(measures)}" for model, measures in won.items()]
    if equal:
        said.append(f"the means are equal in {listed(equal)}")
    verdict = f"{'; '.join(said)}, {over}."
    if len(won) > 1:
        return f"{verdict} The measures disagree: look at the pictures before choosing."
    return verdict


def _foreground_disagrees(results: Sequence[Result], comparison: Comparison | None) -> str:
    """One sentence where another model has the better PCC of the foreground; a dark background may have decided."""
    if comparison is None or not comparison.winner:
        return ""
    means = {}
    for model in comparison.means:
        mine = [r for r in results if r.case.model == model and r.case.field in comparison.fields]
        means[model] = mean_of([r.regions["foreground"].pcc for r in mine if "foreground" in r.regions])
    if not all(map(math.isfinite, means.values())):
        return ""
    best = max(means, key=means.__getitem__)
    if means[best] <= means[comparison.winner]:
        return ""
    return (
        f"Within the foreground {best} has the better mean PCC, {number('pcc', means[best])} against "
        f"{number('pcc', means[comparison.winner])} of {comparison.winner}."
    )
