"""From an image and models to predictions: whole or block by block, the same answer whatever the tiling.

Names are imported when they are first used, so that `fit` works without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_mito_predict.prediction.composite import save_composite
    from napari_mito_predict.prediction.device import Device, choose_device, describe
    from napari_mito_predict.prediction.fit import check_fit, verdict
    from napari_mito_predict.prediction.plan import PredictionPlan, plan_prediction
    from napari_mito_predict.prediction.predictor import iter_predict, predict
    from napari_mito_predict.prediction.result import Block, Output, Prediction
    from napari_mito_predict.prediction.to_zarr import predict_to_zarr

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

_HOMES = {
    "composite": ("save_composite",),
    "device": ("Device", "choose_device", "describe"),
    "fit": ("check_fit", "verdict"),
    "plan": ("PredictionPlan", "plan_prediction"),
    "predictor": ("iter_predict", "predict"),
    "result": ("Block", "Output", "Prediction"),
    "to_zarr": ("predict_to_zarr",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
