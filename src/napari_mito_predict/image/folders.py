"""What in a folder is an image."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from napari_mito_predict._reading import read_bytes
from napari_mito_predict.image.bioio_reader import BIOIO_SUFFIXES
from napari_mito_predict.image.ome_xml import part_names
from napari_mito_predict.image.tiff_sets import LARGEST_COMPANION
from napari_mito_predict.image.zarr_files import is_zarr

_PICTURES = (".png", ".jpg", ".jpeg")
"""Recordings at times, and pictures of them far more often."""
_COMPANION = ".companion.ome"
IMAGE_SUFFIXES = (".czi", ".tif", ".tiff", ".lsm", ".stk", _COMPANION, ".zarr", *BIOIO_SUFFIXES, *_PICTURES)


def list_images(folder: Path) -> list[Path]:
    """Images directly in `folder`, sorted; hidden files, such as those macOS leaves beside others, are none.

    Pictures count only where there is nothing else: beside recordings they are screenshots and figures. Of an OME-TIFF
    set with a companion, that is the image, and its parts are none.

    Parameters
    ----------
    folder : Path
        Has to exist.
    """
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    found = sorted(path for path in visible if path.name.lower().endswith(IMAGE_SUFFIXES) or is_zarr(path))
    parts: set[str] = set()
    for path in found:
        if path.name.lower().endswith(_COMPANION):
            parts.update(_parts_of(path))
    found = [path for path in found if path.name not in parts]
    recordings = [path for path in found if path.suffix.lower() not in _PICTURES]
    return recordings or found


def _parts_of(companion: Path) -> tuple[str, ...]:
    """Names of the files that a companion describes; empty for one that is damaged, which is said when it is opened."""
    try:
        return part_names(read_bytes(companion, LARGEST_COMPANION).decode("utf-8-sig", errors="replace"))
    except (OSError, ElementTree.ParseError, ValueError):
        return ()
