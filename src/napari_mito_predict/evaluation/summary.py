"""The top of an evaluation report: all models of one target, the winner of each measure, every field in a line."""

from __future__ import annotations

import hashlib
import math
from itertools import chain
from typing import TYPE_CHECKING

from napari_mito_predict.evaluation import figures
from napari_mito_predict.evaluation.baselines import BASELINES
from napari_mito_predict.evaluation.compare import Comparison, mean_of
from napari_mito_predict.evaluation.markup import (
    LABELS,
    Name,
    Raw,
    count,
    listed,
    number,
    picture,
    row,
    section,
    table,
    text,
    title,
    with_error,
)
from napari_mito_predict.evaluation.report import Report, Result, values_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_mito_predict.evaluation.metrics import Scores

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


def target_section(report: Report, target: str) -> str:
    """All models of one target: means over fields, the winner of each metric, and differences."""
    results = [result for result in report.results if result.case.target == target]
    comparisons = [comparison for comparison in report.comparisons if comparison.target == target]
    by_metric = {comparison.metric: comparison for comparison in comparisons}
    fields = len({result.case.field for result in results})
    averaged = _averaged(results, comparisons)
    rows = []
    for model in dict.fromkeys(result.case.model for result in results):
        mine = [result for result in averaged if result.case.model == model]
        cells = [_mean_cell(mine, metric, by_metric.get(metric)) for metric in LABELS]
        rows.append(row([model, len({r.case.field for r in mine})], cells))
        rows += _foreground_means(mine)
    rows += _baseline_means(averaged)
    what = "models side by side" if comparisons else "scores"
    parts = [
        f"<h2>{text(title(target))}: {what}</h2>",
        f'<p class="soft">{_averaged_over(fields, compared=bool(comparisons))}</p>',
        table(["model", "fields", *LABELS.values()], rows),
        *_ceiling(results),
        _shifted_fields(results),
        _winner(comparisons, _foreground_disagrees(averaged, by_metric.get("pcc"))),
    ]
    if fields > 1:
        drawn = figures.draw_fields(values_of(results, target, "pcc"), "PCC of each field")
        parts.append(f"<h3>Each field</h3>{fields_table(results)}")
        parts.append(picture(drawn, "PCC of each field; a bar is the mean of a model"))
    return section(parts)


def _averaged_over(fields: int, *, compared: bool) -> str:
    """Which voxels and fields the means cover, and what the signs in the table mean."""
    over = f"{fields} fields"
    if fields == 1:
        over = "the field"
    elif compared:
        over = "the fields that all models share"
    covered = f"All voxels, and those of the foreground; mean over {over}. MAE has the units of the truth."
    return f"{covered} ★ marks the best mean." if compared else covered


def _averaged(results: Sequence[Result], comparisons: Sequence[Comparison]) -> list[Result]:
    """What enters the means: where models are compared, the fields that all of them share."""
    shared = set(chain.from_iterable(comparison.fields for comparison in comparisons))
    return [result for result in results if not shared or result.case.field in shared]


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
        f" Within the foreground {best} has the better mean PCC, {number('pcc', means[best])} against "
        f"{number('pcc', means[comparison.winner])} of {comparison.winner}."
    )


def _foreground_means(results: Sequence[Result]) -> list[str]:
    """Of one model; a row of its own, because a dark background alone can make a PCC high."""
    scores = [result.regions["foreground"] for result in results if "foreground" in result.regions]
    if not scores:
        return []
    cells = [(number(metric, mean_of([getattr(s, metric) for s in scores])), False) for metric in LABELS]
    return [row([f"{results[0].case.model}, foreground", len(scores)], cells)]


def _baseline_means(results: Sequence[Result]) -> list[str]:
    """The baselines depend on the field only, so each field counts once."""
    once = list({result.case.field: result for result in results}.values())
    rows = []
    for name in dict.fromkeys(chain.from_iterable(result.baselines for result in once)):
        scores = [result.baselines[name] for result in once if name in result.baselines]
        cells = [(number(metric, mean_of([getattr(s, metric) for s in scores])), False) for metric in LABELS]
        rows.append(row([f"baseline: {name}", len(scores)], cells, "baseline"))
    return rows


def _ceiling(results: Sequence[Result]) -> list[str]:
    ceilings = list({r.case.field: r.ceiling for r in results if math.isfinite(r.ceiling)}.values())
    if not ceilings:
        return []
    mean = sum(ceilings) / len(ceilings)
    return [f"<p><b>Noise ceiling of the PCC: {mean:.3f}</b> (from repeats of the truth; see the measures).</p>"]


def _shifted_fields(results: Sequence[Result]) -> str:
    shifted: dict[str, list[str]] = {}
    for result in results:
        if result.shift is not None and result.shift.shifted:
            shifted.setdefault(result.case.field, []).append(result.case.model)
    if not shifted:
        return ""
    models = {result.case.model for result in results}
    fields = count(len({result.case.field for result in results}), "field")
    named = list(shifted)
    if len(models) > 1:
        named = [f"{field} (by {listed(found)})" for field, found in shifted.items()]
    return (
        f'<div class="warn"><b>In {len(shifted)} of {fields} the truth looks shifted against a prediction: '
        f"{text(listed(named))}.</b>Their scores enter the means above uncorrected.</div>"
    )


def _winner(comparisons: Sequence[Comparison], foreground: str) -> str:
    if not comparisons:
        return ""
    rows = []
    for comparison in comparisons:
        label, n = LABELS[comparison.metric], len(comparison.fields)
        if not comparison.winner:
            rows.append(row([label, Name("none: equal means"), Name("")], [("", False), (str(n), False), ("", False)]))
        for other in comparison.differences:
            difference = with_error(other.mean, other.standard_error)
            cells = [difference, str(n), f"{other.better_in} of {n}"]
            within = abs(other.mean) < other.standard_error
            winner = comparison.winner
            kind = ""
            if within:
                winner += " (not told apart)"
                kind = "baseline"
            heads = [label, Name(winner), Name(other.model)]
            rows.append(row(heads, [(cell, False) for cell in cells], kind))
    head = [
        "measure",
        Name("winner"),
        Name("against"),
        "mean difference ± standard error",
        "fields n",
        "winner better in",
    ]
    return (
        "<h3>Winner of each measure: differences field by field</h3>"
        f"<p><b>{text(_winners(comparisons) + foreground)}</b></p>"
        "<p>Differences are winner minus other; lower is better for NRMSE and MAE. A difference smaller than its "
        "standard error is no difference.</p>" + table(head, rows)
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


def fields_table(results: Sequence[Result]) -> str:
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
        cells = [*_both(scores, models, mark_best=len(models) > 1), *_both(first.baselines, baselines)]
        shifted = [model for model, result in found.items() if result.shift is not None and result.shift.shifted]
        cells.append(("looks shifted" if shifted else "", False))
        name = f'<a href="#{anchor(first)}">{text(field)}</a>'
        rows.append(row([Raw(name)], cells))
    return table(["field: PCC / fine PCC", *models, *baselines, ""], rows)


def _both(scores: Mapping[str, Scores], names: Sequence[str], *, mark_best: bool = False) -> list[tuple[str, bool]]:
    """PCC and fine PCC of each name, and whether its PCC is the best; ``–`` where it has none."""
    values = {name: scores[name].pcc for name in names if name in scores}
    best = math.nan
    if mark_best and len(values) == len(names):
        best = max(values.values())
    cells = []
    for name in names:
        if name not in scores:
            cells.append(("–", False))
            continue
        pair = (number(metric, getattr(scores[name], metric)) for metric in ("pcc", "fine_pcc"))
        cells.append((" / ".join(pair), values[name] == best))
    return cells


def anchor(result: Result) -> str:
    """Where a field and target stand on the page; of the name nothing is used that could mean something in HTML."""
    return "field-" + hashlib.sha256(f"{result.case.field}\0{result.case.target}".encode()).hexdigest()[:12]


def _mean_cell(results: Sequence[Result], metric: str, comparison: Comparison | None) -> tuple[str, bool]:
    """Mean of one model: where several are compared, over the fields that all of them share."""
    model = results[0].case.model
    if comparison is not None:
        return number(metric, comparison.means[model]), comparison.winner == model
    return number(metric, mean_of([getattr(result.scores, metric) for result in results])), False
