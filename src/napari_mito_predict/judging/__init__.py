"""Which measures may be taken from predictions of a model, found on fields whose fluorescence was recorded too."""

from __future__ import annotations

from napari_mito_predict.judging.judge import judge_model
from napari_mito_predict.judging.model_verdicts import JudgedMeasure, ModelVerdicts, judge_measures

__all__ = ["JudgedMeasure", "ModelVerdicts", "judge_measures", "judge_model"]
