"""What in a folder is an image."""

from __future__ import annotations

from pathlib import Path

from napari_mito_predict.image.bioio_reader import BIOIO_SUFFIXES
from napari_mito_predict.image.zarr_files import is_zarr

_PICTURES = (".png", ".jpg", ".jpeg")
"""Recordings at times, and pictures of them far more often."""
IMAGE_SUFFIXES = (".czi", ".tif", ".tiff", ".zarr", *BIOIO_SUFFIXES, *_PICTURES)


def list_images(folder: Path) -> list[Path]:
    """Images directly in `folder`, sorted; hidden files, such as those macOS leaves beside others, are none.

    Pictures count only where there is nothing else: beside recordings they are screenshots and figures.

    Parameters
    ----------
    folder : Path
        Has to exist.
    """
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    found = sorted(path for path in visible if path.suffix.lower() in IMAGE_SUFFIXES or is_zarr(path))
    recordings = [path for path in found if path.suffix.lower() not in _PICTURES]
    return recordings or found
