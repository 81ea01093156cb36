"""CZI by czifile, on Python 3.12 and newer: plane by plane, from the sub-blocks of that plane alone.

czifile is lenient where we must not be, and asks for as much memory as a damaged file announces. So sizes are looked at
before it is given a position, and a sub-block has to be what the directory says.
"""

from __future__ import annotations

import io
import logging
import os
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from czifile import (
    CziDirectoryEntryDV,
    CziFile,
    CziSegment,
    CziSegmentId,
    CziSubBlockSegmentData,
)

from napari_mito_predict.image.czi_scenes import LARGEST_SIDE, CziScene, Plane, Tile, damaged_czi

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What czifile and imagecodecs raise on damaged files; their own errors derive from the first two.
_LIBRARY_ERRORS = (ValueError, RuntimeError, LookupError, ArithmeticError, TypeError, struct.error)
_COUNT = struct.Struct("<i")
_DIRECTORY_FIXED_PART = 128
_SUBBLOCK_FIXED_PART = 16
# Of a directory entry: its fixed part, where in that the number of dimensions is, and how long each of them is.
_ENTRY_FIXED_PART = 32
_DIMENSIONS_AT = 28
_DIMENSION = 20
_MOST_DIMENSIONS = 40
# Decompressing takes longer than reading, and goes on beside it.
_THREADS = min(8, os.cpu_count() or 1)
# What czifile logs is either an error of ours, or of no consequence; without a handler Python would print it.
logging.getLogger("czifile").addHandler(logging.NullHandler())


class CzifileLibrary:
    """One file as czifile reads it.

    Parameters
    ----------
    path : Path
        The file.
    """

    compressions = frozenset({0, 1, 2, 4, 5, 6, 7})

    def __init__(self, path: Path) -> None:
        self.path = path

    def tiles(self) -> list[Tile]:
        """Read the sub-block directory."""
        with self._open("sub-block directory") as czi:
            segment = CziSegment(czi, czi.header.directory_position)
            if segment.sid != CziSegmentId.ZISRAWDIRECTORY:
                raise ValueError(f"there is none at byte {segment.offset}")
            start = segment.data_offset
            data = memoryview(_bytes(czi, start, segment.used_size))
            count = _COUNT.unpack_from(data)[0]
            at = _DIRECTORY_FIXED_PART
            tiles = []
            for _ in range(count):
                entry = _entry(data[at:], start + at)
                tiles.append(_tile(entry))
                at += entry.storage_size
        return tiles

    def xml(self) -> str:
        """Read the metadata."""
        with self._open("metadata") as czi:
            segment = CziSegment(czi, czi.header.metadata_position)
            if segment.sid != CziSegmentId.ZISRAWMETADATA:
                raise ValueError(f"there are none at byte {segment.offset}")
            return str(segment.data().data())

    def time_stamps_s(self) -> Sequence[float]:
        """Read the time stamps that are attached; none where they are damaged, since the pixels may be sound."""
        try:
            with _opened(self.path) as czi:
                if not czi.header.attachment_directory_position:
                    return ()
                stamps = czi.timestamps
        except _LIBRARY_ERRORS:
            return ()
        return () if stamps is None else tuple(map(float, stamps))

    def tile_xml(self, tiles: Sequence[Tile]) -> list[str]:
        """Read the metadata of single tiles."""
        with self._open("metadata of a sub-block") as czi:
            return [_subblock(czi, tile).metadata() for tile in tiles]

    def read(self, scene: CziScene, planes: Sequence[Plane]) -> NDArray[Any]:
        """Read planes, tile by tile; what comes later lies on top."""
        tiles = scene.tiles_of(planes)
        dtype = np.result_type(*{tile.dtype for tile in tiles})
        stack = np.zeros((len(planes), scene.sizes["Y"], scene.sizes["X"]), dtype)
        jobs = [(scene.tiles[plane], target, scene.box) for plane, target in zip(planes, stack, strict=True)]
        if any(tile.compression for tile in tiles) and len(jobs) > 1:
            with ThreadPoolExecutor(min(_THREADS, len(jobs))) as pool:
                for _ in pool.map(self._read_plane, *zip(*jobs, strict=True)):
                    pass
        else:
            for job in jobs:
                self._read_plane(*job)
        return stack

    def _read_plane(self, tiles: Sequence[Tile], target: NDArray[Any], corner: tuple[int, int] | None) -> None:
        """Fill a plane. The file is opened for each: czifile is not made for several threads."""
        with self._open("pixels") as czi:
            for tile in tiles:
                _lay_down(czi, tile, tile.within(target, corner))

    @contextmanager
    def _open(self, what: str) -> Iterator[CziFile]:
        """Open the file; whatever is said about a damaged one becomes an `UnreadableImageError`."""
        try:
            with _opened(self.path) as czi:
                yield czi
        except _LIBRARY_ERRORS as error:
            raise damaged_czi(self.path, f"{what}: {error}") from error


class _BoundedFile(io.BufferedReader):
    """A file of which a damaged one may ask for any bytes: memory is reserved for those that are there, no others."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise ValueError(f"a length of {size} bytes")
        return super().read(max(0, min(size, self.size - self.tell())))

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_SET and not 0 <= offset <= self.size:
            raise ValueError(f"there is no byte {offset}")
        return super().seek(offset, whence)


@contextmanager
def _opened(path: Path) -> Iterator[CziFile]:
    with _BoundedFile(path) as stream, CziFile(stream) as czi:
        yield czi


def _bytes(czi: CziFile, position: int, count: int) -> bytes:
    czi.filehandle.seek(position)
    return bytes(czi.filehandle.read(count))


def _entry(data: bytes | memoryview, position: int) -> CziDirectoryEntryDV:
    """Read a directory entry, once its number of dimensions is one that can be."""
    dimensions = _COUNT.unpack_from(data, _DIMENSIONS_AT)[0]
    if not 0 < dimensions <= _MOST_DIMENSIONS:
        raise ValueError(f"{dimensions} dimensions at byte {position}")
    return CziDirectoryEntryDV(data[: _ENTRY_FIXED_PART + dimensions * _DIMENSION], position)


def _tile(entry: CziDirectoryEntryDV) -> Tile:
    """Give an entry in our words; czifile adds a dimension for the samples of colours as the last one."""
    letters = entry.dims[:-1]
    at = dict(zip(letters, entry.start, strict=False))
    for letter, index in (("M", entry.mosaic_index), ("S", entry.scene_index)):
        if index >= 0:
            at[letter] = index
    sizes = dict(zip(letters, entry.shape, strict=False))
    stored = dict(zip(letters, entry.stored_shape, strict=False))
    height, width = sizes.pop("Y", 1), sizes.pop("X", 1)
    if min(width, height, *sizes.values()) <= 0 or min(stored.values(), default=0) < 0:
        raise ValueError(f"an empty sub-block at byte {entry.file_position}")
    if max(width, height) > LARGEST_SIDE:
        raise ValueError(f"a sub-block of {width} x {height} pixels at byte {entry.file_position}")
    return Tile(
        at=at,
        width=width,
        height=height,
        planes=int(np.prod(list(sizes.values()), dtype=object)),
        reduced=(stored.get("Y", height), stored.get("X", width)) != (height, width),
        pixel_type=entry.pixel_type.value,
        compression=entry.compression.value,
        position=entry.file_position,
    )


def _subblock(czi: CziFile, tile: Tile) -> CziSubBlockSegmentData:
    """Find the sub-block of a tile, which has to be what the directory says and lie within the file."""
    segment = CziSegment(czi, tile.position)
    if segment.sid != CziSegmentId.ZISRAWSUBBLOCK:
        raise ValueError(f"no sub-block at byte {tile.position}")
    position = segment.data_offset + _SUBBLOCK_FIXED_PART
    own = _tile(_entry(_bytes(czi, position, _ENTRY_FIXED_PART + _MOST_DIMENSIONS * _DIMENSION), position))
    if own[1:-1] != tile[1:-1]:
        raise ValueError(f"the sub-block at byte {tile.position} is not what the directory says")
    block = CziSubBlockSegmentData(segment)
    lengths = (block.metadata_size, block.attachment_size, block.data_size)
    end = block.data_offset + block.data_size + block.attachment_size
    if min(lengths) < 0 or end > czi.filehandle.size:
        raise ValueError(f"the sub-block at byte {tile.position} does not lie within the file")
    return block


def _lay_down(czi: CziFile, tile: Tile, part: NDArray[Any]) -> None:
    """Write the pixels of a tile into its part of a plane."""
    block = _subblock(czi, tile)
    pixels = block.data(copy=False)
    if pixels.size != part.size or pixels.dtype != tile.dtype:
        raise ValueError(
            f"{pixels.size} pixels instead of {tile.width} x {tile.height} in the sub-block at byte {tile.position}"
        )
    pixels = pixels.reshape(part.shape)
    mask = block.mask()
    if mask is None:
        part[...] = pixels
    else:  # where the camera saw nothing, what was laid down before stays
        np.copyto(part, pixels, where=mask)
