"""What the names of image files say."""

from __future__ import annotations

import re
from pathlib import Path

from pathvalidate import sanitize_filename

_IMAGE_SUFFIX = re.compile(r"((\.ome)?\.(tiff?|zarr|czi|png|jpe?g|lsm|stk)|\.companion\.ome)$", re.IGNORECASE)
_LONGEST_STEM = 150
"""Bytes. File systems take 255, and suffixes, keys of outputs and the marks of unfinished files come on top."""
_NAMELESS = "image"
_PREDICTION_SUFFIXES = (".ome.tiff", ".ome.tif", ".ome.zarr", ".tiff", ".tif", ".zarr", ".png")


def image_stem(image: str | Path) -> str:
    """The name of an image without what makes it one: ``cells.day2`` for ``cells.day2.ome.tif``."""
    path = Path(image)
    known = _IMAGE_SUFFIX.search(path.name)
    return path.name[: known.start()] if known else path.stem


def record_path(image: str | Path) -> Path:
    """Where the record of a prediction lies: ``cells.day2.prediction.json`` for ``cells.day2.ome.tif``.

    The one rule by which records are written and found. No other dot in a name has a meaning.
    """
    path = Path(image)
    suffix = next((suffix for suffix in _PREDICTION_SUFFIXES if path.name.lower().endswith(suffix)), "")
    return path.with_name(f"{path.name[: len(path.name) - len(suffix)]}.prediction.json")


def has_no_image(record: Path) -> bool:
    """Whether a record lies alone: its image was never written to the end, moved or deleted."""
    stem = record.name.removesuffix(".prediction.json")
    return not any(record.with_name(stem + suffix).exists() for suffix in _PREDICTION_SUFFIXES)


def as_text(name: str | Path) -> str:
    """A name or path with ``?`` for what is no text: Linux allows any bytes in names, and text files do not."""
    return str(name).encode("utf-8", errors="replace").decode("utf-8")


def file_stem(name: str) -> str:
    """Make a name that every file system takes out of any name: of an image, or of a layer that somebody typed.

    What has a meaning in paths, on any system, becomes ``_``, so that a file never leaves its folder; ``con`` and the
    other devices of Windows get a ``_`` as well, dots and spaces at the end go, and what is too long is cut.

    Parameters
    ----------
    name : str
        Any text.

    Returns
    -------
    str
        At most 150 bytes of UTF-8, never empty.
    """
    stem = str(sanitize_filename(as_text(name), replacement_text="_", platform="universal", max_len=_LONGEST_STEM))
    return stem.rstrip(". ") or _NAMELESS
