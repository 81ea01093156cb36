"""An evaluation report as one HTML file that needs nothing else: no scripts, no network."""

from __future__ import annotations

import math
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.evaluation import figures
from napari_mito_predict.evaluation.baselines import Baseline, BlurredInput, LocalContrast
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
from napari_mito_predict.models import SIMULATED_DISCLAIMER
from napari_mito_predict.models.card_text import training_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_mito_predict.evaluation.alignment import ShiftCheck
    from napari_mito_predict.evaluation.cases import Case
    from napari_mito_predict.evaluation.metrics import Scores
    from napari_mito_predict.evaluation.views import Views
    from napari_mito_predict.image import ImageSource

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
        *map(_disclaimer, (*report.about_truths, *report.disclaimers)),
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
    meaning = _WHAT_SIMULATED_MEANS if SIMULATED_DISCLAIMER in words else ""
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
            _about_truth(case),
            _shifts(results),
            *(_flicker(result) for result in results),
            *(_notes(result) for result in results),
            table(["", *LABELS.values(), "voxels"], rows),
            _views(drawn),
            _plots(results, drawn),
            *(_planes(result) for result in results),
            *(_provenance(result) for result in results),
        ],
        anchor(first),
    )


def _about_truth(case: Case) -> str:
    return f'<div class="warn">{text(case.about_truth)}</div>' if case.about_truth else ""


def _named_regions(result: Result) -> dict[str, Scores]:
    return {_REGIONS[name]: scores for name, scores in result.regions.items()}


def _described(result: Result) -> str:
    """What the truth is, how large, and what was found of it."""
    truth = result.case.truth
    axes = [axis for axis in "TZYX" if axis in "YX" or truth.sizes[axis] > 1]
    sizes = " × ".join(str(truth.sizes[axis]) for axis in axes)
    sentences = [
        f"Truth: {_channel(result.case)}{truth.path or truth.name}.",
        f"{sizes} voxels ({' × '.join(axes)}), {_sampling(truth)}.",
        f"Foreground above {result.threshold:.5g}.",
    ]
    if result.not_finite:
        sentences.append(f"Left out as not finite: {result.not_finite:,} voxels.")
    if result.fitted:
        fitted = [_fitted(baseline) for baseline in result.fitted.values()]
        sentences.append(f"Baselines, as they fit this field best: {'; '.join(fitted)}.")
    if math.isfinite(result.ceiling):
        recordings = count(result.recordings, "recording")
        sentences.append(f"Noise ceiling of the PCC: {result.ceiling:.3f}, from {recordings} of the truth.")
    return " ".join(sentences)


def _fitted(baseline: Baseline) -> str:
    """What was chosen of a baseline, such as ``blur of sigma 2 voxels, inverted``."""
    match baseline:
        case BlurredInput(sigma=sigma):
            words = f"blur of sigma {sigma:g} voxels"
        case LocalContrast(window=window):
            words = f"contrast in {window} × {window} voxels"
        case _:
            raise TypeError(baseline)
    return f"{words}, inverted" if baseline.sign < 0 else words


def _channel(case: Case) -> str:
    """Such as ``channel TMRM of ``; empty for the only, unnamed one."""
    if case.channel.name:
        return f"channel {case.channel.name} of "
    if len(case.truth.channels) > 1:
        return f"{case.channel.label} of "
    return ""


def _sampling(image: ImageSource) -> str:
    """Voxel size and time step."""
    voxel = "voxel size not stated in the file"
    if any(size is not None for size in image.voxel_size_um):
        sizes = ["?" if size is None else f"{size:.4g}" for size in image.voxel_size_um]
        voxel = f"{' × '.join(sizes)} µm (z, y, x)"
    if image.time_step_s:
        return f"{voxel}, {image.time_step_s:.4g} s between time points"
    return voxel


def _flicker(result: Result) -> str:
    """How much a series flickers, beside its truth and its light."""
    found = result.flicker
    if found is None or math.isnan(found.prediction):
        return ""
    others = [
        f"{name} {100 * value:.0f} %"
        for name, value in (("truth", found.truth), ("light", found.light))
        if math.isfinite(value)
    ]
    return (
        f'<p class="soft">Flicker of {text(result.case.model)}: {100 * found.prediction:.0f} % of the contrast comes '
        f"and goes between one time point and the next ({', '.join(others)}).</p>"
    )


def _shifts(results: Sequence[Result]) -> str:
    """What was found of each prediction; in one line for all where nothing has to be done."""
    told = [(result, result.shift) for result in results if result.shift is not None]
    parts = [_shifted(result, shift) for result, shift in told if shift.shifted]
    for significant, kind, said in _CALM:
        models = [r.case.model for r, shift in told if not shift.shifted and shift.significant is significant]
        if models and len(results) > 1:
            said += f" ({listed(models)})"
        if models:
            parts.append(f'<p class="{kind}">Registration: {text(said)}.</p>')
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
        if not voxels:
            continue
        moved = f"{axis} {voxels:+d} voxels"
        if um is not None:
            moved += f" ({um:+.3g} µm)"
        parts.append(moved)
    return ", ".join(parts).replace("-", "−")


def _notes(result: Result) -> str:
    notes = [*result.case.notes, *result.case.record.notes]
    disclaimer = result.case.disclaimer
    if disclaimer:  # at the top of the page already
        notes = [note for note in notes if disclaimer not in note]
    if not notes:
        return ""
    items = [f"<li>{text(f'{result.case.model}: {note}')}</li>" for note in notes]
    return f"<ul>{''.join(items)}</ul>"


def _views(results: Sequence[Result]) -> str:
    if not results or results[0].views is None:
        return '<p class="soft">No pictures: a report holds those of the first fields only.</p>'
    disclaimers = dict.fromkeys(result.case.disclaimer for result in results if result.case.disclaimer)
    sentences = [
        *_plane_shown(results[0].views, results[0].case.truth),
        "Truth and fitted prediction share one display range (0.5–99.5 percentiles of the truth).",
        *disclaimers,
    ]
    return picture(figures.draw_views(results), " ".join(sentences))


def _plane_shown(views: Views, truth: ImageSource) -> Iterator[str]:
    """Which plane a picture shows, and how many voxels are one pixel of it."""
    named = (("Time point", views.t, truth.sizes["T"]), ("Z step", views.z, truth.sizes["Z"]))
    place = ", ".join(f"{name} {i}" for name, i, size in named if size > 1)
    averaged = f"{views.binning} × {views.binning} voxels averaged"
    if place and views.binning > 1:
        yield f"{place} (from 0): the plane whose truth varies most, {averaged}."
    elif place:
        yield f"{place} (from 0): the plane whose truth varies most."
    elif views.binning > 1:
        yield f"{averaged}."


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
    both_of_one = len(results) == 1 and len(pictures) == 2
    kind = "pair one" if both_of_one else "pair"
    return f'<div class="{kind}">{"".join(pictures)}</div>'


def _planes(result: Result) -> str:
    parts = [("Time points", result.time_points), ("Planes", result.planes)]
    tables = []
    for name, rows in parts:
        if len(rows) < 2:
            continue
        head = ["t", "z", *LABELS.values(), "voxels"]
        body = []
        for part in rows:
            t = "–" if part.t is None else part.t
            z = "all" if part.z is None else part.z
            body.append(row([t, z], _score_cells(part.scores)))
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
            "attribution": known.attribution,
            "trust": trust,
        }
        if card is not None:
            sizes = ["–" if size is None else f"{size:g}" for size in card.input.voxel_size_um]
            voxels = f"voxels {' × '.join(sizes)} µm (z, y, x)"
            if not card.input.sampling_known:
                voxels = "voxel size unknown"
            facts |= {
                "trained on": training_text(card),
                "made for": f"{', '.join(card.input.third_axes) or 'single planes'}; {voxels}",
                "network": card.architecture.kind,
                "notes": card.training.notes,
            }
        known_facts = {name: fact for name, fact in facts.items() if fact}
        items = "".join(f"<dt>{text(name)}</dt><dd>{text(str(fact))}</dd>" for name, fact in known_facts.items())
        parts.append(f"<h3>{text(model)}</h3><dl>{items}</dl>")
    return section(parts)


def _skipped(skipped: Sequence[str]) -> str:
    if not skipped:
        return ""
    items = "".join(f"<li>{text(line)}</li>" for line in skipped)
    return section([f"<h2>Not compared: {len(skipped)}</h2>", f"<ul>{items}</ul>"])


def _software(report: Report) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return f'<p class="soft">Computed with {text(versions)}.</p>'


def _score_row(name: str, scores: Scores, kind: str = "") -> str:
    return row([name], _score_cells(scores), kind)


def _score_cells(scores: Scores) -> list[tuple[str, bool]]:
    cells = [(number(metric, getattr(scores, metric)), False) for metric in LABELS]
    return [*cells, (f"{scores.voxels:,}", False)]
