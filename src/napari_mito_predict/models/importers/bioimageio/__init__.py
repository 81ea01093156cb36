"""Packages of the BioImage Model Zoo (bioimage.io), format 0.4 and 0.5, with one image in and images out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mito_predict.models.importers.bioimageio.contents import recognises
from napari_mito_predict.models.importers.bioimageio.reading import read

if TYPE_CHECKING:
    from napari_mito_predict.models.importers.foreign import Told

__all__ = ["PRESETS", "read", "recognises"]

PRESETS: dict[str, Told] = {}
"""None: these packages say what is to be known."""
