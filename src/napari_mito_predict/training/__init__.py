"""Training: configuration, pairs, patches, the loop and its run folder."""

from __future__ import annotations

from napari_mito_predict.training.config import TrainingConfig
from napari_mito_predict.training.run import Run
from napari_mito_predict.training.trainer import train

__all__ = ["Run", "TrainingConfig", "train"]
