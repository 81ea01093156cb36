"""What is known of a prediction: the record beside it, the words in it, the card of its model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_mito_predict.errors import EvaluationError, ModelError
from napari_mito_predict.image.names import record_path
from napari_mito_predict.models import SIMULATED_DISCLAIMER, ModelCard, find_model, read_card

_LARGEST_RECORD = 1 << 22


def read_record(prediction: Path) -> dict[str, Any]:
    """The record beside a prediction, ``cells.prediction.json`` for ``cells.ome.tif``; empty where there is none.

    Raises
    ------
    EvaluationError
        There is a record, but it cannot be read.
    """
    found = find_record(prediction)
    if found is None:
        return {}
    try:
        if found.stat().st_size > _LARGEST_RECORD:
            raise ValueError("it is far too large")
        record = json.loads(found.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EvaluationError(
            f"{found}: the record of {prediction.name} cannot be read ({error}). Remove it to go on without."
        ) from error
    if not isinstance(record, dict):
        raise EvaluationError(f"{found}: this is no record of a prediction. Remove it to go on without.")
    return record


def find_record(prediction: Path) -> Path | None:
    """Where the record of a prediction is; None where there is none."""
    path = record_path(prediction)
    return path if path.is_file() else None


def read_disclaimer(prediction: Path) -> str:
    """The disclaimer as the image file itself carries it, for a prediction whose record was lost; else empty."""
    text = _zarr_description(prediction) if prediction.is_dir() else _tiff_description(prediction)
    return SIMULATED_DISCLAIMER if SIMULATED_DISCLAIMER in text else ""


def find_card(record: Mapping[str, Any]) -> ModelCard | None:
    """The card of the model that made a prediction, if that very model (by its weights) is still among the models."""
    model = part_of(record, "model")
    if not model.get("name"):
        return None
    try:
        card = read_card(find_model(str(model["name"])))
    except ModelError:
        return None
    return card if card.weights.sha256 == model.get("weights_sha256") else None


def part_of(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A part of a record; empty where it has none of that name."""
    part = record.get(key)
    return part if isinstance(part, Mapping) else {}


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
