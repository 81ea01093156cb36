"""Label-free prediction of mitochondria and DNA from transmitted light.

>>> import napari_mito_predict as nmp
>>> image = nmp.open_image("cells.czi")                                      # doctest: +SKIP
>>> result = nmp.predict(image, [nmp.load_model("mito-z"), nmp.load_model("dna-z")])  # doctest: +SKIP
>>> result["mitochondria"].save("mitochondria.ome.tif")                      # doctest: +SKIP

Names are imported when they are first used: importing the package costs next to nothing, and neither torch nor Qt.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_mito_predict.errors import MitoPredictError
    from napari_mito_predict.evaluation import Scores, evaluate
    from napari_mito_predict.image import ChannelRole, ImageSource, from_array, open_image
    from napari_mito_predict.models import Model, ModelCard, list_models, load_model
    from napari_mito_predict.prediction import (
        Block,
        Prediction,
        iter_predict,
        plan_prediction,
        predict,
        predict_to_zarr,
        save_composite,
    )
    from napari_mito_predict.training import Run, TrainingConfig, train

__all__ = [
    "Block",
    "ChannelRole",
    "ImageSource",
    "MitoPredictError",
    "Model",
    "ModelCard",
    "Prediction",
    "Run",
    "Scores",
    "TrainingConfig",
    "evaluate",
    "from_array",
    "iter_predict",
    "list_models",
    "load_model",
    "open_image",
    "plan_prediction",
    "predict",
    "predict_to_zarr",
    "save_composite",
    "train",
]

_HOME = {
    "errors": ("MitoPredictError",),
    "evaluation": ("Scores", "evaluate"),
    "image": ("ChannelRole", "ImageSource", "from_array", "open_image"),
    "models": ("Model", "ModelCard", "list_models", "load_model"),
    "prediction": (
        "Block",
        "Prediction",
        "iter_predict",
        "plan_prediction",
        "predict",
        "predict_to_zarr",
        "save_composite",
    ),
    "training": ("Run", "TrainingConfig", "train"),
}
_MODULE_OF: dict[str, str] = {}
for _module, _names in _HOME.items():
    _MODULE_OF |= dict.fromkeys(_names, _module)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-mito-predict")
    if name not in _MODULE_OF:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
