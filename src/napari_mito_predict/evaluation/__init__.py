"""Agreement of predictions with the truth."""

from __future__ import annotations

from napari_mito_predict.evaluation.alignment import ShiftCheck, check_shift
from napari_mito_predict.evaluation.baselines import BlurredInput, MeanTruth, noise_ceiling
from napari_mito_predict.evaluation.correlation import pcc, pcc_and_ssim, ssim_global
from napari_mito_predict.evaluation.metrics import Scaling, Scores, evaluate
from napari_mito_predict.evaluation.regions import PartScores, evaluate_planes, evaluate_time_points, foreground
from napari_mito_predict.evaluation.registration import Shift, edges, find_shift, move
from napari_mito_predict.evaluation.streaming import StreamingPcc

__all__ = [
    "BlurredInput",
    "MeanTruth",
    "PartScores",
    "Scaling",
    "Scores",
    "Shift",
    "ShiftCheck",
    "StreamingPcc",
    "check_shift",
    "edges",
    "evaluate",
    "evaluate_planes",
    "evaluate_time_points",
    "find_shift",
    "foreground",
    "move",
    "noise_ceiling",
    "pcc",
    "pcc_and_ssim",
    "ssim_global",
]
