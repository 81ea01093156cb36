"""The record of a prediction within its image: it is there whenever the pixels are. The file beside is a copy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tifffile

from napari_mito_predict._reading import open_file
from napari_mito_predict.errors import ImageError
from napari_mito_predict.image.tiff_log import DECODE_ERRORS, logged
from napari_mito_predict.image.tiff_stored import refuse_vast_index
from napari_mito_predict.image.zarr_files import attributes_of, is_zarr
from napari_mito_predict.image.zarr_metadata import OURS

LARGEST_RECORD_BYTES = 1 << 22
RECORD_KEY = "record"
"""In our part of the attributes of an OME-Zarr."""
_TAG = 65042  # of those that TIFF leaves to whoever writes
_BYTES = 7  # TIFF's type of bytes without a meaning of their own
_TIFF_SUFFIXES = (".tif", ".tiff")


def record_tag(record: Mapping[str, Any]) -> tuple[int, int, int, bytes, bool]:
    """A record as the tag of the first page of a TIFF, as tifffile takes it."""
    text = json.dumps(record, ensure_ascii=False).encode("utf-8", errors="replace")
    return _TAG, _BYTES, len(text), text, True


def record_within(image: Path) -> dict[str, Any] | None:
    """Read the record that an image holds; None where it holds none that can be read."""
    if is_zarr(image):
        return _in_zarr(image)
    if image.name.lower().endswith(_TIFF_SUFFIXES):
        return _in_tiff(image)
    return None


def is_of_another(beside: Mapping[str, Any], within: Mapping[str, Any]) -> bool:
    """Whether the record beside an image was written for another one than the record within."""
    return bool(beside.get("image_id", "") != within.get("image_id", ""))


def _in_zarr(image: Path) -> dict[str, Any] | None:
    try:
        ours = attributes_of(image).get(OURS)
    except ImageError:
        return None
    record = ours.get(RECORD_KEY) if isinstance(ours, dict) else None
    return record if isinstance(record, dict) else None


def _in_tiff(image: Path) -> dict[str, Any] | None:
    try:
        refuse_vast_index(image)
        with logged(), open_file(image) as stream, tifffile.TiffFile(stream, name=image.name) as tiff:
            tag = tiff.pages.first.tags.get(_TAG)
            if tag is None or tag.dtype != _BYTES or tag.count > LARGEST_RECORD_BYTES:
                return None
            record = json.loads(tag.value)
    except (ImageError, OSError, RecursionError, *DECODE_ERRORS):
        return None
    return record if isinstance(record, dict) else None
