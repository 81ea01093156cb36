from .composite import save_composite
from .device import Device, choose_device, describe
from .fit import check_fit, verdict
from .plan import PredictionPlan, plan_prediction
from .predictor import iter_predict, predict
from .result import Block, Output, Prediction
from .to_zarr import predict_to_zarr

__all__ = [
    "Block",
    "Device",
    "Output",
    "Prediction",
    "PredictionPlan",
    "check_fit",
    "choose_device",
    "describe",
    "iter_predict",
    "plan_prediction",
    "predict",
    "predict_to_zarr",
    "save_composite",
    "verdict",
]
