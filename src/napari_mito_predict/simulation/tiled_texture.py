"""Textures of fields too large to be held at once: any part of them, the same wherever it is cut out."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

if TYPE_CHECKING:
    from napari_mito_predict.simulation.shapes import Array

_TILE = 128
_TRUNCATE = 3.0  # standard deviations at which the smoothing filter ends, as in `shapes.texture`


class TiledTexture:
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
        self._sigma = [sigma / size for sigma, size in zip(sigma_um, voxel_size_um, strict=True)]
        self._reach = [int(_TRUNCATE * sigma + 0.5) for sigma in self._sigma]  # as scipy rounds it

    def region(self, corner_yx: tuple[int, int], shape_yx: tuple[int, int]) -> Array:
        """The (planes, *shape_yx) float32 part whose first voxel is `corner_yx`, which may be negative."""
        reach_y = self._reach[1]
        reach_x = self._reach[2]
        y, x = corner_yx
        rows, columns = shape_yx
        smooth = self._white_noise((y - reach_y, x - reach_x), (rows + 2 * reach_y, columns + 2 * reach_x))
        smooth = self._filtered(smooth, axis=0)
        # Of the other axes only what lies at least the filter's reach inside is right: there is more noise outside.
        smooth = np.ascontiguousarray(self._filtered(smooth, axis=1)[:, reach_y : reach_y + rows])
        smooth = np.ascontiguousarray(self._filtered(smooth, axis=2)[:, :, reach_x : reach_x + columns])
        gains = [_gain(sigma, reach) for sigma, reach in zip(self._sigma, self._reach, strict=True)]
        smooth /= np.float32(np.prod(gains))
        return smooth

    def _filtered(self, noise: Array, axis: int) -> Array:
        smooth = gaussian_filter1d(noise, self._sigma[axis], axis, mode="wrap", truncate=_TRUNCATE)
        return np.asarray(smooth, np.float32)

    def _white_noise(self, corner: tuple[int, int], shape: tuple[int, int]) -> Array:
        """The part of the unlimited noise with its first voxel at `corner`, put together from tiles."""
        noise = np.empty((self._planes, *shape), np.float32)
        for tile_y, tile_x in itertools.product(_tiles(corner[0], shape[0]), _tiles(corner[1], shape[1])):
            # A seed takes no negative numbers; tiles so far away that they would be the same never meet.
            rng = np.random.default_rng([*self._key, tile_y % 2**32, tile_x % 2**32])
            tile = rng.standard_normal((self._planes, _TILE, _TILE), np.float32)
            target_y, source_y = _overlap(tile_y * _TILE - corner[0], shape[0])
            target_x, source_x = _overlap(tile_x * _TILE - corner[1], shape[1])
            noise[:, target_y, target_x] = tile[:, source_y, source_x]
        return noise


def _tiles(start: int, size: int) -> range:
    """Numbers of the tiles that `size` voxels from `start` on lie in."""
    return range(start // _TILE, (start + size - 1) // _TILE + 1)


def _overlap(start: int, size: int) -> tuple[slice, slice]:
    """Where a tile that begins at `start` lies within `size` voxels, and which part of the tile that is."""
    low = max(start, 0)
    high = min(start + _TILE, size)
    return slice(low, high), slice(low - start, high - start)


def _gain(sigma: float, reach: int) -> float:
    """Standard deviation of white noise after the filter along one axis."""
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-9)) ** 2)
    return float(np.sqrt(np.sum((weights / weights.sum()) ** 2)))
