"""What in a folder is an image."""

from __future__ import annotations

from pathlib import Path

from napari_mito_predict.image.bioio_reader import BIOIO_SUFFIXES

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
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    recordings = [path for path in found if path.suffix.lower() not in _PICTURES]
    return recordings or found
