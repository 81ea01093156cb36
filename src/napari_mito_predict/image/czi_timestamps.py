"""The TimeStamps attachment of a CZI: when each time point was taken.

The LSM 880 and its relatives write times nowhere else, and aicspylibczi does not read attachments. Layout after the
published CZI specification (DS_ZISRAW-FileFormat): file header, attachment directory, attachment ``CZTIMS``.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from napari_mito_predict.image.czi_structure import SEGMENT_HEADER, unpack

_FIXED_PART = 256  # of the data of a directory or attachment, before its entries or payload
_DIRECTORY_POSITION = struct.Struct("<q")
_DIRECTORY_POSITION_AT = 104
_ENTRY = struct.Struct("<2s10xqi16s8s80s")
_COUNT = struct.Struct("<i")
_MOST = 100_000  # attachments or time points; more means a damaged file


def time_stamps_s(path: Path) -> tuple[float, ...]:
    """Read the seconds at which the time points were taken; empty where the file has none, or they are damaged."""
    try:
        with path.open("rb") as stream:
            position = unpack(stream, _DIRECTORY_POSITION_AT, _DIRECTORY_POSITION)[0]
            payload = _find(stream, position) if position > 0 else None
            if payload is None:
                return ()
            count = unpack(stream, payload + _COUNT.size, _COUNT)[0]
            if not 0 < count < _MOST:
                return ()
            return unpack(stream, payload + 2 * _COUNT.size, struct.Struct(f"<{count}d"))
    except (OSError, struct.error, ValueError):
        return ()


def _find(stream: BinaryIO, directory: int) -> int | None:
    """Find where the payload of the TimeStamps attachment starts."""
    count = unpack(stream, directory + SEGMENT_HEADER, _COUNT)[0]
    for index in range(min(count, _MOST)):
        start = directory + SEGMENT_HEADER + _FIXED_PART + index * _ENTRY.size
        entry = unpack(stream, start, _ENTRY)
        position, kind = entry[1], entry[4]
        if kind.rstrip(b"\0") == b"CZTIMS":
            return int(position) + SEGMENT_HEADER + _FIXED_PART
    return None
