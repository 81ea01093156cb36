"""Agreement of predictions with the truth."""

from __future__ import annotations

from napari_mito_predict.evaluation.alignment import ShiftCheck, check_shift
from napari_mito_predict.evaluation.baselines import (
    BASELINES,
    Baseline,
    BlurredInput,
    LocalContrast,
    MeanTruth,
    noise_ceiling,
)
from napari_mito_predict.evaluation.correlation import pcc, pcc_and_ssim, ssim_global
from napari_mito_predict.evaluation.fine import StreamingFinePcc, fine_pcc
from napari_mito_predict.evaluation.flicker import Flicker, StreamingFlicker, flicker
from napari_mito_predict.evaluation.metrics import Scaling, Scores, evaluate
from napari_mito_predict.evaluation.regions import PartScores, evaluate_planes, evaluate_time_points, foreground
from napari_mito_predict.evaluation.registration import Shift, edges, find_shift, move
from napari_mito_predict.evaluation.spectrum import fsc_resolution, spectral_pcc
from napari_mito_predict.evaluation.streaming import StreamingPcc

__all__ = [
    "BASELINES",
    "Baseline",
    "BlurredInput",
    "Flicker",
    "LocalContrast",
    "MeanTruth",
    "PartScores",
    "Scaling",
    "Scores",
    "Shift",
    "ShiftCheck",
    "StreamingFinePcc",
    "StreamingFlicker",
    "StreamingPcc",
    "check_shift",
    "edges",
    "evaluate",
    "evaluate_planes",
    "evaluate_time_points",
    "find_shift",
    "fine_pcc",
    "flicker",
    "foreground",
    "fsc_resolution",
    "move",
    "noise_ceiling",
    "pcc",
    "pcc_and_ssim",
    "spectral_pcc",
    "ssim_global",
]
