"""The sub-block directory of a CZI: which planes exist, and where.

Read here and not through aicspylibczi for two reasons: it says which planes were never acquired, and a damaged
sub-block makes libCZI write past an array and takes the whole process with it. So each sub-block is looked at before
libCZI is let near it. Layout after the published CZI specification (DS_ZISRAW-FileFormat).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from napari_mito_predict.errors import UnreadableImageError

SEGMENT_HEADER = 32
_DIRECTORY_POSITION_AT = 84
_DIRECTORY_FIXED_PART = 128
_POSITION = struct.Struct("<q")
_COUNT = struct.Struct("<i")
# Schema, pixel type, position in the file, file part, compression, pyramid type, number of dimensions.
_ENTRY = struct.Struct("<2siqiiB5xi")
# Letter, first index, size, coordinate, stored size.
_DIMENSION = struct.Struct("<4siifi")
# Magic, allocated and used size of the segment; sizes of metadata, attachment and pixels.
_SUBBLOCK = struct.Struct("<16sqqiiq")
_MOST_DIMENSIONS = 40
_MOST_ENTRIES = 50_000_000


class Tile(NamedTuple):
    """One stored piece of a plane: its index per dimension letter, and where it is in the file."""

    at: dict[str, int]
    position: int


def read_tiles(path: Path) -> list[Tile]:
    """Read the directory, without the tiles of image pyramids.

    Raises
    ------
    UnreadableImageError
        The directory is damaged.
    """
    try:
        with path.open("rb") as stream:
            start = unpack(stream, _DIRECTORY_POSITION_AT, _POSITION)[0] + SEGMENT_HEADER
            count = unpack(stream, start, _COUNT)[0]
            if not 0 <= count < _MOST_ENTRIES:
                raise ValueError(f"{count} sub-blocks")
            stream.seek(start + _DIRECTORY_FIXED_PART)
            entries = stream.read(count * (_ENTRY.size + _MOST_DIMENSIONS * _DIMENSION.size))
        return _parse(entries, count)
    except (struct.error, ValueError, OverflowError) as error:
        raise damaged_czi(path, f"sub-block directory: {error}") from error


def check_tiles(path: Path, tiles: Iterable[Tile]) -> None:
    """Look at the headers of sub-blocks before they are read.

    Raises
    ------
    UnreadableImageError
        One of them is not what the directory says, or reaches beyond the end of the file.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        for tile in tiles:
            try:
                header = unpack(stream, tile.position, _SUBBLOCK)
                entry = unpack(stream, tile.position + _SUBBLOCK.size, _ENTRY)
            except (struct.error, ValueError, OverflowError) as error:
                raise damaged_czi(path, f"sub-block at byte {tile.position}: {error}") from error
            lengths = header[3:]  # in bytes, of metadata, attachment and pixels
            sound = (
                header[0].rstrip(b"\0") == b"ZISRAWSUBBLOCK"
                and _is_sound(entry)
                and min(lengths) >= 0
                and tile.position + SEGMENT_HEADER + sum(lengths) <= size
            )
            if not sound:
                raise damaged_czi(path, f"sub-block at byte {tile.position}")


def damaged_czi(path: Path, said: object) -> UnreadableImageError:
    """Say in one line that a CZI is damaged, and where or how."""
    text = " ".join(str(said).split()).rstrip(".")
    return UnreadableImageError(
        f"this CZI file is damaged or incomplete ({text}). Copy it again from the microscope.", file=path
    )


def unpack(stream: BinaryIO, position: int, layout: struct.Struct) -> tuple[Any, ...]:
    """Read one structure at a position of a file."""
    stream.seek(position)
    return layout.unpack(stream.read(layout.size))


def _is_sound(entry: tuple[Any, ...]) -> bool:
    """Whether a directory entry is of the only kind there is, with a possible number of dimensions."""
    schema, dimensions = entry[0], entry[-1]
    return bool(schema == b"DV" and 0 < dimensions <= _MOST_DIMENSIONS)


def _parse(entries: bytes, count: int) -> list[Tile]:
    tiles, at = [], 0
    for _ in range(count):
        entry = _ENTRY.unpack_from(entries, at)
        if not _is_sound(entry):
            raise ValueError(f"entry at byte {at}")
        position, dimensions = entry[2], entry[-1]
        at += _ENTRY.size
        index, reduced = {}, False
        for letter, first, size, _, stored in _DIMENSION.iter_unpack(entries[at : at + dimensions * _DIMENSION.size]):
            index[letter.rstrip(b"\0").decode("ascii")] = first
            reduced |= letter[:1] in b"XY" and stored not in (0, size)
        at += dimensions * _DIMENSION.size
        if not reduced:
            tiles.append(Tile(index, position))
    return tiles
