"""Blocks of any shape into the files of a zarr array and its coarser ones, each file compressed and written once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

from napari_mito_predict.image.output import writing
from napari_mito_predict.image.zarr_pyramid import average

if TYPE_CHECKING:
    from numpy.typing import NDArray

Region = tuple[slice, ...]

_THREADS = 2  # compress at the same time

WAITING_BYTES = 512 * 2**20
"""Chunks of one image that wait for the rest of them. Strips across 32 planes of 4000 x 4000 need as much."""


class ChunkWriter:
    """Collects blocks into chunks.

    zarr itself reads, decompresses, changes, compresses and writes a chunk again for every block that touches it:
    ten times the work where strips of 64 rows go into chunks of 512. Chunks wait here until they are complete.

    Parameters
    ----------
    array : zarr.Array
        Where to write.
    path : Path
        The image, for messages.
    waiting_bytes : int
        Beyond this much, incomplete chunks are written nevertheless, and read again when more of them comes.
    sizes : tuple of int, optional
        Of what is collected and called a chunk here, where that is several chunks of the array, such as those of a
        shard, which is one file.
    coarser : Coarser, optional
        The next resolution, which gets the averages of what is complete.
    """

    def __init__(
        self,
        array: Any,
        path: Path,
        waiting_bytes: int = WAITING_BYTES,
        *,
        sizes: tuple[int, ...] | None = None,
        coarser: Coarser | None = None,
    ) -> None:
        self._array = array
        self._sizes: tuple[int, ...] = sizes or tuple(array.chunks)
        self._path = path
        self._most_bytes = waiting_bytes
        self._coarser = coarser
        self._bytes = 0
        self._waiting: dict[tuple[int, ...], _Chunk] = {}
        self._missing: dict[tuple[int, ...], int] = {}  # of chunks that were written incomplete
        # Ctrl-C reaches the main thread only: what is being written elsewhere ends before its folder is removed. The
        # threads start now, because an executor does not wait for one whose start was interrupted.
        self._pool = ThreadPoolExecutor(_THREADS)
        self._under_way: list[Future[None]] = []
        all_started = Barrier(_THREADS)
        wait([self._pool.submit(all_started.wait) for _ in range(_THREADS)])

    def write(self, region: Sequence[slice], data: NDArray[Any]) -> None:
        """Write a block.

        Parameters
        ----------
        region : sequence of slice
            Where, one slice without a step per axis.
        data : ndarray
            Its values, of the shape of `region`. It may be changed afterwards.

        Raises
        ------
        UnwritableOutputError
            The disk is full, or was taken away.
        """
        inside = tuple(slice(*part.indices(n)[:2]) for part, n in zip(region, self._array.shape, strict=True))
        for index in self._touched(inside):
            place = self._place(index)
            common = _common(inside, place)
            part = data[_relative(common, inside)]
            if common == place:
                self._forget(index)
                self._missing.pop(index, None)
                self._put_complete(place, part)
                continue
            chunk = self._waiting.get(index) or self._open(index, place)
            chunk.put(_relative(common, place), part)
            if chunk.missing <= 0:
                self._forget(index)
                self._put_complete(place, chunk.data)
        # The newest first: the next block goes through the chunks in the order of this one, and the oldest of them
        # would be the one that it needs first.
        while self._bytes > self._most_bytes:
            self._put_incomplete(next(reversed(self._waiting)))
        self._end()

    def flush(self) -> None:
        """Write what still waits, and what the next resolution has not been given yet."""
        for index in [*self._waiting, *self._missing]:
            place = self._place(index)
            chunk = self._waiting.get(index) or self._open(index, place)
            self._forget(index)
            self._put_complete(place, chunk.data)
            self._end()
        if self._coarser is not None:
            self._coarser.writer.flush()

    def close(self) -> None:
        """Wait for what is being written; chunks that wait are dropped."""
        self._pool.shutdown(cancel_futures=True)
        self._waiting.clear()
        if self._coarser is not None:
            self._coarser.writer.close()

    def _touched(self, region: Region) -> Iterator[tuple[int, ...]]:
        """Chunks that have something of `region`."""
        sizes = zip(region, self._sizes, strict=True)
        return itertools.product(*(range(part.start // size, -(-part.stop // size)) for part, size in sizes))

    def _place(self, index: tuple[int, ...]) -> Region:
        """Where a chunk lies; at the borders only what of it is inside."""
        sizes = zip(index, self._sizes, self._array.shape, strict=True)
        return tuple(slice(i * size, min((i + 1) * size, n)) for i, size, n in sizes)

    def _open(self, index: tuple[int, ...], place: Region) -> _Chunk:
        """Let a chunk wait, as far as it is written, which for most is not at all."""
        with writing(self._path):
            data = self._array[place]
        self._waiting[index] = _Chunk(place, data, self._missing.pop(index, data.size))
        self._bytes += data.nbytes
        return self._waiting[index]

    def _put_incomplete(self, index: tuple[int, ...]) -> None:
        chunk = self._waiting[index]
        self._missing[index] = chunk.missing
        self._forget(index)
        self._put(chunk.place, chunk.data)

    def _forget(self, index: tuple[int, ...]) -> None:
        if index in self._waiting:
            self._bytes -= self._waiting.pop(index).data.nbytes

    def _put_complete(self, place: Region, data: NDArray[Any]) -> None:
        self._put(place, data)
        if self._coarser is not None:
            self._coarser.write(place, data)

    def _put(self, place: Region, data: NDArray[Any]) -> None:
        self._under_way.append(self._pool.submit(self._array.__setitem__, place, data))

    def _end(self) -> None:
        """Wait for what is being written, and raise what went wrong."""
        with writing(self._path):
            while self._under_way:
                self._under_way.pop().result()


@dataclass(frozen=True)
class Coarser:
    """The next resolution of an image, of which a pixel is the average of several.

    Attributes
    ----------
    writer : ChunkWriter
        Of its array.
    factors : tuple of int
        How many, along each axis: 1 or 2. No pair is divided between two chunks of the finer resolution.
    """

    writer: ChunkWriter
    factors: tuple[int, ...]

    def write(self, region: Region, data: NDArray[Any]) -> None:
        """Write the averages of a region of the finer resolution."""
        both = zip(region, self.factors, strict=True)
        self.writer.write(
            [slice(part.start // factor, -(-part.stop // factor)) for part, factor in both], average(data, self.factors)
        )


@dataclass
class _Chunk:
    """A chunk that waits, and how many of its values have not come yet."""

    place: Region
    data: NDArray[Any]
    missing: int

    def put(self, region: Region, data: NDArray[Any]) -> None:
        self.data[region] = data
        self.missing -= data.size


def _common(one: Region, other: Region) -> Region:
    both = zip(one, other, strict=True)
    return tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in both)


def _relative(region: Region, outer: Region) -> Region:
    """`region` counted from the start of `outer`."""
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(region, outer, strict=True))
