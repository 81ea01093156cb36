"""What is known of a prediction besides its record: the words in its file, the card of its model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import ModelError
from napari_mito_predict.models import SIMULATED_DISCLAIMER, ModelCard, find_model, read_card

if TYPE_CHECKING:
    from napari_mito_predict.models.record import PredictionRecord


def read_disclaimer(prediction: Path) -> str:
    """The disclaimer as the image file itself carries it, for a prediction whose record was lost; else empty."""
    text = _zarr_description(prediction) if prediction.is_dir() else _tiff_description(prediction)
    return SIMULATED_DISCLAIMER if SIMULATED_DISCLAIMER in text else ""


def find_card(record: PredictionRecord) -> ModelCard | None:
    """The card of the model that made a prediction, if that very model (by its weights) is still among the models."""
    if not record.model.name:
        return None
    try:
        card = read_card(find_model(record.model.name))
    except ModelError:
        return None
    return card if card.weights.sha256 == record.model.weights_sha256 else None


def _tiff_description(path: Path) -> str:
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            return tiff.ome_metadata or ""
    except (OSError, ValueError):
        return ""


def _zarr_description(path: Path) -> str:
    try:
        return (path / "zarr.json").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
