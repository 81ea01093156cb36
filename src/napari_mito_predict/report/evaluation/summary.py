"""The top of an evaluation report: all models of one target, the winner of each measure, every field in a line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from napari_mito_predict.evaluation import BASELINES
from napari_mito_predict.evaluation.compare import Comparison, mean_of
from napari_mito_predict.evaluation.results import Report, Result, values_of
from napari_mito_predict.report.evaluation import figures
from napari_mito_predict.report.evaluation.fields import anchor
from napari_mito_predict.report.evaluation.scores import LABELS, NONE, number
from napari_mito_predict.report.evaluation.shifts import shifted_fields
from napari_mito_predict.report.evaluation.winners import differences_table, winner_of
from napari_mito_predict.report.pieces import Caution, Cell, Picture, Row, Table
from napari_mito_predict.report.words import capitalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_mito_predict.evaluation import Scores


@dataclass(frozen=True)
class TargetPart:
    """What `evaluation/target.html.j2` shows of one target.

    Attributes
    ----------
    heading, averaged_over : str
    means : Table
        Of models and baselines.
    ceiling : str
        Noise ceiling of the PCC, mean over fields; empty where there is none.
    shifted : Caution or None
        Fields whose truth looks shifted.
    winner : str
        Who is best, in a few sentences; empty with a single model.
    differences : Table or None
        Of the winner from the others.
    fields : Table or None
        Every field in a row; None where there is only one.
    pcc_of_fields : Picture or None
        The same, drawn.
    """

    heading: str
    averaged_over: str
    means: Table
    ceiling: str
    shifted: Caution | None
    winner: str
    differences: Table | None
    fields: Table | None
    pcc_of_fields: Picture | None


def target_part(report: Report, target: str) -> TargetPart:
    """All models of one target: means over fields, the winner of each metric, and differences."""
    results = [result for result in report.results if result.case.target == target]
    comparisons = [comparison for comparison in report.comparisons if comparison.target == target]
    averaged = _averaged(results, comparisons)
    fields = len({result.case.field for result in results})
    what = "models side by side" if comparisons else "scores"
    winner = ""
    differences = fields_in_rows = drawn = None
    if comparisons:
        winner = winner_of(comparisons, averaged)
        differences = differences_table(comparisons)
    if fields > 1:
        fields_in_rows = _fields_table(results)
        png = figures.draw_fields(values_of(results, target, "pcc"), "PCC of each field")
        drawn = Picture(png, "PCC of each field; a bar is the mean of a model")
    return TargetPart(
        heading=f"{capitalised(target)}: {what}",
        averaged_over=_averaged_over(fields, compared=bool(comparisons)),
        means=_means(results, averaged, comparisons),
        ceiling=_ceiling(results),
        shifted=shifted_fields(results),
        winner=winner,
        differences=differences,
        fields=fields_in_rows,
        pcc_of_fields=drawn,
    )


def _averaged(results: Sequence[Result], comparisons: Sequence[Comparison]) -> list[Result]:
    """What enters the means: where models are compared, the fields that all of them share."""
    shared = set(chain.from_iterable(comparison.fields for comparison in comparisons))
    return [result for result in results if not shared or result.case.field in shared]


def _averaged_over(fields: int, *, compared: bool) -> str:
    """Which voxels and fields the means cover, and what the signs in the table mean."""
    over = f"{fields} fields"
    if fields == 1:
        over = "the field"
    elif compared:
        over = "the fields that all models share"
    covered = f"All voxels, and those of the foreground; mean over {over}. MAE has the units of the truth."
    return f"{covered} ★ marks the best mean." if compared else covered


def _means(results: Sequence[Result], averaged: Sequence[Result], comparisons: Sequence[Comparison]) -> Table:
    by_metric = {comparison.metric: comparison for comparison in comparisons}
    rows = []
    for model in dict.fromkeys(result.case.model for result in results):
        mine = [result for result in averaged if result.case.model == model]
        fields = len({result.case.field for result in mine})
        rows.append(Row([model, str(fields), *(_mean_cell(mine, metric, by_metric.get(metric)) for metric in LABELS)]))
        rows += _foreground_means(mine)
    rows += _baseline_means(averaged)
    return Table(["model", "fields", *LABELS.values()], rows)


def _mean_cell(results: Sequence[Result], metric: str, comparison: Comparison | None) -> str | Cell:
    """Mean of one model: where several are compared, over the fields that all of them share."""
    if comparison is None:
        return number(metric, mean_of([getattr(result.scores, metric) for result in results]))
    model = results[0].case.model
    shown = number(metric, comparison.means[model])
    return Cell(shown, "best") if comparison.winner == model else shown


def _foreground_means(results: Sequence[Result]) -> Iterator[Row]:
    """Of one model; a row of its own, because a dark background alone can make a PCC high."""
    scores = [result.regions["foreground"] for result in results if "foreground" in result.regions]
    if scores:
        yield Row([f"{results[0].case.model}, foreground", *_mean_cells(scores)])


def _baseline_means(results: Sequence[Result]) -> Iterator[Row]:
    """The baselines depend on the field only, so each field counts once."""
    once = list({result.case.field: result for result in results}.values())
    for name in dict.fromkeys(chain.from_iterable(result.baselines for result in once)):
        scores = [result.baselines[name] for result in once if name in result.baselines]
        yield Row([f"baseline: {name}", *_mean_cells(scores)], "baseline")


def _mean_cells(scores: Sequence[Scores]) -> list[str]:
    """How many fields, and the means over them."""
    means = [number(metric, mean_of([getattr(s, metric) for s in scores])) for metric in LABELS]
    return [str(len(scores)), *means]


def _ceiling(results: Sequence[Result]) -> str:
    ceilings = list({r.case.field: r.ceiling for r in results if math.isfinite(r.ceiling)}.values())
    if not ceilings:
        return ""
    return f"{sum(ceilings) / len(ceilings):.3f}"


def _fields_table(results: Sequence[Result]) -> Table:
    """PCC and fine PCC of every field by every model, with a link to the field's own part of the page."""
    models = list(dict.fromkeys(result.case.model for result in results))
    baselines = [name for name in BASELINES if any(name in result.baselines for result in results)]
    by_field: dict[str, dict[str, Result]] = {}
    for result in results:
        by_field.setdefault(result.case.field, {})[result.case.model] = result
    rows = []
    for field, found in by_field.items():
        first = next(iter(found.values()))
        scores = {model: result.scores for model, result in found.items()}
        shifted = any(result.shift is not None and result.shift.shifted for result in found.values())
        rows.append(
            Row(
                [
                    Cell(field, anchor=anchor(first)),
                    *_both_pcc(scores, models, mark_best=len(models) > 1),
                    *_both_pcc(first.baselines, baselines),
                    "looks shifted" if shifted else "",
                ]
            )
        )
    return Table(["field: PCC / fine PCC", *models, *baselines, ""], rows)


def _both_pcc(scores: Mapping[str, Scores], names: Sequence[str], *, mark_best: bool = False) -> Iterator[str | Cell]:
    """PCC and fine PCC of each name, the best PCC marked where all have one; ``–`` where it has none."""
    values = {name: scores[name].pcc for name in names if name in scores}
    best = math.nan
    if mark_best and len(values) == len(names):
        best = max(values.values())
    for name in names:
        if name not in scores:
            yield NONE
            continue
        both = " / ".join(number(metric, getattr(scores[name], metric)) for metric in ("pcc", "fine_pcc"))
        yield Cell(both, "best") if values[name] == best else both
