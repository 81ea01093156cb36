"""Textures of fields too large to be held at once: any part of them, the same wherever it is cut out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

if TYPE_CHECKING:
    from napari_mito_predict.simulation.shapes import Array

_TILE = 128
_TRUNCATE = 3.0


class Weave:
    """Smoothed Gaussian noise of unit variance over an unlimited plane and a fixed number of planes in z.

    The noise comes in tiles, each with a random generator of its own.

    Parameters
    ----------
    rng : Generator
        Two draws are made from it.
    sigma_um, voxel_size_um : tuple of float
        Smoothing and sampling, (z, y, x).
    planes : int
        Along z the texture is periodic.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        sigma_um: tuple[float, float, float],
        voxel_size_um: tuple[float, float, float],
        planes: int,
    ) -> None:
        self._key = [int(number) for number in rng.integers(2**32, size=2)]
        self._planes = planes
        self._sigma = [s / v for s, v in zip(sigma_um, voxel_size_um, strict=True)]
        self._reach = [int(_TRUNCATE * s + 0.5) for s in self._sigma]

    def region(self, corner_yx: tuple[int, int], shape_yx: tuple[int, int]) -> Array:
        """The (planes, *shape_yx) float32 part whose first voxel is `corner_yx`, which may be negative."""
        _, *reach = self._reach
        first = [corner - r for corner, r in zip(corner_yx, reach, strict=True)]
        sizes = [size + 2 * r for size, r in zip(shape_yx, reach, strict=True)]
        smooth = self._white((first[0], first[1]), (sizes[0], sizes[1]))
        for axis in range(3):
            smooth = gaussian_filter1d(smooth, self._sigma[axis], axis, mode="wrap", truncate=_TRUNCATE)
            if axis:  # only what lies at least the filter's reach inside is right
                keep = slice(reach[axis - 1], reach[axis - 1] + shape_yx[axis - 1])
                smooth = np.ascontiguousarray(smooth[:, keep] if axis == 1 else smooth[:, :, keep])
        smooth /= np.float32(np.prod([_gain(s, r) for s, r in zip(self._sigma, self._reach, strict=True)]))
        return smooth

    def _white(self, corner: tuple[int, int], shape: tuple[int, int]) -> Array:
        noise = np.empty((self._planes, *shape), np.float32)
        (y0, x0), (rows, columns) = corner, shape
        for tile_y in range(y0 // _TILE, (y0 + rows - 1) // _TILE + 1):
            for tile_x in range(x0 // _TILE, (x0 + columns - 1) // _TILE + 1):
                rng = np.random.default_rng([*self._key, tile_y % 2**32, tile_x % 2**32])
                tile = rng.standard_normal((self._planes, _TILE, _TILE), np.float32)
                into_y, from_y = _overlap(tile_y * _TILE - y0, rows)
                into_x, from_x = _overlap(tile_x * _TILE - x0, columns)
                noise[:, into_y, into_x] = tile[:, from_y, from_x]
        return noise


def _overlap(start: int, size: int) -> tuple[slice, slice]:
    """Where a tile that begins at `start` lies within `size` voxels, and which part of the tile that is."""
    low, high = max(start, 0), min(start + _TILE, size)
    return slice(low, high), slice(low - start, high - start)


def _gain(sigma: float, reach: int) -> float:
    """Standard deviation of white noise after the filter along one axis."""
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-9)) ** 2)
    return float(np.sqrt(np.sum((weights / weights.sum()) ** 2)))
