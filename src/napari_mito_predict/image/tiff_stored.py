"""Whether the planes that a series of a TIFF file declares are in the file, down to their bytes."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from napari_mito_predict._reading import open_file
from napari_mito_predict.errors import UnreadableImageError

_HEADER_BYTES = 8
MOST_PAGES = 2_000_000
"""Of one series. A damaged number can announce more than fit into memory, all of them never recorded."""

_MOST_PARTS = 1 << 22
"""Strips or tiles of one plane; a slide of 500,000 x 500,000 pixels has that many tiles of 256 x 256."""
_PART_TAGS = (273, 279, 324, 325)  # places and sizes of strips, of tiles
_MOST_TAGS = 4096  # as many as tifffile reads
# Where the first page is, from the beginning of the file; how many tags it has; code, type, count and value of each.
_CLASSIC = ("4xI", "H", "HHI4x")
_BIG = ("8xQ", "Q", "HHQ8x")


def refuse_vast_index(path: Path) -> None:
    """Refuse a file of which the first plane has more parts than fit into memory: tifffile reads where all of them are.

    Raises
    ------
    UnreadableImageError
        It has.
    OSError
        It cannot be read.
    """
    with open_file(path) as stream:
        most = max((count for tag, count in _first_tags(stream) if tag in _PART_TAGS), default=0)
    if most > _MOST_PARTS:
        raise UnreadableImageError(
            f"this TIFF is damaged: it declares {most:,} strips or tiles of one plane. Copy it again from where it "
            "came from.",
            file=path,
        )


def _first_tags(stream: BinaryIO) -> Iterator[tuple[int, int]]:
    """Code and number of values of each tag of the first page, as far as they are there."""
    head = stream.read(16)
    order = "<" if head.startswith(b"II") else ">"
    form = _BIG if b"+" in head[2:4] else _CLASSIC
    place, number = form[:2]
    entry = form[2]
    size = struct.calcsize(order + entry)
    try:
        stream.seek(struct.unpack_from(order + place, head)[0])
        tags = struct.unpack(order + number, stream.read(struct.calcsize(order + number)))[0]
        table = stream.read(min(tags, _MOST_TAGS) * size)
    except (OSError, OverflowError, ValueError, struct.error):
        return
    for code, _kind, count in struct.iter_unpack(order + entry, table[: len(table) // size * size]):
        yield code, count


def refuse_incomplete(
    path: Path, one: Any, pages: Sequence[Any], *, recorded_in_part: bool, planes: int | None
) -> None:
    """Compare declared pixels with stored ones, and the bytes they need with the size of the file.

    Parameters
    ----------
    path : Path
        The file, for messages.
    one : tifffile.TiffPageSeries
        The series.
    pages : sequence
        Its pages; None for those that were never recorded.
    recorded_in_part : bool
        The recording is known to have been stopped.
    planes : int or None
        How many planes the description says are stored; None where it says "all".

    Raises
    ------
    UnreadableImageError
        Something of what is declared is not in the file.
    """
    there = [page for page in pages if page is not None]
    for number, page in enumerate(pages):
        if page is not None:
            _refuse_sparse(path, page, number)
    declared = math.prod(one.shape)
    if one.dataoffset is not None:  # one block of pixels, maybe with a single directory before it
        _refuse_short(path, one.dataoffset + declared * one.dtype.itemsize, there[0].parent.filehandle.size)
        return
    stored = sum(math.prod(page.shape) for page in there)
    never_recorded = recorded_in_part or (planes is not None and len(there) >= planes)
    if stored < declared and not never_recorded:
        raise UnreadableImageError(
            f"the file is incomplete: it declares {declared} pixels, and its {len(there)} stored planes hold "
            f"{stored}. Copy it again from where it came from.",
            file=path,
        )
    for page in there:
        end = max((o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)), default=0)
        _refuse_short(path, end, page.parent.filehandle.size)


def _refuse_sparse(path: Path, page: Any, number: int) -> None:
    """Refuse a page of which a strip or tile is nowhere: tifffile reads zeros in its place, as for a sparse file."""
    kind = "tile" if page.keyframe.is_tiled else "strip"
    expected = math.prod(page.keyframe.chunked)
    places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    # No pixels lie in the header, which takes the first bytes of every TIFF.
    missing = [i for i, (offset, count) in enumerate(places) if offset < _HEADER_BYTES or count < 1]
    missing += range(len(places), expected)
    if missing:
        raise UnreadableImageError(
            f"plane {number} (counted from 0) is incomplete: {len(missing)} of its {expected} {kind}s are not "
            f"in the file, the first of them {kind} {missing[0]}. Copy it again from where it came from, or save it "
            "again in the program that wrote it.",
            file=path,
        )


def refuse_so_many(path: Path, pages: int) -> None:
    """Raise `UnreadableImageError` for a number of planes that no file has."""
    if pages > MOST_PAGES:
        raise UnreadableImageError(
            f"this TIFF is damaged: it declares {pages} planes. Copy it again from where it came from.", file=path
        )


def _refuse_short(path: Path, needed: int, size: int) -> None:
    if needed > size:
        raise UnreadableImageError(
            f"the file is cut short: {needed} bytes are needed for its planes, {size} are there. "
            "Copy it again from where it came from.",
            file=path,
        )
