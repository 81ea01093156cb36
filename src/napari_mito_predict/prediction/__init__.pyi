from .batch.outcome import Outcome
from .composite import save_composite
from .device import Device, choose_device, describe
from .execute import Execution, run
from .fit import check_fit
from .looking import look, traffic_lights
from .many import predict_many
from .plan import PredictionPlan, plan_prediction
from .predictor import iter_predict, predict
from .result import Block, Output, Prediction
from .run_state import RunContext
from .to_plate import predict_into_field, run_into_field, run_into_new_plate
from .to_zarr import predict_to_zarr, run_to_zarr
from .traffic_light import Colour, TrafficLight

__all__ = [
    "Block",
    "Colour",
    "Device",
    "Execution",
    "Outcome",
    "Output",
    "Prediction",
    "PredictionPlan",
    "RunContext",
    "TrafficLight",
    "check_fit",
    "choose_device",
    "describe",
    "iter_predict",
    "look",
    "plan_prediction",
    "predict",
    "predict_into_field",
    "predict_many",
    "predict_to_zarr",
    "run",
    "run_into_field",
    "run_into_new_plate",
    "run_to_zarr",
    "save_composite",
    "traffic_lights",
]
