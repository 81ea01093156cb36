"""One field and target of an evaluation report: numbers, pictures, curves, registration, provenance."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.report.evaluation import figures
from napari_mito_predict.report.evaluation.scores import LABELS, NONE, baseline_row, score_cells, score_row
from napari_mito_predict.report.evaluation.shifts import not_told, registered, shifted_truths
from napari_mito_predict.report.evaluation.truths import describe_truth
from napari_mito_predict.report.pieces import Caution, Picture, Row, Table
from napari_mito_predict.report.words import capitalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_mito_predict.evaluation.results import Result
    from napari_mito_predict.evaluation.views import Views
    from napari_mito_predict.image import ImageSource

_REGIONS = {"foreground": "foreground", "mask": "within the mask"}


@dataclass(frozen=True)
class Part:
    """Scores of parts of a volume, folded away.

    Attributes
    ----------
    summary : str
        What they are of.
    scores : Table
    """

    summary: str
    scores: Table


@dataclass(frozen=True)
class Provenance:
    """How a prediction was made.

    Attributes
    ----------
    summary : str
    name : str
        File, or how it was made.
    record : str
        As JSON; empty where there is none.
    """

    summary: str
    name: str
    record: str


@dataclass(frozen=True)
class FieldPart:
    """What `evaluation/field.html.j2` shows of one field and target.

    Attributes
    ----------
    anchor : str
        Where it stands on the page.
    heading, described, about_truth : str
        `about_truth` is empty, but where the truth is a prediction itself.
    shifted : tuple of Caution
        Truths that look shifted against a prediction.
    registered, not_told : str
        For which predictions there is no shift, and for which that cannot be told; empty where for none.
    flickers : tuple of str
    notes : tuple of tuple of str
        Of each prediction.
    scores : Table
    views : Picture or None
    plots : tuple of Picture
    both_of_one_model : bool
        There are two plots, and one model: one plot needs less room than the other.
    parts : tuple of Part
    provenance : tuple of Provenance
    """

    anchor: str
    heading: str
    described: str
    about_truth: str
    shifted: tuple[Caution, ...]
    registered: str
    not_told: str
    flickers: tuple[str, ...]
    notes: tuple[tuple[str, ...], ...]
    scores: Table
    views: Picture | None
    plots: tuple[Picture, ...]
    both_of_one_model: bool
    parts: tuple[Part, ...]
    provenance: tuple[Provenance, ...]


def field_part(results: Sequence[Result]) -> FieldPart:
    """All predictions of one field and target; draws their pictures."""
    case = results[0].case
    drawn = [result for result in results if result.views is not None]
    plots = tuple(_plots(results, drawn))
    parts: list[Part] = []
    for result in results:
        parts += _parts(result)
    return FieldPart(
        anchor=anchor(results[0]),
        heading=f"{case.field}: {capitalised(case.target)}",
        described=describe_truth(results[0]),
        about_truth=case.about_truth,
        shifted=tuple(shifted_truths(results)),
        registered=registered(results),
        not_told=not_told(results),
        flickers=tuple(said for said in map(_flicker, results) if said),
        notes=tuple(map(_notes, results)),
        scores=_scores(results),
        views=_views(drawn),
        plots=plots,
        both_of_one_model=len(results) == 1 and len(plots) == 2,
        parts=tuple(parts),
        provenance=tuple(map(_provenance, results)),
    )


def anchor(result: Result) -> str:
    """Where a field and target stand on the page; of the name nothing is used that could mean something in HTML."""
    name = f"{result.case.field}\0{result.case.target}".encode("utf-8", "surrogatepass")
    return "field-" + hashlib.sha256(name).hexdigest()[:12]


def _scores(results: Sequence[Result]) -> Table:
    rows = []
    for result in results:
        rows.append(score_row(f"{result.case.model}, all voxels", result.scores))
        rows += [score_row(f"{result.case.model}, {_REGIONS[name]}", scores) for name, scores in result.regions.items()]
    rows += [baseline_row(name, scores) for name, scores in results[0].baselines.items()]
    return Table(["", *LABELS.values(), "voxels"], rows)


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
        f"Flicker of {result.case.model}: {100 * found.prediction:.0f} % of the contrast comes and goes between one "
        f"time point and the next ({', '.join(others)})."
    )


def _notes(result: Result) -> tuple[str, ...]:
    notes = [*result.case.notes, *result.case.record.notes]
    disclaimer = result.case.disclaimer
    if disclaimer:  # at the top of the page already
        notes = [note for note in notes if disclaimer not in note]
    return tuple(f"{result.case.model}: {note}" for note in notes)


def _views(results: Sequence[Result]) -> Picture | None:
    if not results or results[0].views is None:
        return None
    disclaimers = dict.fromkeys(result.case.disclaimer for result in results if result.case.disclaimer)
    sentences = [
        *_plane_shown(results[0].views, results[0].case.truth),
        "Truth and fitted prediction share one display range (0.5–99.5 percentiles of the truth).",
        *disclaimers,
    ]
    return Picture(figures.draw_views(results), " ".join(sentences))


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


def _plots(results: Sequence[Result], drawn: Sequence[Result]) -> Iterator[Picture]:
    """Prediction against truth, and the scores along the stack or series."""
    if drawn:
        caption = (
            "All finite voxels, each image clipped to its 0.1–99.9 percentiles; the line is the least-squares fit."
        )
        yield Picture(figures.draw_scatter(drawn), caption)
    if max(len(results[0].planes), len(results[0].time_points)) > 1:
        over = "time points" if results[0].time_points else "Z steps"
        caption = f"Scores over {over}, with percentiles and fit of the whole volume."
        yield Picture(figures.draw_curves(results), caption)


def _parts(result: Result) -> Iterator[Part]:
    """Scores of time points and planes, where there are several."""
    for name, parts in (("Time points", result.time_points), ("Planes", result.planes)):
        if len(parts) < 2:
            continue
        rows = []
        for part in parts:
            t = NONE if part.t is None else str(part.t)
            z = "all" if part.z is None else str(part.z)
            rows.append(Row([t, z, *score_cells(part.scores)]))
        summary = f"{name}: {len(rows)} rows of numbers ({result.case.model})"
        yield Part(summary, Table(["t", "z", *LABELS.values(), "voxels"], rows))


def _provenance(result: Result) -> Provenance:
    name = result.case.prediction_name
    record = ""
    if result.case.record.is_known:
        record = result.case.record.to_json()
    return Provenance(f"How it was made: {Path(name).name} ({result.case.model})", name, record)
