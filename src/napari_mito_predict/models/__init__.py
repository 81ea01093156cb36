"""Models: cards, packages on disk, and finding them by name."""

from __future__ import annotations

from napari_mito_predict.models.adding import add_to_models
from napari_mito_predict.models.card import (
    Architecture,
    Input,
    ModelCard,
    Normalisation,
    Origin,
    Target,
    Training,
)
from napari_mito_predict.models.card_tests import Agreement, MeasureVerdict, ModelTest, Unbeaten, ValueRange
from napari_mito_predict.models.card_text import SIMULATED_DISCLAIMER
from napari_mito_predict.models.download import is_address
from napari_mito_predict.models.folders import (
    add_shared_folder,
    forget_shared_folder,
    shared_folders,
    user_models_folder,
)
from napari_mito_predict.models.importers import Told
from napari_mito_predict.models.info import ModelInfo, Source, printable
from napari_mito_predict.models.judged import judgeable_model, save_verdicts
from napari_mito_predict.models.library import ExportFormat, export_model, has_self_test, import_model
from napari_mito_predict.models.own import own_model, remove_model, rename_model
from napari_mito_predict.models.package import Model, VerifyReport, read_card, read_package, save_model, verify_model
from napari_mito_predict.models.registry import bundled_names, find_model, list_models, load_model

__all__ = [
    "SIMULATED_DISCLAIMER",
    "Agreement",
    "Architecture",
    "ExportFormat",
    "Input",
    "MeasureVerdict",
    "Model",
    "ModelCard",
    "ModelInfo",
    "ModelTest",
    "Normalisation",
    "Origin",
    "Source",
    "Target",
    "Told",
    "Training",
    "Unbeaten",
    "ValueRange",
    "VerifyReport",
    "add_shared_folder",
    "add_to_models",
    "bundled_names",
    "export_model",
    "find_model",
    "forget_shared_folder",
    "has_self_test",
    "import_model",
    "is_address",
    "judgeable_model",
    "list_models",
    "load_model",
    "own_model",
    "printable",
    "read_card",
    "read_package",
    "remove_model",
    "rename_model",
    "save_model",
    "save_verdicts",
    "shared_folders",
    "user_models_folder",
    "verify_model",
]
