"""A report as rows for a spreadsheet and as JSON for scripts."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

from napari_mito_predict._tables import write_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_mito_predict.evaluation.metrics import Scores
    from napari_mito_predict.evaluation.results import Report, Result

NORMALISATION = (
    "SSIM (global and windowed are different numbers): each image clipped to its 0.1-99.9 percentiles over the volume "
    "and scaled to [0, 1], L = 1. R2, NRMSE, PSNR and MAE: after a least-squares fit of the prediction to the truth "
    "over the volume, because predicted intensity is relative. Fine PCC: after subtracting from each image its blur by "
    "a Gaussian of 1.3 um (12 pixels where the voxel size is unknown)."
)
"""Has to stand wherever the numbers do."""
_KEYS = ("field", "target", "model", "part", "t", "z")
SCORES = (
    "pcc",
    "fine_pcc",
    "spectral_pcc",
    "ssim_global",
    "ssim_windowed",
    "r2",
    "nrmse",
    "psnr",
    "mae",
    "resolution_um",
    "voxels",
)
"""Columns of tables and lines of reports, in this order."""
_FILES = ("prediction", "truth", "truth_channel", "truth_is_prediction_by", "disclaimer", "normalisation")


def write_csv(report: Report, path: Path) -> Path:
    """Write one row for each prediction and each of its parts: whole, foreground, mask, planes, time points, baselines.

    Parameters
    ----------
    report : Report
        What `gather` gave.
    path : Path
        Replaced where it exists. UTF-8; an empty cell means that the number has no meaning there.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    rows = chain.from_iterable(map(_rows, report.results))
    write_table(path, (*_KEYS, *SCORES, *_FILES), rows)
    return path


def as_record(report: Report) -> dict[str, Any]:
    """The whole report for JSON, without pictures; numbers without meaning are NaN.

    Returns
    -------
    dict
        ``results``, ``comparisons``, ``skipped``, ``created``, ``versions``.
    """
    return {
        "results": [result_record(result) for result in report.results],
        "comparisons": [asdict(comparison) for comparison in report.comparisons],
        "skipped": list(report.skipped),
        "created": report.created,
        "versions": report.versions,
    }


def result_record(result: Result) -> dict[str, Any]:
    """One prediction beside its truth, for JSON."""
    record: dict[str, Any] = {
        "field": result.case.field,
        "target": result.case.target,
        "model": result.case.model,
        **_files(result),
        **asdict(result.scores),
        "regions": {name: asdict(scores) for name, scores in result.regions.items()},
        "foreground_threshold": result.threshold,
        "baselines": {name: asdict(scores) for name, scores in result.baselines.items()},
        "noise_ceiling_pcc": result.ceiling,
        "voxels_not_finite": result.not_finite,
        "scaling": asdict(result.scaling),
        "planes": [{"t": part.t, "z": part.z, **asdict(part.scores)} for part in result.planes],
        "notes": [note for note in (result.case.about_truth, *result.case.notes) if note],
    }
    if result.time_points:
        record["time_points"] = [{"t": part.t, **asdict(part.scores)} for part in result.time_points]
    if result.flicker is not None:
        record["flicker"] = asdict(result.flicker)
    if result.shift is not None:
        record["shift"] = asdict(result.shift)
    return record


def _rows(result: Result) -> Iterator[dict[str, object]]:
    head = {"field": result.case.field, "target": result.case.target, "model": result.case.model}

    def row(part: str, scores: Scores, t: int | None = None, z: int | None = None) -> dict[str, object]:
        values = {name: _cell(getattr(scores, name)) for name in SCORES}
        place = {"part": part, "t": "" if t is None else t, "z": "" if z is None else z}
        return head | place | values | _files(result)

    yield row("all", result.scores)
    for name, scores in result.regions.items():
        yield row(name, scores)
    for name, scores in result.baselines.items():
        yield row(f"baseline: {name}", scores)
    for part in result.time_points:
        yield row("time point", part.scores, part.t)
    for part in result.planes:
        yield row("plane", part.scores, part.t, part.z)


def _files(result: Result) -> dict[str, object]:
    case = result.case
    made_by: str | None = None
    if case.channel.prediction is not None:
        made_by = case.channel.prediction.by
    return {
        "prediction": case.prediction_name,
        "truth": str(case.truth.path or case.truth.name),
        "truth_channel": case.channel.index if case.channel.name is None else case.channel.name,
        "truth_is_prediction_by": made_by,
        "disclaimer": case.disclaimer,
        "normalisation": NORMALISATION,
    }


def _cell(value: float) -> object:
    if isinstance(value, int):
        return value
    return f"{value:.9g}" if value == value else ""
