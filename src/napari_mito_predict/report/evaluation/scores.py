"""Scores as rows of tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_mito_predict.report.pieces import Row

if TYPE_CHECKING:
    from napari_mito_predict.evaluation import Scores

LABELS = {
    "pcc": "PCC",
    "fine_pcc": "fine PCC",
    "spectral_pcc": "spectral PCC",
    "ssim_global": "SSIM, global form",
    "ssim_windowed": "SSIM, windowed",
    "r2": "R², fitted",
    "nrmse": "NRMSE, fitted",
    "psnr": "PSNR, fitted (dB)",
    "mae": "MAE, fitted",
    "resolution_um": "FSC resolution (µm)",
}
"""Measure -> head of its column."""
NONE = "–"
"""A score that there is not, or that has no meaning."""


def score_row(name: str, scores: Scores) -> Row:
    """Name, all measures and how many voxels they are of."""
    return Row([name, *score_cells(scores)])


def baseline_row(name: str, scores: Scores) -> Row:
    """The same of what has to be beaten."""
    return Row([f"baseline: {name}", *score_cells(scores)], "baseline")


def score_cells(scores: Scores) -> list[str]:
    """All measures and how many voxels they are of."""
    return [*(number(metric, getattr(scores, metric)) for metric in LABELS), f"{scores.voxels:,}"]


def number(metric: str, value: float) -> str:
    """A score as text, without ``−0.000``; ``–`` where it has no meaning."""
    if math.isinf(value):
        return "∞"
    if not math.isfinite(value):
        return NONE
    if metric == "mae":  # in the units of the truth, whatever they are
        shown = f"{value:#.4g}".rstrip(".")
    elif metric == "psnr":
        shown = f"{value:z.2f}"
    else:
        shown = f"{value:z.3f}"
    return shown.replace("-", "−")


def with_error(mean: float, error: float) -> str:
    """``+0.025 ± 0.030``: two digits of the error, and as many places of the mean."""
    if not math.isfinite(error):
        return f"{mean:+.3g} (one field: no error)".replace("-", "−")
    places = 4
    if error > 0:
        places = max(0, 1 - math.floor(math.log10(error)))
    return f"{mean:+.{places}f} ± {error:.{places}f}".replace("-", "−")
