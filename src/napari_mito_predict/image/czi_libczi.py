"""CZI by libCZI, on Python 3.11 only: through BioIO or AICSImageIO, which both read with aicspylibczi.

All that libCZI needs around it is here and goes with it. A damaged sub-block makes it write past an array and takes the
whole process along, so the directory is read here, and each sub-block is looked at before libCZI is let near it. It
says nothing of attachments, and nobody promises that several threads may be in it at once. Layout after the published
CZI specification (DS_ZISRAW-FileFormat).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar

import numpy as np

from napari_mito_predict.errors import UnsupportedImageError
from napari_mito_predict.image.czi_scenes import LARGEST_SIDE, CziScene, Plane, Tile, damaged_czi

if TYPE_CHECKING:
    from numpy.typing import NDArray

Result = TypeVar("Result")

_LIBCZI = ThreadPoolExecutor(1, "libCZI")
"""The one thread that libCZI is imported in and called from. Imported in a thread that has ended since, as those of Qt
do, it crashes in the next one, and takes the viewer with it. Reading is bound by the disk, so little is lost."""


def _renew_thread() -> None:
    global _LIBCZI
    _LIBCZI = ThreadPoolExecutor(1, "libCZI")


if hasattr(os, "register_at_fork"):  # a forked process has no threads but the one that forked it
    os.register_at_fork(after_in_child=_renew_thread)


def _in_libczi(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call something in the thread of libCZI; what it raises is raised here."""
    return _LIBCZI.submit(function, *arguments).result()


class _ReaderClass(NamedTuple):
    module: str
    name: str
    options: dict[str, Any]


_READERS = {
    "bioio": _ReaderClass("bioio_czi", "Reader", {}),
    # It reads whole chunks: planes of their own, so that one never acquired leaves the others.
    "aicsimageio": _ReaderClass("aicsimageio.readers.czi_reader", "CziReader", {"chunk_dims": ["Y", "X"]}),
}
_LIBRARY_ERRORS = (RuntimeError, ValueError, LookupError, SyntaxError)  # an XML that is none is a SyntaxError
_FILE_ERRORS = (struct.error, ValueError, OverflowError)

_DIRECTORY_POSITION_AT = 84
_METADATA_POSITION_AT = 92
_ATTACHMENTS_POSITION_AT = 104
_DIRECTORY_FIXED_PART = 128
_ATTACHMENT_FIXED_PART = 256
_SUBBLOCK_FIXED_PART = 256
# Magic, allocated and used size.
_SEGMENT_HEADER = struct.Struct("<16sqq")
_POSITION = struct.Struct("<q")
_COUNT = struct.Struct("<i")
# Schema, pixel type, position in the file, file part, compression, pyramid type, number of dimensions.
_ENTRY = struct.Struct("<2siqiiB5xi")
# Letter, first index, size, coordinate, stored size.
_DIMENSION = struct.Struct("<4siifi")
# Magic, allocated and used size of the segment; sizes of metadata, attachment and pixels.
_SUBBLOCK = struct.Struct("<16sqqiiq")
_ATTACHMENT = struct.Struct("<2s10xqi16s8s80s")
_DIMENSIONS = frozenset("XYZCTRSIHVBM")
_MOST_DIMENSIONS = 40
_MOST_STAMPS = 100_000


class LibCziLibrary:
    """One file as libCZI reads it.

    Parameters
    ----------
    path : Path
        The file.
    reader : {"bioio", "aicsimageio"}
        Which of the two reads the planes that are one tile; mosaics, and what those two do not know (blocks, scenes
        that the metadata do not describe), are read with aicspylibczi itself.
    """

    compressions = frozenset({0, 4, 5, 6})

    def __init__(self, path: Path, reader: str) -> None:
        self.path = path
        self._reader_name = reader
        self._readers: dict[int, Any] = {}
        self._first_scene = 0
        self._tiles: list[Tile] = []
        _in_libczi(_reader_class, reader)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_readers": {}}

    def tiles(self) -> list[Tile]:
        """Read the sub-block directory."""
        try:
            with self.path.open("rb") as stream:
                _check_segment(stream, _unpack(stream, _METADATA_POSITION_AT, _POSITION)[0], b"ZISRAWMETADATA")
                position = _unpack(stream, _DIRECTORY_POSITION_AT, _POSITION)[0]
                _check_segment(stream, position, b"ZISRAWDIRECTORY")
                start = position + _SEGMENT_HEADER.size
                count = _unpack(stream, start, _COUNT)[0]
                room = stream.seek(0, 2) - start
                if not 0 <= count * _ENTRY.size <= room:
                    raise ValueError(f"{count} sub-blocks")
                stream.seek(start + _DIRECTORY_FIXED_PART)
                entries = stream.read(min(room, count * (_ENTRY.size + _MOST_DIMENSIONS * _DIMENSION.size)))
            tiles = _parse_directory(entries, count)
        except _FILE_ERRORS as error:
            raise damaged_czi(self.path, f"sub-block directory: {error}") from error
        strange = set(chain.from_iterable(tile.at for tile in tiles)) - _DIMENSIONS
        if strange and strange <= set(ascii_uppercase):  # others are damage
            raise UnsupportedImageError(
                f"it has a dimension {', '.join(sorted(strange))}, which libCZI does not know. Open it on Python 3.12 "
                "or newer, where another library reads CZI files.",
                file=self.path,
            )
        self._first_scene = min((tile.at.get("S", 0) for tile in tiles), default=0)
        self._tiles = tiles
        return tiles

    def xml(self) -> str:
        """Read the metadata."""
        return _in_libczi(self._read_xml)

    def _read_xml(self) -> str:
        with self._open() as czi:
            return str(czi.reader.read_meta())

    def time_stamps_s(self) -> Sequence[float]:
        """Read the time stamps that are attached; none where they are damaged, since the pixels may be sound."""
        try:
            with self.path.open("rb") as stream:
                position = _unpack(stream, _ATTACHMENTS_POSITION_AT, _POSITION)[0]
                payload = _find_time_stamps(stream, position) if position > 0 else None
                if payload is None:
                    return ()
                count = _unpack(stream, payload + _COUNT.size, _COUNT)[0]
                if not 0 < count < _MOST_STAMPS:
                    return ()
                return _unpack(stream, payload + 2 * _COUNT.size, struct.Struct(f"<{count}d"))
        except (OSError, *_FILE_ERRORS):
            return ()

    def tile_xml(self, tiles: Sequence[Tile]) -> list[str]:
        """Read the metadata of single tiles."""
        self._check(tiles)
        texts = []
        with self.path.open("rb") as stream:
            for tile in tiles:
                size = _unpack(stream, tile.position, _SUBBLOCK)[3]
                dimensions = _unpack(stream, tile.position + _SUBBLOCK.size, _ENTRY)[-1]
                fixed = max(_SUBBLOCK_FIXED_PART, 16 + _ENTRY.size + dimensions * _DIMENSION.size)
                stream.seek(tile.position + _SEGMENT_HEADER.size + fixed)
                texts.append(stream.read(size).decode(errors="replace"))
        return texts

    def read(self, scene: CziScene, planes: Sequence[Plane]) -> NDArray[Any]:
        """Read planes of one channel."""
        self._check(scene.tiles_of(planes))
        return _in_libczi(self._read_planes, scene, planes)

    def _read_planes(self, scene: CziScene, planes: Sequence[Plane]) -> NDArray[Any]:
        with self._open() as czi:
            reader = self._reader_for(scene)
            if reader is None:
                stitch = _stitched if self._is_overlaid(scene) or not czi.is_mosaic() else _stitched_by_libczi
                return np.stack([stitch(czi, scene, plane) for plane in planes])
            t = planes[0][0]
            c = planes[0][1]
            steps = [z for _, _, z in planes]
            if self._reader_name == "bioio":
                data = np.asarray(reader.get_image_data("ZYX", T=t, C=c, Z=steps))
            else:
                lazy = reader.get_image_dask_data("ZYX", T=t, C=c, Z=steps)
                data = np.asarray(lazy.compute(scheduler="synchronous"))
        if len(data) != len(planes):
            raise damaged_czi(self.path, f"{len(data)} planes came back instead of {len(planes)}")
        return data

    def _reader_for(self, scene: CziScene) -> Any | None:
        """Find BioIO's or AICSImageIO's reader of a scene; None where it has to be read without them."""
        tiles = list(chain.from_iterable(scene.tiles.values()))
        has_phases = any(tile.along("H") for tile in tiles)
        # AICSImageIO takes the indices that lie before the first one for planes of the file.
        counts_from_zero = all(min((tile.along(letter) for tile in tiles), default=0) == 0 for letter in "TCZ")
        if scene.box is not None or scene.siblings or has_phases or not counts_from_zero:
            return None
        index = scene.at.get("S", 0)
        if index not in self._readers:
            found = _reader_class(self._reader_name)
            reader = found(str(self.path), **_READERS[self._reader_name].options)
            # They count the scenes that the metadata describe, from the first one that the file has.
            described = len(reader.scenes)
            position = index - self._first_scene
            if not 0 <= position < described:
                return None
            reader.set_scene(position)
            self._readers[index] = reader
        return self._readers[index]

    def _is_overlaid(self, scene: CziScene) -> bool:
        """Whether another scene has tiles where this one lies: libCZI's own stitching would mix the two."""
        if scene.box is None:
            return False
        left, top = scene.box
        right, bottom = left + scene.sizes["X"], top + scene.sizes["Y"]
        others = (tile for tile in self._tiles if tile.along("S") != scene.at.get("S", 0))
        return any(
            tile.along("X") < right
            and tile.along("X") + tile.width > left
            and tile.along("Y") < bottom
            and tile.along("Y") + tile.height > top
            for tile in others
        )

    def _check(self, tiles: Sequence[Tile]) -> None:
        """Look at the headers of sub-blocks before they are read.

        Raises
        ------
        UnreadableImageError
            One of them is not what the directory says, or reaches beyond the end of the file.
        """
        with self.path.open("rb") as stream:
            size = stream.seek(0, 2)
            for tile in tiles:
                try:
                    header = _unpack(stream, tile.position, _SUBBLOCK)
                    entry = _unpack(stream, tile.position + _SUBBLOCK.size, _ENTRY)
                except _FILE_ERRORS as error:
                    raise damaged_czi(self.path, f"sub-block at byte {tile.position}: {error}") from error
                lengths = header[3:]  # in bytes, of metadata, attachment and pixels
                sound = (
                    header[0].rstrip(b"\0") == b"ZISRAWSUBBLOCK"
                    and _is_sound(entry)
                    and min(lengths) >= 0
                    and tile.position + _SEGMENT_HEADER.size + sum(lengths) <= size
                )
                if not sound:
                    raise damaged_czi(self.path, f"sub-block at byte {tile.position}")

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        """Open the file with aicspylibczi; what is said about a damaged one becomes an `UnreadableImageError`."""
        from aicspylibczi import CziFile

        with self.path.open("rb") as stream:
            try:
                yield CziFile(stream)
            except _LIBRARY_ERRORS as error:
                raise damaged_czi(self.path, error) from error


def _reader_class(name: str) -> Any:
    reader = _READERS[name]
    return getattr(importlib.import_module(reader.module), reader.name)


def _stitched(czi: Any, scene: CziScene, plane: Plane) -> NDArray[Any]:
    """Read a plane tile by tile; gaps are 0.

    Straight from aicspylibczi: both libraries would first build a graph with a node for every tile of the file.
    """
    tiles = scene.tiles[plane]
    without = "XY" if czi.is_mosaic() else "XYM"
    if len({tile.at.get("M") for tile in tiles}) < len(tiles):
        return _stitched_by_libczi(czi, scene, plane)
    image = np.zeros((scene.sizes["Y"], scene.sizes["X"]), np.result_type(*{tile.dtype for tile in tiles}))
    for tile in tiles:
        index = {letter: number for letter, number in tile.at.items() if letter not in without}
        pixels = czi.read_image(cores=1, **index)[0]
        part = tile.within(image, scene.box)
        if pixels.size != part.size:
            raise ValueError(f"{pixels.size} pixels in the sub-block at byte {tile.position}")
        part[...] = pixels.reshape(part.shape)
    return image


def _stitched_by_libczi(czi: Any, scene: CziScene, plane: Plane) -> NDArray[Any]:
    """Read a plane of tiles that have no numbers; libCZI does not tell scenes apart that lie over each other."""
    first = scene.tiles[plane][0]
    index = {letter: number for letter, number in first.at.items() if letter not in "SMXY"}
    left, top = scene.box or (first.along("X"), first.along("Y"))
    region = (left, top, scene.sizes["X"], scene.sizes["Y"])
    image = czi.read_mosaic(region=region, scale_factor=1.0, **index)
    return np.asarray(image.reshape(image.shape[-2:]))


def _parse_directory(entries: bytes, count: int) -> list[Tile]:
    tiles = []
    at = 0
    for _ in range(count):
        entry = _ENTRY.unpack_from(entries, at)
        if not _is_sound(entry):
            raise ValueError(f"entry at byte {at}")
        length = entry[-1] * _DIMENSION.size
        at += _ENTRY.size
        tiles.append(_tile(entry, entries[at : at + length]))
        at += length
    return tiles


def _tile(entry: tuple[Any, ...], dimensions: bytes) -> Tile:
    index = {}
    sizes = {}
    reduced = False
    least_stored = 0
    for fields in _DIMENSION.iter_unpack(dimensions):
        letter = fields[0].rstrip(b"\0").decode("ascii")
        index[letter], sizes[letter] = fields[1:3]
        reduced |= letter in ("X", "Y") and fields[4] not in (0, fields[2])
        least_stored = min(least_stored, fields[4])
    height, width = sizes.pop("Y", 1), sizes.pop("X", 1)
    if min(width, height, *sizes.values()) <= 0 or least_stored < 0:
        raise ValueError(f"an empty sub-block at byte {entry[2]}")
    if max(width, height) > LARGEST_SIDE:
        raise ValueError(f"a sub-block of {width} x {height} pixels at byte {entry[2]}")
    planes = int(np.prod([size for letter, size in sizes.items() if letter not in "SM"], dtype=object))
    return Tile(index, width, height, planes, reduced, entry[1], entry[4], entry[2])


def _check_segment(stream: BinaryIO, position: int, magic: bytes) -> None:
    """Look at the header of a segment, from which libCZI takes how much memory it needs."""
    header = _unpack(stream, position, _SEGMENT_HEADER)
    room = stream.seek(0, 2) - position
    if header[0].rstrip(b"\0") != magic or not 0 <= header[2] <= room or not 0 <= header[1] <= room:
        raise ValueError(f"{magic.decode()} at byte {position}")


def _is_sound(entry: tuple[Any, ...]) -> bool:
    """Whether a directory entry is of the only kind there is, with a possible number of dimensions."""
    schema, dimensions = entry[0], entry[-1]
    return bool(schema == b"DV" and 0 < dimensions <= _MOST_DIMENSIONS)


def _find_time_stamps(stream: BinaryIO, directory: int) -> int | None:
    """Find where the payload of the TimeStamps attachment starts."""
    count = _unpack(stream, directory + _SEGMENT_HEADER.size, _COUNT)[0]
    for index in range(min(count, _MOST_STAMPS)):
        start = directory + _SEGMENT_HEADER.size + _ATTACHMENT_FIXED_PART + index * _ATTACHMENT.size
        entry = _unpack(stream, start, _ATTACHMENT)
        position, kind = entry[1], entry[4]
        if kind.rstrip(b"\0") == b"CZTIMS":
            return int(position) + _SEGMENT_HEADER.size + _ATTACHMENT_FIXED_PART
    return None


def _unpack(stream: BinaryIO, position: int, layout: struct.Struct) -> tuple[Any, ...]:
    """Read one structure at a position of a file."""
    if not 0 <= position < stream.seek(0, 2):
        raise ValueError(f"there is no byte {position}")
    stream.seek(position)
    return layout.unpack(stream.read(layout.size))
