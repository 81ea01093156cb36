from .errors import MitoPredictError
from .evaluation import Scores, evaluate
from .image import ChannelRole, ImageSource, from_array, open_image
from .judging import ModelVerdicts, judge_model
from .measurement import Measurements, measure
from .models import Model, ModelCard, list_models, load_model
from .prediction import (
    Block,
    Outcome,
    Prediction,
    TrafficLight,
    iter_predict,
    plan_prediction,
    predict,
    predict_many,
    predict_to_zarr,
    save_composite,
    traffic_lights,
)
from .training import Run, TrainingConfig, train

__all__ = [
    "Block",
    "ChannelRole",
    "ImageSource",
    "Measurements",
    "MitoPredictError",
    "Model",
    "ModelCard",
    "ModelVerdicts",
    "Outcome",
    "Prediction",
    "Run",
    "Scores",
    "TrafficLight",
    "TrainingConfig",
    "evaluate",
    "from_array",
    "iter_predict",
    "judge_model",
    "list_models",
    "load_model",
    "measure",
    "open_image",
    "plan_prediction",
    "predict",
    "predict_many",
    "predict_to_zarr",
    "save_composite",
    "traffic_lights",
    "train",
]

__version__: str
