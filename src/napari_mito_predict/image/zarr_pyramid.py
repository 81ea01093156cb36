"""How an OME-Zarr is divided: resolutions, each half of the one before, and for each chunks and shards."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

_LARGEST_SIDE = 512
"""Of a chunk, which is read as a whole: 1 MiB of float32. An image that is no larger needs no other resolution."""
_MOST_PLANES = 32
"""Of a shard. A power of two, so that no pair of planes is divided among two shards."""
_MOST_CHUNKS_ALONG = 4
_LARGEST_SHARD_BYTES = 32 * 2**20
"""Shards are collected in memory while the network works its way along: larger ones need more of it."""


@dataclass(frozen=True)
class Level:
    """One resolution of an image.

    Attributes
    ----------
    shape, chunks, shards : tuple of int
        Of its array, one size per axis. A chunk is one plane, or a part of it where that is large; a shard is a file.
    factors : tuple of int
        How many pixels of the resolution before, along each axis, one pixel is the average of: 1 or 2.
    reduction : tuple of int
        The same of the full resolution: a power of two.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    shards: tuple[int, ...]
    factors: tuple[int, ...]
    reduction: tuple[int, ...]


def plan_levels(
    axes: str, shape: Sequence[int], dtype: DTypeLike, voxel_size_um: Sequence[float | None]
) -> tuple[Level, ...]:
    """Decide on the resolutions of an image, the full one first.

    Each has half of the pixels along y and x, until a plane is one chunk. The planes along z are halved as well where
    both sizes are known and the step along z is no larger than the new pixels: voxels become more even, never less.

    Parameters
    ----------
    axes : str
        A part of TCZYX, in that order.
    shape : sequence of int
        One size per axis.
    dtype : dtype
        Whole numbers have one resolution only: they may be labels, of which there is no average.
    voxel_size_um : sequence of float or None
        z, y, x in micrometres; None where unknown.
    """
    dtype = np.dtype(dtype)
    no_factors = (1,) * len(axes)
    levels = [_level(axes, tuple(shape), dtype, no_factors, no_factors)]
    while dtype.kind == "f" and max(levels[-1].shape[-2:]) > _LARGEST_SIDE:
        finer = levels[-1]
        factors = _factors(axes, finer, voxel_size_um)
        sizes = tuple(-(-size // factor) for size, factor in zip(finer.shape, factors, strict=True))
        reduction = tuple(before * factor for before, factor in zip(finer.reduction, factors, strict=True))
        levels.append(_level(axes, sizes, dtype, factors, reduction))
    return tuple(levels)


def average(data: NDArray[Any], factors: Sequence[int]) -> NDArray[Any]:
    """Average pairs of pixels along every axis of factor 2; of an odd number the last one stays by itself.

    Parameters
    ----------
    data : ndarray
        Real numbers.
    factors : sequence of int
        1 or 2 for each axis.

    Returns
    -------
    ndarray
        Of the same type; along an axis of factor 2 ``ceil(size / 2)`` long.
    """
    for axis, factor in enumerate(factors):
        if factor > 1:
            data = _average_pairs(data, axis)
    return data


def pyramid_bytes(levels: Sequence[Level], dtype: DTypeLike) -> int:
    """Bytes of all resolutions together, not compressed."""
    return sum(math.prod(level.shape) for level in levels) * np.dtype(dtype).itemsize


def _average_pairs(data: NDArray[Any], axis: int) -> NDArray[Any]:
    length = data.shape[axis]
    before = (slice(None),) * axis
    halves: NDArray[Any] = data[(*before, slice(0, length - length % 2, 2))] * data.dtype.type(0.5)
    halves += data[(*before, slice(1, None, 2))] * data.dtype.type(0.5)
    if length % 2 == 0:
        return halves
    return np.concatenate([halves, data[(*before, slice(length - 1, None))]], axis=axis)


def _factors(axes: str, finer: Level, voxel_size_um: Sequence[float | None]) -> tuple[int, ...]:
    halved = {axis for axis, size in zip(axes, finer.shape, strict=True) if axis in "YX" and size > 1}
    if _has_fine_planes(axes, finer, voxel_size_um):
        halved.add("Z")
    return tuple(2 if axis in halved else 1 for axis in axes)


def _has_fine_planes(axes: str, finer: Level, voxel_size_um: Sequence[float | None]) -> bool:
    step, *in_plane = (size or 0.0 for size in voxel_size_um)
    if "Z" not in axes or not step or not all(in_plane):
        return False
    at = axes.index("Z")
    new_pixel = 2 * finer.reduction[-2] * min(in_plane)
    return finer.shape[at] > 1 and step * finer.reduction[at] <= new_pixel


def _level(
    axes: str, shape: tuple[int, ...], dtype: np.dtype[Any], factors: tuple[int, ...], reduction: tuple[int, ...]
) -> Level:
    chunks = tuple(_chunk_sizes(axes, shape))
    return Level(shape, chunks, tuple(_shard_sizes(axes, shape, chunks, dtype.itemsize)), factors, reduction)


def _chunk_sizes(axes: str, shape: Sequence[int]) -> Iterator[int]:
    for axis, size in zip(axes, shape, strict=True):
        yield min(size, _LARGEST_SIDE) if axis in "YX" else 1


def _shard_sizes(axes: str, shape: Sequence[int], chunks: Sequence[int], itemsize: int) -> Iterator[int]:
    """As many planes as are allowed, because a network gives all of them at once; then as much of each as fits."""
    planes = min(dict(zip(axes, shape, strict=True)).get("Z", 1), _MOST_PLANES)
    along = _MOST_CHUNKS_ALONG
    while along > 1 and planes * (along * _LARGEST_SIDE) ** 2 * itemsize > _LARGEST_SHARD_BYTES:
        along //= 2
    for axis, size, chunk in zip(axes, shape, chunks, strict=True):
        if axis == "Z":
            yield planes
        else:
            yield chunk * min(along, -(-size // chunk)) if axis in "YX" else 1
