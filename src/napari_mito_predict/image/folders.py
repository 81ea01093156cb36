"""What in a folder is an image."""

from __future__ import annotations

from pathlib import Path

IMAGE_SUFFIXES = (".czi", ".tif", ".tiff", ".zarr")


def list_images(folder: Path) -> list[Path]:
    """Images directly in `folder`, sorted; hidden files, such as those macOS leaves beside others, are none.

    Parameters
    ----------
    folder : Path
        Has to exist.
    """
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
