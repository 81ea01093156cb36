"""An evaluation report as one HTML file that needs nothing else: no scripts, no network."""

from __future__ import annotations

import math
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.evaluation import figures
from napari_mito_predict.evaluation.markup import (
    LABELS,
    count,
    listed,
    number,
    picture,
    row,
    section,
    table,
    text,
    title,
)
from napari_mito_predict.evaluation.page import COVERAGE, MEASURES, PAGE
from napari_mito_predict.evaluation.report import Report, Result, targets_of
from napari_mito_predict.evaluation.summary import anchor, target_section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_mito_predict.evaluation.alignment import ShiftCheck
    from napari_mito_predict.evaluation.metrics import Scores

_WHAT_SIMULATED_MEANS = (
    "The model never saw a real microscope image. On real cells its output is a demonstration and a start for "
    "fine-tuning, not a measurement; scores on simulated cells say nothing of real ones."
)
_WEAK = 0.5
_CALM = (
    (True, "ok", "no shift of the truth against the prediction"),
    (
        False,
        "soft",
        "whether the truth is shifted cannot be told, for it matches the prediction nowhere better than chance",
    ),
)
_REGIONS = {"foreground": "foreground", "mask": "within the mask"}


def write_html(report: Report, path: Path, *, on_step: Callable[[], object] = lambda: None) -> Path:
    """Write the report, completely or not at all; `path` is replaced where it exists.

    Parameters
    ----------
    report : Report
        What `gather` gave.
    path : Path
        Of the file.
    on_step : callable
        Called now and then, the last time when all but the writing is done; what it raises ends it all.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    page = render(report, on_step=on_step)
    on_step()
    atomic_write_text(path, page)
    return path


def render(report: Report, *, on_step: Callable[[], object] = lambda: None) -> str:
    """The report as HTML. Every name and text of a file is escaped; pictures are inline PNG."""
    fields = [list(group) for _, group in groupby(report.results, key=lambda r: (r.case.field, r.case.target))]
    body = [
        *map(_disclaimer, report.disclaimers),
        *(target_section(report, target) for target in targets_of(report.results)),
        COVERAGE,
        *(_field(group, on_step) for group in fields),
        _models(report.results),
        _skipped(report.skipped),
        MEASURES,
        _software(report),
    ]
    names = ", ".join(dict.fromkeys(result.case.field for result in report.results))
    return PAGE.substitute(
        title=text(f"Truth beside prediction: {names[:120]}"),
        heading="Truth beside prediction",
        subtitle=text(_subtitle(report)),
        body="\n".join(part for part in body if part),
    )


def _subtitle(report: Report) -> str:
    fields = len({result.case.field for result in report.results})
    models = len({result.case.model for result in report.results})
    return (
        f"{count(len(report.results), 'prediction')} of {count(fields, 'field')} by {count(models, 'model')}, "
        f"compared with the fluorescence of the same fields. {_when(report.created)}."
    )


def _when(created: str) -> str:
    moment = datetime.fromisoformat(created)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _disclaimer(words: str) -> str:
    meaning = _WHAT_SIMULATED_MEANS if "simulated" in words else ""
    return f'<div class="warn" role="note"><b>{text(words)}</b>{text(meaning)}</div>'


def _field(results: Sequence[Result], on_step: Callable[[], object]) -> str:
    """One field and target: numbers, pictures, curves, registration, provenance."""
    on_step()
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
            _shifts(results),
            *(_notes(result) for result in results),
            table(["", *LABELS.values(), "voxels"], rows),
            _views(drawn)
            if drawn
            else '<p class="soft">No pictures: a report holds those of the first fields only.</p>',
            _plots(results, drawn),
            *(_planes(result) for result in results),
            *(_provenance(result) for result in results),
        ],
        anchor(first),
    )


def _named_regions(result: Result) -> dict[str, Scores]:
    return {_REGIONS[name]: scores for name, scores in result.regions.items()}


def _described(result: Result) -> str:
    truth, channel = result.case.truth, result.case.channel
    axes = [axis for axis in "TZYX" if axis in "YX" or truth.sizes[axis] > 1]
    sizes = " × ".join(str(truth.sizes[axis]) for axis in axes)
    known = any(size is not None for size in truth.voxel_size_um)
    voxel = " × ".join("?" if size is None else f"{size:.4g}" for size in truth.voxel_size_um)
    size = f"{voxel} µm (z, y, x)" if known else "voxel size not stated in the file"
    step = f", {truth.time_step_s:.4g} s between time points" if truth.time_step_s else ""
    of = f"channel {channel.name} of " if channel.name else f"{channel.label} of " if len(truth.channels) > 1 else ""
    left_out = f" Left out as not finite: {result.not_finite:,} voxels." if result.not_finite else ""
    ceiling = (
        f" Noise ceiling of the PCC: {result.ceiling:.3f}, from {count(result.recordings, 'recording')} of the truth."
        if math.isfinite(result.ceiling)
        else ""
    )
    blur = result.blur
    baseline = (
        f" Blurred input: sigma {blur.sigma:g} voxels{', inverted' if blur.sign < 0 else ''}, the best for this field."
        if blur
        else ""
    )
    return (
        f"Truth: {of}{truth.path or truth.name}. {sizes} voxels ({' × '.join(axes)}), {size}{step}. "
        f"Foreground above {result.threshold:.5g}.{left_out}{baseline}{ceiling}"
    )


def _shifts(results: Sequence[Result]) -> str:
    """What was found of each prediction; in one line for all where nothing has to be done."""
    told = [(result, result.shift) for result in results if result.shift is not None]
    parts = [_shifted(result, shift) for result, shift in told if shift.shifted]
    for significant, kind, said in _CALM:
        models = [r.case.model for r, shift in told if not shift.shifted and shift.significant is significant]
        if models:
            by = f" ({listed(models)})" if len(results) > 1 else ""
            parts.append(f'<p class="{kind}">Registration: {text(f"{said}{by}")}.</p>')
    return "".join(parts)


def _shifted(result: Result, shift: ShiftCheck) -> str:
    doubt = "It is weak, so the two may also show different structures. " if shift.pcc_after < _WEAK else ""
    return (
        f'<div class="warn"><b>The truth looks shifted against the prediction ({text(result.case.model)}): '
        f"{text(_by(shift))}.</b>"
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
    notes = [*result.case.notes, *result.case.record.notes]
    said = result.case.disclaimer  # at the top of the page already
    listed = [f"<li>{text(f'{result.case.model}: {note}')}</li>" for note in notes if not said or said not in note]
    return f"<ul>{''.join(listed)}</ul>" if listed else ""


def _views(results: Sequence[Result]) -> str:
    views = results[0].views
    if views is None:
        return ""
    binned = f", {views.binning} × {views.binning} voxels averaged" if views.binning > 1 else ""
    warning = " ".join(dict.fromkeys(result.case.disclaimer for result in results if result.case.disclaimer))
    sizes = results[0].case.truth.sizes
    named = (("Time point", views.t, sizes["T"]), ("Z step", views.z, sizes["Z"]))
    place = ", ".join(f"{name} {i}" for name, i, size in named if size > 1)
    plane = f"{place} (from 0): the plane whose truth varies most{binned}. " if place else ""
    averaged = "" if place or not binned else f"{binned[2:]}. "
    caption = (
        f"{plane}{averaged}Truth and fitted prediction share one display range (0.5–99.5 percentiles of the truth). "
        f"{warning}"
    ).rstrip()
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
    known = "<p>No record was found beside it.</p>"
    if result.case.record.is_known:
        known = f"<pre><code>{text(result.case.record.to_json())}</code></pre>"
    summary = f"How it was made: {Path(result.case.prediction_name).name} ({result.case.model})"
    return f"<details><summary>{text(summary)}</summary><p>{text(result.case.prediction_name)}</p>{known}</details>"


def _models(results: Sequence[Result]) -> str:
    """The card of each model, as far as it is known."""
    parts = ["<h2>Models</h2>"]
    for model in dict.fromkeys(result.case.model for result in results):
        result = next(r for r in results if r.case.model == model)
        card = result.card
        known = result.case.record.model
        trust = result.case.disclaimer
        if not trust and not known.name:
            trust = "Nothing is known of this model."
        facts = {
            "title": known.title,
            "weights (SHA-256)": known.weights_sha256,
            "licence": known.licence,
            "trust": trust,
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
