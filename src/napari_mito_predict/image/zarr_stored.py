"""The files of a zarr array: which are there, which should be, and whether they are whole."""

from __future__ import annotations

import itertools
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_mito_predict.errors import UnreadableImageError
from napari_mito_predict.image.zarr_files import is_regular_file
from napari_mito_predict.image.zarr_shards import count_absent

NameOf = Callable[[tuple[int, ...]], str]

_BLOSC_HEADER_BYTES = 16
# Blosc makes room for as much as the header of a chunk says; filters before it may have widened the pixels.
_MOST_WIDENED = 16
_MOST_COUNTED = 200_000
"""Files that are looked at when an array is opened: about a second on a disk, half a minute on a slow network."""
_MOST_TOUCHED = 2**20
"""Files of one stack."""
_MANY = 10_000
_FEW = 1 / 1000
_MIB = 2**20
_GIB = 2**30
# Pixels this much larger than the files they are in: no compression used for images gets there.
_LARGEST_RATIO = 5000


@dataclass(frozen=True)
class StoredChunks:
    """The files of an array as they were when it was opened.

    zarr reads the fill value where a file is missing: a writer may have left out blank chunks. One that was there and
    is gone was not blank.

    Attributes
    ----------
    folder : Path
        Of the array.
    shape, grid : tuple of int
        Of the array, and of what one file holds: a chunk, or a shard of several.
    itemsize : int
        Bytes of a pixel.
    names : frozenset of str or None
        Relative to the folder; None where they are too many to be looked at.
    complete : bool
        Whether all were written, blank ones too.
    blosc : bool
        Whether each file is one block of Blosc.
    absent_in_shards : int or None
        How many chunks the shards that are there do not hold; None where it was not counted.
    """

    folder: Path
    shape: tuple[int, ...]
    grid: tuple[int, ...]
    itemsize: int
    names: frozenset[str] | None
    complete: bool
    blosc: bool
    absent_in_shards: int | None = None

    @classmethod
    def of(cls, folder: Path, array: Any, *, complete: bool) -> StoredChunks:
        """Look at the files of a zarr array."""
        shape = tuple(array.shape)
        grid = tuple(array.shards or array.chunks)
        codecs = [] if array.shards else list(array.compressors)
        blosc = bool(codecs) and "blosc" in type(codecs[-1]).__name__.lower()
        stored = cls(folder, shape, grid, array.dtype.itemsize, None, complete, blosc)
        files = _files_in(folder)
        if files is None:
            return stored
        counts = [-(-size // part) for size, part in zip(shape, grid, strict=True)]
        name_of = array.metadata.encode_chunk_key
        places = {name: place for name in files if (place := _place(name, counts, name_of)) is not None}
        absent = count_absent(folder, array, places.values(), name_of) if array.shards else 0
        return replace(stored, names=frozenset(places), absent_in_shards=absent)

    @property
    def expected(self) -> int:
        """How many files there are where no chunk was left out."""
        return math.prod(-(-size // part) for size, part in zip(self.shape, self.grid, strict=True))

    @property
    def missing(self) -> int | None:
        """How many of them are not there; None where they were not counted."""
        return None if self.names is None else self.expected - len(self.names)

    def touched(self, region: Sequence[slice | int], name_of: NameOf) -> list[str]:
        """Names of all files of a region, there or not.

        Parameters
        ----------
        region : sequence of slice or int
            One for each axis of the array, without steps.
        name_of : callable
            Gives the name of the file at a place in the grid.

        Raises
        ------
        UnreadableImageError
            The region is far larger than what the files can hold, or one of them is no file.
        """
        places = list(self._places(region))
        count = math.prod(map(len, places))
        if count > _MOST_TOUCHED:
            raise UnreadableImageError(
                f"one stack of it is in {count:,} files by its declared size; more than {_MOST_TOUCHED:,} are "
                "not read.",
                file=self.folder,
            )
        names = [name_of(place) for place in itertools.product(*places)]
        self._refuse_larger_than_files(names)
        return names

    def wanted(self, touched: Sequence[str]) -> list[str]:
        """Those of the files that have to be there: all, or what was there at opening, or is there now."""
        if self.complete:
            return list(touched)
        if self.names is None:
            return [name for name in touched if _size(self.folder / name)]
        return [name for name in touched if name in self.names]

    def lost(self, wanted: Sequence[str]) -> list[str]:
        """Those of the files that are not there, or cut short; looked for now."""
        return [name for name in wanted if not self._is_whole(self.folder / name)]

    def _refuse_larger_than_files(self, names: Sequence[str]) -> None:
        """Refuse sizes no such files can hold, before anybody asks for that much memory or waits for that long."""
        sizes = [self._size_of(name) for name in names]
        there = sum(size > 0 for size in sizes)
        if len(names) > _MANY and there < len(names) * _FEW:
            raise UnreadableImageError(
                f"of the {len(names):,} chunks that one stack of it has by its declared size {there} are there, so the "
                "size is wrong, or nearly all of the pixels are lost. Copy it again.",
                file=self.folder,
            )
        each = math.prod(self.grid) * self.itemsize
        if max(sizes, default=0) > _MOST_WIDENED * each + _MIB:
            raise UnreadableImageError(
                f"a chunk of it is a file of {max(sizes):,} bytes, and holds {each:,} by its metadata, so that one of "
                "them is damaged.",
                file=self.folder,
            )
        declared = len(names) * each
        if declared > _GIB and declared > _LARGEST_RATIO * sum(sizes):
            raise UnreadableImageError(
                f"its metadata announce stacks of {declared / _GIB:.0f} GiB in files of {sum(sizes)} bytes, so they "
                "are damaged.",
                file=self.folder,
            )

    def _size_of(self, name: str) -> int:
        """Bytes of a file, 0 where there is none; anything else under its name would let zarr wait forever."""
        path = self.folder / name
        size = _size(path)
        if not size and os.path.lexists(path) and not is_regular_file(path):
            raise UnreadableImageError(
                "this should be a chunk of the image, and is no file, or a link to one that is not there.", file=path
            )
        return size

    def _is_whole(self, path: Path) -> bool:
        """Whether a file is there and, where its own header says so, has its length.

        Blosc trusts the lengths in the header: of a block that was cut it decodes whatever memory comes behind it.
        """
        size = _size(path)
        if not self.blosc or not size:
            return size > 0
        try:
            with path.open("rb") as stream:
                header = stream.read(_BLOSC_HEADER_BYTES)
        except OSError:
            return False
        decoded = int.from_bytes(header[4:8], "little")
        encoded = int.from_bytes(header[12:16], "little")
        most = _MOST_WIDENED * math.prod(self.grid) * self.itemsize
        return len(header) == _BLOSC_HEADER_BYTES and size >= encoded and decoded <= most

    def _places(self, region: Sequence[slice | int]) -> Iterator[range]:
        for part, size, step in zip(region, self.shape, self.grid, strict=True):
            if isinstance(part, int):
                yield range(part // step, part // step + 1)
            else:
                start, stop = part.indices(size)[:2]
                yield range(start // step, -(-stop // step))


def _size(path: Path) -> int:
    """Bytes of a file; 0 where there is none: an empty shard reads like a missing one."""
    try:
        state = path.stat()
    except OSError:
        return 0
    return state.st_size if stat.S_ISREG(state.st_mode) else 0


def _files_in(folder: Path) -> list[str] | None:
    """Relative names of the files with content within a folder, at any depth; None where there are too many."""
    found: list[str] = []
    folders = [""]
    looked_at = 0
    while folders:
        within = folders.pop()
        try:
            with os.scandir(folder / within) as entries:
                for entry in entries:
                    looked_at += 1
                    if looked_at > _MOST_COUNTED:
                        return None
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{within}{entry.name}/")
                    elif entry.is_file() and entry.stat().st_size:
                        found.append(f"{within}{entry.name}")
        except OSError:
            continue  # a folder that may not be looked into holds nothing that could be read
    return found


def _place(name: str, counts: Sequence[int], name_of: NameOf) -> tuple[int, ...] | None:
    """Where in a grid of so many along each axis a file belongs; None where it is none of its chunks."""
    place = tuple(int(number) for number in re.findall(r"\d+", name))
    if len(place) != len(counts) or any(index >= count for index, count in zip(place, counts, strict=True)):
        return None
    return place if name_of(place) == name else None
