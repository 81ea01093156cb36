"""What in a folder is an image."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from napari_mito_predict.image.ome_xml import part_names

_PICTURES = (".png",)
"""Recordings at times, and pictures of them far more often."""
_COMPANION = ".companion.ome"
IMAGE_SUFFIXES = (".czi", ".tif", ".tiff", ".lsm", ".stk", _COMPANION, ".zarr", *_PICTURES)


def list_images(folder: Path) -> list[Path]:
    """Images directly in `folder`, sorted; hidden files, such as those macOS leaves beside others, are none.

    PNGs count only where there is nothing else: beside recordings they are screenshots and figures. Of an OME-TIFF set
    with a companion, that is the image, and its parts are none.

    Parameters
    ----------
    folder : Path
        Has to exist.
    """
    found = sorted(
        p for p in folder.iterdir() if p.name.lower().endswith(IMAGE_SUFFIXES) and not p.name.startswith(".")
    )
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
        return part_names(companion.read_text(encoding="utf-8-sig", errors="replace"))
    except (OSError, ElementTree.ParseError):
        return ()
