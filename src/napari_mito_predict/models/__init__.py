"""Models: cards, packages on disk, and finding them by name."""

from __future__ import annotations

from napari_mito_predict.models.card import (
    Agreement,
    Architecture,
    Input,
    ModelCard,
    ModelTest,
    Normalisation,
    Target,
    Training,
    Unbeaten,
)
from napari_mito_predict.models.card_text import SIMULATED_DISCLAIMER
from napari_mito_predict.models.folders import (
    add_shared_folder,
    forget_shared_folder,
    shared_folders,
    user_models_folder,
)
from napari_mito_predict.models.package import Model, VerifyReport, read_card, read_package, save_model, verify_model
from napari_mito_predict.models.registry import (
    ModelInfo,
    Source,
    add_to_models,
    bundled_names,
    find_model,
    list_models,
    load_model,
)

__all__ = [
    "SIMULATED_DISCLAIMER",
    "Agreement",
    "Architecture",
    "Input",
    "Model",
    "ModelCard",
    "ModelInfo",
    "ModelTest",
    "Normalisation",
    "Source",
    "Target",
    "Training",
    "Unbeaten",
    "VerifyReport",
    "add_shared_folder",
    "add_to_models",
    "bundled_names",
    "find_model",
    "forget_shared_folder",
    "list_models",
    "load_model",
    "read_card",
    "read_package",
    "save_model",
    "shared_folders",
    "user_models_folder",
    "verify_model",
]
