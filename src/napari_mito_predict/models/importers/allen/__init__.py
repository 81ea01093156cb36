"""Models of pytorch_fnet (Allen Institute for Cell Science; Ounkomol et al. 2018) and of what descends from it."""

from __future__ import annotations

from napari_mito_predict.models.importers.allen.presets import PRESETS
from napari_mito_predict.models.importers.allen.reading import read, recognises

__all__ = ["PRESETS", "read", "recognises"]
