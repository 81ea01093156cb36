"""Chunks that a shard does not hold: its index says so, and a library reads the fill value without a word."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_ENTRY_BYTES = 16
"""Of the index: offset and length of a chunk, little-endian."""
_CHECKSUM_BYTES = 4
_ABSENT = 2**64 - 1
_MOST_SHARDS = 2_000
_MOST_INDEX_BYTES = 64 * 2**20


def count_absent(
    folder: Path, array: Any, places: Iterable[tuple[int, ...]], name_of: Callable[[tuple[int, ...]], str]
) -> int | None:
    """Count the chunks within the image that its shards do not hold.

    Parameters
    ----------
    folder : Path
        Of the array.
    array : zarr.Array
        One in shards.
    places : iterable of tuple of int
        Where in the grid of shards there is one.
    name_of : callable
        Gives the name of the file at a place in the grid.

    Returns
    -------
    int or None
        None where there are too many shards to look into, or their index is stored in another way than all do.
    """
    codec = array.metadata.codecs[0]
    checked = [type(each).__name__ for each in codec.index_codecs]
    if checked not in (["BytesCodec"], ["BytesCodec", "Crc32cCodec"]):
        return None
    counts = [shard // chunk for shard, chunk in zip(array.shards, array.chunks, strict=True)]
    size = math.prod(counts) * _ENTRY_BYTES
    at_start = str(getattr(codec.index_location, "value", codec.index_location)) == "start"
    behind = _CHECKSUM_BYTES if len(checked) > 1 else 0
    shards = list(itertools.islice(places, _MOST_SHARDS + 1))
    if len(shards) > _MOST_SHARDS or len(shards) * size > _MOST_INDEX_BYTES:
        return None
    absent = 0
    for place in shards:
        index = _read(folder / name_of(place), 0 if at_start else -(size + behind), size)
        if len(index) == size:
            entries = np.frombuffer(index, "<u8").reshape(*counts, 2)
            absent += int(np.count_nonzero((entries == _ABSENT).all(axis=-1)[_inside(place, array, counts)]))
    return absent


def _inside(place: Sequence[int], array: Any, counts: Sequence[int]) -> tuple[slice, ...]:
    """Which chunks of a shard are in the image: those beyond its border are never stored."""
    region = []
    for number, shape, shard, chunk, count in zip(place, array.shape, array.shards, array.chunks, counts, strict=True):
        left = shape - number * shard
        region.append(slice(0, min(count, -(-left // chunk))))
    return tuple(region)


def _read(path: Path, start: int, size: int) -> bytes:
    """Some bytes of a file, counted from its end where `start` is negative; fewer where it has fewer."""
    try:
        with path.open("rb") as stream:
            stream.seek(start, os.SEEK_SET if start >= 0 else os.SEEK_END)
            return stream.read(size)
    except OSError:
        return b""
