"""An evaluation report as one HTML file that needs nothing else: no scripts, no network."""

from __future__ import annotations

import json
import math
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.evaluation import figures
from napari_mito_predict.evaluation.compare import Comparison, mean_of
from napari_mito_predict.evaluation.markup import count, number, picture, row, section, table, text, title, with_error
from napari_mito_predict.evaluation.page import COVERAGE, MEASURES, PAGE
from napari_mito_predict.evaluation.report import Report, Result, targets_of, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mito_predict.evaluation.alignment import ShiftCheck
    from napari_mito_predict.evaluation.metrics import Scores

LABELS = {
    "pcc": "PCC",
    "ssim_global": "SSIM, global form",
    "ssim_windowed": "SSIM, windowed",
    "r2": "R², fitted",
    "nrmse": "NRMSE, fitted",
    "psnr": "PSNR, fitted (dB)",
    "mae": "MAE, fitted",
}
_WHAT_SIMULATED_MEANS = (
    "The model never saw a real microscope image. On real cells its output is a demonstration and a start for "
    "fine-tuning, not a measurement; scores on simulated cells say nothing of real ones."
)
_WEAK = 0.5
_REGIONS = {"foreground": "foreground", "mask": "within the mask"}


def write_html(report: Report, path: Path) -> Path:
    """Write the report, completely or not at all; `path` is replaced where it exists.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    atomic_write_text(path, render(report))
    return path


def render(report: Report) -> str:
    """The report as HTML. Every name and text of a file is escaped; pictures are inline PNG."""
    fields = [list(group) for _, group in groupby(report.results, key=lambda r: (r.case.field, r.case.target))]
    body = [
        *map(_disclaimer, report.disclaimers),
        *(_target(report, target) for target in targets_of(report.results)),
        COVERAGE,
        *(_field(group) for group in fields),
        _models(report.results),
        _skipped(report.skipped),
        MEASURES,
        _software(report),
    ]
    names = ", ".join(dict.fromkeys(result.case.field for result in report.results))
    return PAGE.substitute(
        title=text(f"Truth beside prediction: {names[:120]}"),
        subtitle=text(_subtitle(report)),
        body="\n".join(part for part in body if part),
    )


def _subtitle(report: Report) -> str:
    fields = len({result.case.field for result in report.results})
    models = len({result.case.model for result in report.results})
    return (
        f"{count(len(report.results), 'prediction')} of {count(fields, 'field')} by {count(models, 'model')}, "
        f"compared with the fluorescence of the same fields. {report.created}."
    )


def _disclaimer(words: str) -> str:
    meaning = _WHAT_SIMULATED_MEANS if "simulated" in words else ""
    return f'<div class="warn" role="note"><b>{text(words)}</b>{text(meaning)}</div>'


def _target(report: Report, target: str) -> str:
    """All models of one target: means over fields, the winner of each metric, and differences."""
    results = [result for result in report.results if result.case.target == target]
    comparisons = [comparison for comparison in report.comparisons if comparison.target == target]
    by_metric = {comparison.metric: comparison for comparison in comparisons}
    fields = len({result.case.field for result in results})
    rows = []
    for model in dict.fromkeys(result.case.model for result in results):
        mine = [result for result in results if result.case.model == model]
        cells = [_mean_cell(mine, metric, by_metric.get(metric)) for metric in LABELS]
        rows.append(row([model, len({r.case.field for r in mine})], cells))
    rows += _baseline_means(results)
    over = "the field" if fields == 1 else "the fields that all models share" if comparisons else f"{fields} fields"
    units = " MAE has the units of the truth." + (" ★ marks the best mean." if comparisons else "")
    parts = [
        f"<h2>{text(title(target))}: {'scores' if not comparisons else 'models side by side'}</h2>",
        f'<p class="soft">All voxels, mean over {over}.{units}</p>',
        table(["model", "fields", *LABELS.values()], rows),
        *_ceiling(results),
        _shifted_fields(results),
        _winner(comparisons),
    ]
    if fields > 1:
        drawn = figures.draw_fields(values_of(results, target, "pcc"), "PCC of each field")
        parts.append(picture(drawn, "PCC of each field; a bar is the mean of a model"))
    return section(parts)


def _baseline_means(results: Sequence[Result]) -> list[str]:
    """The baselines depend on the field only, so each field counts once."""
    once = list({result.case.field: result for result in results}.values())
    rows = []
    for name in dict.fromkeys(name for result in once for name in result.baselines):
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
    shifted = dict.fromkeys(r.case.field for r in results if r.shift is not None and r.shift.shifted)
    if not shifted:
        return ""
    fields = count(len({result.case.field for result in results}), "field")
    return (
        f'<div class="warn"><b>In {len(shifted)} of {fields} the truth looks shifted against a prediction: '
        f"{text(', '.join(shifted))}.</b>Their scores enter the means above uncorrected.</div>"
    )


def _winner(comparisons: Sequence[Comparison]) -> str:
    if not comparisons:
        return ""
    rows = []
    for comparison in comparisons:
        label, n = LABELS[comparison.metric], len(comparison.fields)
        if not comparison.winner:
            rows.append(row([label, "none: equal means"], [("", False), ("", False), (str(n), False), ("", False)]))
        for other in comparison.differences:
            difference = with_error(other.mean, other.standard_error)
            cells = [other.model, difference, str(n), f"{other.better_in} of {n}"]
            rows.append(row([label, comparison.winner], [(cell, False) for cell in cells]))
    head = ["measure", "winner", "against", "mean difference ± standard error", "fields n", "winner better in"]
    first = comparisons[0]
    told = f"{first.winner} has the best mean PCC" if first.winner and first.metric == "pcc" else "No single winner"
    return (
        "<h3>Winner of each measure: differences field by field</h3>"
        f"<p>{text(told)} over {count(len(first.fields), 'field')} that every model predicted. "
        "Differences are winner minus other; lower is better for NRMSE and MAE. A difference smaller than its standard "
        "error is no difference.</p>" + table(head, rows)
    )


def _field(results: Sequence[Result]) -> str:
    """One field and target: numbers, pictures, curves, registration, provenance."""
    first = results[0]
    case = first.case
    rows = []
    for result in results:
        for part, scores in {"all voxels": result.scores, **_named_regions(result)}.items():
            rows.append(_score_row(f"{result.case.model}, {part}", scores))
    rows += [_score_row(f"baseline: {name}", scores, "baseline") for name, scores in first.baselines.items()]
    drawn = [result for result in results if result.views is not None]
    return section(
        [
            f"<h2>{text(case.field)}: {text(title(case.target))}</h2>",
            f'<p class="soft">{text(_described(first))}</p>',
            *(_shift(result) for result in results),
            *(_notes(result) for result in results),
            table(["", *LABELS.values(), "voxels"], rows),
            _views(drawn)
            if drawn
            else '<p class="soft">No pictures: a report holds those of the first fields only.</p>',
            _plots(results, drawn),
            *(_planes(result) for result in results),
            *(_provenance(result) for result in results),
        ]
    )


def _named_regions(result: Result) -> dict[str, Scores]:
    return {_REGIONS[name]: scores for name, scores in result.regions.items()}


def _described(result: Result) -> str:
    truth = result.case.truth
    sizes = " × ".join(str(truth.sizes[axis]) for axis in "TZYX")
    voxel = " × ".join("?" if size is None else f"{size:.4g}" for size in truth.voxel_size_um)
    step = f", {truth.time_step_s:.4g} s between time points" if truth.time_step_s else ""
    blur = result.blur
    baseline = (
        f" Blurred input: sigma {blur.sigma:g} voxels{', inverted' if blur.sign < 0 else ''}, the best for this field."
        if blur
        else ""
    )
    return (
        f"Truth: channel {result.case.channel.label} of {truth.path or truth.name}. {sizes} voxels (T × Z × Y × X), "
        f"{voxel} µm (z, y, x){step}. Foreground above {result.threshold:.5g}. "
        f"Left out as not finite: {result.not_finite} voxels.{baseline}"
    )


def _shift(result: Result) -> str:
    shift = result.shift
    if shift is None:
        return ""
    model = text(result.case.model)
    if not shift.shifted:
        said = (
            "No shift of the truth against the prediction."
            if shift.significant
            else "Whether the truth is shifted cannot be told: it matches the prediction nowhere better than chance."
        )
        return f'<p class="{"ok" if shift.significant else "soft"}">Registration ({model}): {said}</p>'
    doubt = "It is weak, so the two may also show different structures. " if shift.pcc_after < _WEAK else ""
    return (
        f'<div class="warn"><b>The truth looks shifted against the prediction ({model}): {text(_by(shift))}.</b>'
        f"PCC over the voxels both share: {shift.pcc_before:.3f} before and {shift.pcc_after:.3f} after correction. "
        f"{doubt}All other numbers here are without correction. A shift comes from the microscope (stage, camera or "
        "colour offset between channels) or was learnt from training pairs that had it.</div>"
    )


def _by(shift: ShiftCheck) -> str:
    parts = []
    for axis, voxels, um in zip("zyx", shift.voxels, shift.um, strict=True):
        if voxels:
            parts.append(f"{axis} {voxels:+d} voxels" + (f" ({um:+.3g} µm)" if um is not None else ""))
    return ", ".join(parts).replace("-", "−")


def _notes(result: Result) -> str:
    made = result.case.record.get("notes")
    notes = [*result.case.notes, *(map(str, made) if isinstance(made, list) else ())]
    said = result.case.disclaimer  # at the top of the page already
    listed = [f"<li>{text(f'{result.case.model}: {note}')}</li>" for note in notes if not said or said not in note]
    return f"<ul>{''.join(listed)}</ul>" if listed else ""


def _views(results: Sequence[Result]) -> str:
    views = results[0].views
    if views is None:
        return ""
    binned = f", {views.binning} × {views.binning} voxels averaged" if views.binning > 1 else ""
    warning = " ".join(dict.fromkeys(result.case.disclaimer for result in results if result.case.disclaimer))
    caption = (
        f"Time point {views.t}, Z step {views.z} (from 0): the plane whose truth varies most{binned}. Truth and fitted "
        f"prediction share one display range (0.1–99.9 percentiles of the truth). {warning}"
    )
    return picture(figures.draw_views(results), caption)


def _plots(results: Sequence[Result], drawn: Sequence[Result]) -> str:
    """Prediction against truth, and the scores along the stack or series."""
    pictures = []
    if drawn:
        caption = (
            "All finite voxels, each image clipped to its 0.1–99.9 percentiles; the line is the least-squares fit."
        )
        pictures.append(picture(figures.draw_scatter(drawn), caption))
    if max(len(results[0].planes), len(results[0].time_points)) > 1:
        over = "time points" if results[0].time_points else "Z steps"
        caption = f"Scores over {over}, with percentiles and fit of the whole volume."
        pictures.append(picture(figures.draw_curves(results), caption))
    return f'<div class="pair{" one" if len(results) == 1 and len(pictures) == 2 else ""}">{"".join(pictures)}</div>'


def _planes(result: Result) -> str:
    parts = [("Time points", result.time_points), ("Planes", result.planes)]
    tables = []
    for name, rows in parts:
        if len(rows) < 2:
            continue
        head = ["t", "z", *LABELS.values(), "voxels"]
        body = [
            row(["–" if part.t is None else part.t, "all" if part.z is None else part.z], _score_cells(part.scores))
            for part in rows
        ]
        summary = f"{name}: {len(rows)} rows of numbers ({result.case.model})"
        tables.append(f"<details><summary>{text(summary)}</summary>{table(head, body)}</details>")
    return "".join(tables)


def _provenance(result: Result) -> str:
    record = json.dumps(dict(result.case.record), indent=1, ensure_ascii=False) if result.case.record else ""
    known = f"<pre><code>{text(record)}</code></pre>" if record else "<p>No record was found beside it.</p>"
    summary = f"How it was made: {Path(result.case.prediction_name).name} ({result.case.model})"
    return f"<details><summary>{text(summary)}</summary><p>{text(result.case.prediction_name)}</p>{known}</details>"


def _models(results: Sequence[Result]) -> str:
    """The card of each model, as far as it is known."""
    parts = ["<h2>Models</h2>"]
    for model in dict.fromkeys(result.case.model for result in results):
        result = next(r for r in results if r.case.model == model)
        card, made = result.card, result.case.record.get("model")
        known = made if isinstance(made, dict) else {}
        facts = {
            "title": known.get("title", ""),
            "weights (SHA-256)": known.get("weights_sha256", ""),
            "licence": known.get("licence", ""),
            "trust": result.case.disclaimer or ("" if known else "Nothing is known of this model."),
        }
        if card is not None:
            z, y, x = card.input.voxel_size_um
            facts |= {
                "trained on": f"{card.training.data}; {card.training.pairs} fields, "
                f"{card.training.iterations} iterations",
                "made for": f"{', '.join(card.input.third_axes) or 'single planes'}; voxels "
                f"{'–' if z is None else f'{z:g}'} × {y:g} × {x:g} µm (z, y, x)",
                "network": card.architecture.kind,
                "notes": card.training.notes,
            }
        listed = "".join(f"<dt>{text(k)}</dt><dd>{text(str(v))}</dd>" for k, v in facts.items() if v)
        parts.append(f"<h3>{text(model)}</h3><dl>{listed}</dl>")
    return section(parts)


def _skipped(skipped: Sequence[str]) -> str:
    if not skipped:
        return ""
    listed = "".join(f"<li>{text(line)}</li>" for line in skipped)
    return section([f"<h2>Not compared: {len(skipped)}</h2>", f"<ul>{listed}</ul>"])


def _software(report: Report) -> str:
    listed = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return f'<p class="soft">Computed with {text(listed)}.</p>'


def _score_row(name: str, scores: Scores, kind: str = "") -> str:
    return row([name], _score_cells(scores), kind)


def _score_cells(scores: Scores) -> list[tuple[str, bool]]:
    return [*((number(metric, getattr(scores, metric)), False) for metric in LABELS), (f"{scores.voxels:,}", False)]


def _mean_cell(results: Sequence[Result], metric: str, comparison: Comparison | None) -> tuple[str, bool]:
    """Mean of one model: where several are compared, over the fields that all of them share."""
    model = results[0].case.model
    if comparison is not None:
        return number(metric, comparison.means[model]), comparison.winner == model
    return number(metric, mean_of([getattr(result.scores, metric) for result in results])), False
