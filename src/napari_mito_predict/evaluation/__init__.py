"""Agreement of predictions with the truth."""

from __future__ import annotations

from napari_mito_predict.evaluation.metrics import Scores, evaluate, pcc, ssim_global

__all__ = ["Scores", "evaluate", "pcc", "ssim_global"]
