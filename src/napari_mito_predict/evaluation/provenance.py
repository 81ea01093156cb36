"""What is known of the model that made a prediction, besides the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mito_predict.errors import ModelError
from napari_mito_predict.models import ModelCard, find_model, read_card

if TYPE_CHECKING:
    from napari_mito_predict.models.record import PredictionRecord


def find_card(record: PredictionRecord) -> ModelCard | None:
    """The card of the model that made a prediction, if that very model (by its weights) is still among the models."""
    if not record.model.name:
        return None
    try:
        card = read_card(find_model(record.model.name, named_only=True))
    except ModelError:
        return None
    return card if card.weights.sha256 == record.model.weights_sha256 else None
