"""What tifffile logs and raises, and which of it is damage.

tifffile is lenient: it logs what it does not understand, and goes on. Only what concerns pixels is damage; a
description that is not understood leaves them as they are.
"""

from __future__ import annotations

import logging
import re
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tifffile

from napari_mito_predict.errors import UnreadableImageError, one_line
from napari_mito_predict.image.tiff_pages import described_page

# What tifffile logs (and then ignores) where pages or their pixels are damaged.
_DAMAGE = (
    "invalid page offset",
    "invalid offset to",
    "corrupted tag list",
    "circular",
    "incorrect Strip",
    "incorrect Tile",
    "does not match page shape",
    "missing required tags",
)
_DAMAGED_TAG = re.compile(r"TiffTag (\d+)\b.*(?:invalid value offset (\d+)|corrupted|invalid data type)")
# Those that say how pixels are stored: size, type, compression, place. What others say is a description.
_PIXEL_TAGS = frozenset(
    (256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339, 347, 529, 530)
)
# What says how many planes there are: description, UIC2 of STK, CZ_LSMINFO. They lie behind the pixels in many files:
# where one points beyond the end, the file was cut. An offset of 0 was never filled in.
_COUNTING_TAGS = (270, 33629, 34412)
_IMAGEJ_INCOMPLETE = "ImageJ series metadata invalid"
# What tifffile and its codecs raise on damaged data.
DECODE_ERRORS = (
    tifffile.TiffFileError,
    struct.error,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
)


def refuse_incomplete_imagej(path: Path, tiff: Any, messages: list[str]) -> None:
    """Tell a stack of ImageJ's that was cut short from a description that only counts differently."""
    if not any(_IMAGEJ_INCOMPLETE in message for message in messages):
        return
    declared = (tiff.imagej_metadata or {}).get("images", 1)
    stored = 0
    for page in tiff.pages:
        with described_page(page) as described:
            stored += 0 if described.is_reduced else described.samplesperpixel
    if isinstance(declared, int) and stored < declared:
        raise UnreadableImageError(
            f"the file is incomplete: its description declares {declared} planes, and it has room for {stored}. Copy "
            "it again from where it came from.",
            file=path,
        )


def refuse_damage(path: Path, messages: list[str]) -> None:
    """Raise `UnreadableImageError` where what tifffile logged concerns pixels."""
    for message in messages:
        tag = _DAMAGED_TAG.search(message)
        code, offset = (int(number or 0) for number in tag.groups()) if tag is not None else (0, 0)
        is_cut = code in _COUNTING_TAGS and offset > 0
        if any(word in message for word in _DAMAGE) or code in _PIXEL_TAGS or is_cut:
            raise damaged(path, ValueError(message))


def unread_tags(messages: Sequence[str]) -> tuple[str, ...]:
    """Say which tags, none of them about pixels, could not be read."""
    found = (_DAMAGED_TAG.search(message) for message in messages)
    tags = sorted({int(tag[1]) for tag in found if tag is not None} - _PIXEL_TAGS)
    if not tags:
        return ()
    listed = ", ".join(map(str, tags))
    return (f"Of the description of the file, tag {listed} cannot be read. Pixels are not affected.",)


def damaged(path: Path, error: Exception) -> UnreadableImageError:
    """What tifffile raised, as an error of ours."""
    return UnreadableImageError(
        f"this TIFF is damaged or incomplete ({one_line(error)}). Copy it again from where it came from.", file=path
    )


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect what tifffile logs in this thread."""
    messages: list[str] = []
    thread = threading.get_ident()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                messages.append(record.getMessage())

    collector = Collector(logging.WARNING)
    logger = logging.getLogger("tifffile")
    logger.addHandler(collector)
    try:
        yield messages
    finally:
        logger.removeHandler(collector)
