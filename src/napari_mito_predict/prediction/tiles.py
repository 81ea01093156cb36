"""Which part of a volume is read, computed and kept, tile by tile. Pure integer geometry: no images, no torch.

All positions are voxels of the *padded* volume: the volume, extended by reflection to a multiple of the network's
stride. The network pads its convolutions with zeros, so every edge it sees changes its answer nearby. Two rules make
tiles equal to one pass over the padded volume: a window that touches the edge of the padded volume ends exactly there,
so that the zeros come at the same place; any other window edge lies at least a halo away from the voxels that are kept.
Tiles start on the stride grid, otherwise a voxel would fall into another phase of the strided convolutions.

Along one axis tiles may be strips instead, which need no halo: a network that remembers what it saw takes them in order
(see `napari_mito_predict.prediction.unet.streaming`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, prod
from typing import TypeVar, cast

import numpy as np

MIN_DEPTH = 64
"""Planes below which the third axis is never tiled: the reach of a deep U-Net, about 200, exceeds any usual stack."""
_SMALLEST_CORE = (MIN_DEPTH, 1, 1)

T = TypeVar("T")
Position = TypeVar("Position", int, np.ndarray)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Voxels ``start <= i < stop`` along one axis."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)

    def grow(self, by: int, within: Span) -> Span:
        """`by` voxels more at either end, but not beyond `within`."""
        return Span(max(self.start - by, within.start), min(self.stop + by, within.stop))

    def clip(self, within: Span) -> Span:
        """The part inside `within`; empty when there is none."""
        start = min(max(self.start, within.start), within.stop)
        return Span(start, max(start, min(self.stop, within.stop)))

    def shift(self, by: int) -> Span:
        return Span(self.start + by, self.stop + by)

    def overlaps(self, other: Span) -> bool:
        return self.start < other.stop and other.start < self.stop


Box = tuple[Span, Span, Span]


def per_axis(values: Iterable[T]) -> tuple[T, T, T]:
    """Three `values`, one for each axis (D, Y, X), as the tuple of known length that type checkers ask for."""
    return cast("tuple[T, T, T]", tuple(values))


def seen_axes(flat: bool) -> tuple[int, ...]:
    """Which of the axes (D, Y, X) a network looks along: a 2-D one (`flat`) sees every plane by itself."""
    return (1, 2) if flat else (0, 1, 2)


def voxels(box: Box) -> int:
    """Number of voxels in `box`."""
    return prod(span.size for span in box)


def round_up(value: int, multiple: int) -> int:
    """Smallest multiple of `multiple` that is at least `value`."""
    return -(-value // multiple) * multiple


def reflect(position: Position, size: int) -> Position:
    """Voxel of an axis of `size` voxels that stands at `position` when the axis is mirrored at its ends for ever.

    The edge voxel is not repeated (numpy's "reflect"); reflection repeats where the padding is wider than the axis;
    an axis of one voxel repeats that voxel. Takes one position or an array of them.
    """
    last = size - 1
    # There and back again is one period: its first half counts up to the last voxel, its second half down from it.
    period = max(2 * last, 1)
    return last - abs(last - position % period)


def halo_needed(receptive_field: int, stride: int) -> int:
    """Context that a tile needs on either side of what it keeps, in voxels; a multiple of `stride`.

    All voxels of one stride cell hang on the same voxel of the coarsest level and so share their farthest input.
    Tiles are whole cells: beyond themselves they need the receptive field less one cell, half of it on either side.
    """
    return round_up(max(ceil((receptive_field - stride) / 2), 0), stride)


@dataclass(frozen=True, slots=True)
class AxisTiling:
    """How one axis is padded and divided.

    Attributes
    ----------
    size : int
        Voxels of the volume.
    before : int
        Reflected voxels in front of it.
    padded : int
        Size with padding, a multiple of the stride.
    stride, halo : int
        Grid on which cores start, and the context around them.
    needed : int
        The halo that makes tiles exact.
    cores : tuple of Span
        What the tiles are there for; they partition ``[0, padded)``.
    streamed : bool
        Whether tiles are strips that the network takes in order, each without a halo.
    """

    size: int
    before: int
    padded: int
    stride: int
    halo: int
    needed: int
    cores: tuple[Span, ...]
    streamed: bool = False

    @property
    def whole(self) -> Span:
        return Span(0, self.padded)

    @property
    def inside(self) -> Span:
        """The volume itself, without padding."""
        return Span(self.before, self.before + self.size)

    @property
    def exact(self) -> bool:
        """Whether the division leaves the network's answer unchanged."""
        return self.streamed or len(self.cores) == 1 or self.halo >= self.needed

    @property
    def divided(self) -> bool:
        """Whether any tile reads less than everything."""
        return any(self.window(i) != self.whole for i in range(len(self.cores)))

    def window(self, i: int) -> Span:
        """What tile `i` reads."""
        return self.cores[i].grow(self.halo, self.whole)

    def kept(self, i: int) -> Span:
        """What of tile `i` goes into the result: its core, or all of it where neighbours have to be blended."""
        return self.cores[i] if self.exact else self.window(i)

    def weights(self, i: int) -> list[float]:
        """Weight of tile `i` at each voxel of ``kept(i)``: linear ramps over overlaps; all tiles add up to one."""
        span = self.kept(i)
        if self.exact:
            return [1.0] * span.size
        total = _total_ramps(self)
        return [self.ramp(i, p) / total[p] for p in range(span.start, span.stop)]

    def ramp(self, i: int, position: int) -> float:
        """Weight of tile `i` at `position` before normalisation."""
        core, width = self.cores[i], 2 * self.halo + 1
        rise = fall = 1.0  # at the ends of the axis there is no neighbour to blend with
        if core.start > 0:
            rise = (position - (core.start - self.halo) + 0.5) / width
        if core.stop < self.padded:
            fall = ((core.stop + self.halo) - position - 0.5) / width
        return min(rise, fall, 1.0)


def tile_axis(
    size: int, *, stride: int, core: int, needed: int, halo: int | None = None, smallest: int = 1
) -> AxisTiling:
    """Divide one axis into tiles of about equal cores, none larger than `core` rounded up to the stride.

    Parameters
    ----------
    size : int
        Voxels of the volume along this axis, at least 1.
    stride : int
        The network's stride.
    core : int
        Largest core wanted, in voxels.
    needed : int
        Halo for an exact result, see `halo_needed`.
    halo : int, optional
        A smaller halo: faster, approximate; rounded up to the stride.
    smallest : int
        No core is smaller than this, unless the whole axis is; goes before `core`.
    """
    padded = round_up(size, stride)
    cells = padded // stride
    parts = ceil(cells / ceil(max(core, 1) / stride))
    parts = max(1, min(parts, cells // ceil(smallest / stride)))
    # Whole cells of the stride, shared out evenly: sizes differ by one cell at most.
    edges = [stride * (cells * i // parts) for i in range(parts + 1)]
    cores = tuple(Span(start, stop) for start, stop in itertools.pairwise(edges))
    width = round_up(needed if halo is None else min(halo, needed), stride)
    return AxisTiling(size, (padded - size) // 2, padded, stride, width, needed, cores)


def strip_axis(size: int, *, stride: int, rows: int, needed: int) -> AxisTiling:
    """Divide one axis into strips of `rows` voxels, rounded down to the stride; only the last may be smaller.

    All of one size rather than about equal: memory and speed are those of the strip, whatever the length.
    """
    padded, rows = round_up(size, stride), max(rows // stride, 1) * stride
    cores = tuple(Span(start, min(start + rows, padded)) for start in range(0, padded, rows))
    return AxisTiling(size, (padded - size) // 2, padded, stride, 0, needed, cores, streamed=True)


@lru_cache(maxsize=16)  # every tile of a grid asks for those of the same three axes
def _total_ramps(axis: AxisTiling) -> list[float]:
    """Sum of the ramps of all tiles at each voxel of the padded axis."""
    total = [0.0] * axis.padded
    for i in range(len(axis.cores)):
        for p in range(axis.window(i).start, axis.window(i).stop):
            total[p] += axis.ramp(i, p)
    return total


@dataclass(frozen=True, slots=True)
class Tile:
    """One pass of the network.

    Attributes
    ----------
    index : tuple of int
        Which tile of the grid (a piece of a split tile keeps the index of the whole).
    read : Box
        What the network gets.
    kept : Box
        What of its output is used; inside `read`.
    """

    index: tuple[int, int, int]
    read: Box
    kept: Box

    @property
    def kept_of_read(self) -> Box:
        """What is kept, counted from the start of what is read."""
        return per_axis(kept.shift(-read.start) for kept, read in zip(self.kept, self.read, strict=True))


@dataclass(frozen=True, slots=True)
class TileGrid:
    """The tiles of one volume, in reading order, strips one after the other; axes are (D, Y, X)."""

    axes: tuple[AxisTiling, AxisTiling, AxisTiling]

    @property
    def exact(self) -> bool:
        return all(axis.exact for axis in self.axes)

    @property
    def core(self) -> tuple[int, int, int]:
        """Size of the largest core."""
        return per_axis(max(core.size for core in axis.cores) for axis in self.axes)

    @property
    def largest_read(self) -> tuple[int, int, int]:
        """Size of the largest window."""
        return per_axis(max(axis.window(i).size for i in range(len(axis.cores))) for axis in self.axes)

    @property
    def streamed(self) -> int | None:
        """The axis along which tiles are strips."""
        return next((i for i, axis in enumerate(self.axes) if axis.streamed), None)

    @property
    def held(self) -> int:
        """Voxels whose features the network holds at a time, at most: of a tile, or of a strip and what waits."""
        sizes, streamed = list(self.largest_read), self.streamed
        if streamed is not None and len(self.axes[streamed].cores) > 1:
            sizes[streamed] += self.axes[streamed].needed
        return prod(sizes)

    def __len__(self) -> int:
        return prod(len(axis.cores) for axis in self.axes)

    def __iter__(self) -> Iterator[Tile]:
        for band in self.bands():
            yield from band

    def bands(self) -> Iterator[list[Tile]]:
        """Tiles that follow each other: the strips of one band, or a tile alone where nothing is streamed."""
        counts, streamed = [len(axis.cores) for axis in self.axes], self.streamed
        if streamed is None:
            yield from ([self._tile(index)] for index in itertools.product(*map(range, counts)))
            return
        strips = range(counts[streamed])
        counts[streamed] = 1
        for first in itertools.product(*map(range, counts)):
            before, after = first[:streamed], first[streamed + 1 :]
            yield [self._tile((*before, i, *after)) for i in strips]

    def _tile(self, index: tuple[int, ...]) -> Tile:
        read = per_axis(axis.window(i) for axis, i in zip(self.axes, index, strict=True))
        kept = per_axis(axis.kept(i) for axis, i in zip(self.axes, index, strict=True))
        return Tile(per_axis(index), read, kept)

    def alone(self, tile: Tile) -> Tile:
        """A strip with all that it has to read where the network has not seen the strips before it."""
        axis = self.streamed
        if axis is None:
            return tile
        return self._part(tile, axis, tile.kept[axis], self.axes[axis].whole)

    def with_full_halo(self) -> TileGrid:
        """A grid with these cores and the context that makes them exact."""
        return TileGrid(per_axis(replace(axis, halo=round_up(axis.needed, axis.stride)) for axis in self.axes))

    def reads_all(self, tile: Tile, flat: bool = False) -> bool:
        """Whether `tile` reads the padded volume from end to end, or its planes where `flat`."""
        return all(tile.read[a] == self.axes[a].whole for a in seen_axes(flat))

    def split(self, tile: Tile) -> tuple[Tile, Tile] | None:
        """Two tiles that together keep what `tile` keeps and need less memory, or None when it is at its smallest.

        The halves read what they need for an exact answer, but nothing outside `tile`: they give what `tile` gave.
        """
        candidates = [axis for axis in range(3) if self._divisible(tile, axis)]
        if not candidates:
            return None
        # Along D at last: a stack is thin against the reach of a network, and both halves would read most of it.
        axis = max(candidates, key=lambda a: (a > 0, tile.kept[a].size))
        kept, within = tile.kept[axis], tile.read[axis]
        middle = kept.start + round_up(kept.size // 2, self.axes[axis].stride)
        first, second = Span(kept.start, middle), Span(middle, kept.stop)
        return self._part(tile, axis, first, within), self._part(tile, axis, second, within)

    def _divisible(self, tile: Tile, axis: int) -> bool:
        return tile.kept[axis].size >= 2 * round_up(_SMALLEST_CORE[axis], self.axes[axis].stride)

    def _part(self, tile: Tile, axis: int, kept: Span, within: Span) -> Tile:
        """`tile`, but keeping `kept` along `axis`, and reading what that needs `within` a span."""
        read_spans, kept_spans = list(tile.read), list(tile.kept)
        read_spans[axis] = kept.grow(round_up(self.axes[axis].needed, self.axes[axis].stride), within)
        kept_spans[axis] = kept
        return Tile(tile.index, per_axis(read_spans), per_axis(kept_spans))


def plan_tiles(
    shape: tuple[int, int, int],
    *,
    stride: tuple[int, int, int],
    receptive_field: tuple[int, int, int],
    core: tuple[int, int, int],
    halo: int | None = None,
) -> TileGrid:
    """Divide a volume.

    Parameters
    ----------
    shape : tuple of int
        (D, Y, X) of the volume on the model's grid.
    stride, receptive_field : tuple of int
        Of the network, per axis.
    core : tuple of int
        Largest core wanted; cores have at least `MIN_DEPTH` planes where the network looks along D at all.
    halo : int, optional
        Context in voxels, where it shall be smaller than the receptive field needs; the result is then approximate.
    """
    smallest = _SMALLEST_CORE if receptive_field[0] > 1 else (1, 1, 1)
    needed = [halo_needed(field, s) for field, s in zip(receptive_field, stride, strict=True)]
    axes = [
        tile_axis(shape[a], stride=stride[a], core=core[a], needed=needed[a], halo=halo, smallest=smallest[a])
        for a in range(3)
    ]
    return TileGrid(per_axis(axes))


def plan_strips(
    shape: tuple[int, int, int],
    *,
    stride: tuple[int, int, int],
    receptive_field: tuple[int, int, int],
    axis: int,
    core: tuple[int, int, int],
) -> TileGrid:
    """Divide a volume into strips along `axis`, of ``core[axis]`` voxels; along the others as `plan_tiles` does."""
    tiles = plan_tiles(shape, stride=stride, receptive_field=receptive_field, core=core)
    needed = halo_needed(receptive_field[axis], stride[axis])
    axes = list(tiles.axes)
    axes[axis] = strip_axis(shape[axis], stride=stride[axis], rows=core[axis], needed=needed)
    return TileGrid(per_axis(axes))
