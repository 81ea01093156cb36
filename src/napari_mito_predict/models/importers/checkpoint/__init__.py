"""Checkpoint files of torch, read as data."""

from __future__ import annotations

from napari_mito_predict.models.importers.checkpoint.reading import is_checkpoint, load_checkpoint

__all__ = ["is_checkpoint", "load_checkpoint"]
