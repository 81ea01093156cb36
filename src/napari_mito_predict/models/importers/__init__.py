"""Models of other programs: which format a file has, and reading it as one of ours."""

from __future__ import annotations

from napari_mito_predict.models.importers.foreign import ForeignModel, Told
from napari_mito_predict.models.importers.recognise import read_foreign

__all__ = ["ForeignModel", "Told", "read_foreign"]
