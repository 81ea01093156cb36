"""Models of ours as packages of the BioImage Model Zoo (bioimage.io), format 0.5."""

from __future__ import annotations

from napari_mito_predict.models.bioimageio.description import CONFIG, OWN_WEIGHTS
from napari_mito_predict.models.bioimageio.library import problems, quiet, specification
from napari_mito_predict.models.bioimageio.package import write_bioimageio

__all__ = ["CONFIG", "OWN_WEIGHTS", "problems", "quiet", "specification", "write_bioimageio"]
