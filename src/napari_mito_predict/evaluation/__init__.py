"""Agreement of predictions with the truth."""

from __future__ import annotations

from napari_mito_predict.evaluation.baselines import BlurredInput
from napari_mito_predict.evaluation.metrics import Scores, evaluate, pcc, ssim_global
from napari_mito_predict.evaluation.registration import Shift, edges, find_shift, move

__all__ = ["BlurredInput", "Scores", "Shift", "edges", "evaluate", "find_shift", "move", "pcc", "ssim_global"]
