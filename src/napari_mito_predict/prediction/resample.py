"""Resampling between the image's grid and the model's, whole or block by block with the same result.

Both grids cover the same field: edge is on edge, and voxel `i` of a grid with `n` voxels has its centre at
``(i + 0.5) / n`` of the field (half-pixel-centre convention; `scipy.ndimage.zoom` with ``grid_mode=True``). Linear
interpolation; where the new grid is coarser, a Gaussian of ``(step - 1) / 2`` voxels removes what it cannot show
(the rule of `skimage.transform.resize`).
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from scipy import ndimage

from napari_mito_predict.prediction.tiles import Box, Span, per_axis

_TRUNCATE = 4.0  # standard deviations at which the Gaussian is cut off, scipy's own default: `needed` has to know it


@dataclass(frozen=True, slots=True)
class AxisResampling:
    """One axis: from a grid of `source` voxels to one of `target` voxels over the same field."""

    source: int
    target: int

    @property
    def step(self) -> float:
        """Source voxels per target voxel."""
        return self.source / self.target

    @property
    def sigma(self) -> float:
        """Anti-aliasing width in source voxels."""
        return max(0.0, (self.step - 1) / 2)

    def position(self, i: float) -> float:
        """Where the centre of target voxel `i` lies on the source grid."""
        return (i + 0.5) * self.step - 0.5

    def gaussian(self) -> np.ndarray:
        """Weights of the anti-aliasing filter, float64, an odd number of them: those of `scipy.ndimage`."""
        return gaussian_weights(self.sigma, _TRUNCATE)

    @property
    def _reach(self) -> int:
        """How far the anti-aliasing filter reaches, as scipy has it."""
        return int(_TRUNCATE * self.sigma + 0.5)

    def needed(self, target: Span) -> Span:
        """Source voxels that `target` voxels are interpolated from."""
        margin = 0
        if self.source != self.target:
            margin = self._reach + 1  # one voxel for positions that are rounded up
        wanted = Span(floor(self.position(target.start)), ceil(self.position(target.stop - 1)) + 1)
        return wanted.grow(margin, Span(0, self.source))

    def boundary(self, source: int) -> int:
        """First target voxel whose centre is at or behind the front of source voxel `source`; keeps partitions."""
        # The smallest i with ``position(i) >= source - 0.5``, in whole numbers: rounding would leave gaps or overlaps.
        return -((self.source - 2 * source * self.target) // (2 * self.source))


@dataclass(frozen=True, slots=True)
class Resampling:
    """Three axes (D, Y, X)."""

    axes: tuple[AxisResampling, AxisResampling, AxisResampling]

    @classmethod
    def between(cls, source: tuple[int, ...], target: tuple[int, ...]) -> Resampling:
        """From a grid of the shape `source` to one of the shape `target`, both (D, Y, X)."""
        return cls(per_axis(AxisResampling(a, b) for a, b in zip(source, target, strict=True)))

    @property
    def identity(self) -> bool:
        """Whether both grids are the same, so that there is nothing to do."""
        return all(axis.source == axis.target for axis in self.axes)

    def needed(self, target: Box) -> Box:
        """The source voxels that the block `target` needs."""
        return per_axis(axis.needed(span) for axis, span in zip(self.axes, target, strict=True))

    def whole(self, volume: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """All of `volume` on the target grid, float32 or, for float64 input, float64; in parts, one for each thread."""
        result = np.empty([axis.target for axis in self.axes], volume.dtype)
        along_y = self.axes[1]
        edges = [along_y.target * i // threads for i in range(threads + 1)]
        all_source = [Span(0, axis.source) for axis in self.axes]
        all_target = [Span(0, axis.target) for axis in self.axes]

        def fill(rows: Span) -> None:
            needed = along_y.needed(rows)
            target = all_target[0], rows, all_target[2]
            source = all_source[0], needed, all_source[2]
            result[:, rows.slice] = self.block(volume[:, needed.slice], source, target)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, [Span(a, b) for a, b in itertools.pairwise(edges) if b > a]))
        return result

    def block(self, window: np.ndarray, at: Box, target: Box) -> np.ndarray:
        """The block `target` of the target grid, from the part `window` of the source that lies at ``at``.

        Parameters
        ----------
        window : ndarray, (D, Y, X), float
            Source voxels of the box `at`, which holds at least ``needed(target)``.
        at, target : Box
            Position of the window on the source grid, and of the block on the target grid.

        Returns
        -------
        ndarray, (D, Y, X)
            A new array; equal to that part of `whole` but for rounding.
        """
        if self.identity:
            inner = tuple(span.shift(-origin.start).slice for span, origin in zip(target, at, strict=True))
            return window[inner].copy()
        for i, axis in enumerate(self.axes):
            if axis.sigma > 0:
                window = ndimage.gaussian_filter1d(window, axis.sigma, axis=i, mode="nearest", truncate=_TRUNCATE)
        steps = [axis.step for axis in self.axes]
        starts = [a.position(t.start) - o.start for a, t, o in zip(self.axes, target, at, strict=True)]
        block = np.empty([span.size for span in target], window.dtype)
        if self.axes[0].source == self.axes[0].target:  # plane by plane is more than twice as fast
            first = target[0].start - at[0].start
            for plane, result in zip(window[first:], block, strict=False):  # the window may hold planes behind it
                _interpolate(plane, steps[1:], starts[1:], result)
        else:
            _interpolate(window, steps, starts, block)
        return block


def gaussian_weights(sigma: float, truncate: float) -> np.ndarray:
    """Weights of a Gaussian that ends at `truncate` standard deviations, as `scipy.ndimage` has it; float64."""
    reach = int(truncate * sigma + 0.5)
    if reach == 0:
        return np.ones(1)
    places = np.arange(-reach, reach + 1)
    weights: np.ndarray = np.exp(-0.5 / sigma**2 * places**2)
    weights /= weights.sum()
    return weights


def _interpolate(window: np.ndarray, steps: list[float], starts: list[float], result: np.ndarray) -> None:
    """Fill `result` with the values at these positions, by linear interpolation."""
    options = {"order": 1, "mode": "nearest", "prefilter": False}
    ndimage.affine_transform(window, steps, starts, result.shape, result, **options)
