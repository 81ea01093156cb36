"""What the names of image files say."""

from __future__ import annotations

import re
from pathlib import Path

_IMAGE_SUFFIX = re.compile(r"(\.ome)?\.(tiff?|zarr|czi|png)$", re.IGNORECASE)
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
