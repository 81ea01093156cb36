from .composite import save_composite
from .device import Device, choose_device, describe
from .execute import Execution, run
from .fit import check_fit, verdict
from .plan import PredictionPlan, plan_prediction
from .predictor import iter_predict, predict
from .result import Block, Output, Prediction
from .run_state import RunContext
from .to_plate import predict_into_field, run_into_field, run_into_new_plate
from .to_zarr import predict_to_zarr, run_to_zarr

__all__ = [
    "Block",
    "Device",
    "Execution",
    "Output",
    "Prediction",
    "PredictionPlan",
    "RunContext",
    "check_fit",
    "choose_device",
    "describe",
    "iter_predict",
    "plan_prediction",
    "predict",
    "predict_into_field",
    "predict_to_zarr",
    "run",
    "run_into_field",
    "run_into_new_plate",
    "run_to_zarr",
    "save_composite",
    "verdict",
]
