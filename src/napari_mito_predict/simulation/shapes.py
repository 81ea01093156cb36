"""Building blocks of a cell: smooth random maps, winding paths, and the voxel grid they are drawn on.

All coordinates are micrometres in (z, y, x) order; z = 0 is the coverslip, (y, x) = (0, 0) the corner of the field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

Array = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

_STEP_UM = 0.1
_WAVES = 24
_FAINTEST = 1e-3
_GROUP = 4000
"""Down to which part of its value a ball is drawn, and how many balls of similar size are drawn at once."""
_FAINTEST_IN_PART = 0.02
_GROUP_IN_PART = 1000
"""Those for a part of a grid. How far the soft surface is drawn depends on the largest ball of a group, and so on where
the grid was cut, unless the surface ends at a level that every window holds."""


def sigmoid(value: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Soft step from 0 to 1, without overflow."""
    return np.asarray(1 / (1 + np.exp(np.clip(-value, -30, 30))))


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the voxels are.

    Attributes
    ----------
    shape : tuple of int
        Number of voxels (Z, Y, X).
    voxel_size_um : tuple of float
        Distance between voxels (z, y, x).
    origin_um : tuple of float
        Position of the centre of voxel (0, 0, 0).
    part : bool
        Whether this is a block of a larger grid, so that what is drawn must not depend on where it was cut.
    """

    shape: tuple[int, int, int]
    voxel_size_um: tuple[float, float, float]
    origin_um: tuple[float, float, float]
    part: bool = False

    def part_of(self, rows_columns: tuple[slice, slice]) -> Grid:
        """The block of this grid with these rows and columns."""
        rows, columns = rows_columns
        return Grid(
            shape=(self.shape[0], rows.stop - rows.start, columns.stop - columns.start),
            voxel_size_um=self.voxel_size_um,
            origin_um=(
                self.origin_um[0],
                self.origin_um[1] + rows.start * self.voxel_size_um[1],
                self.origin_um[2] + columns.start * self.voxel_size_um[2],
            ),
            part=True,
        )

    def cropped(self, slices: tuple[slice, slice, slice]) -> Grid:
        """The voxels of this grid in these planes, rows and columns."""
        starts = [cut.start for cut in slices]
        sizes = [cut.stop - cut.start for cut in slices]
        origin = np.array(self.origin_um) + np.multiply(starts, self.voxel_size_um)
        return Grid(
            shape=(sizes[0], sizes[1], sizes[2]),
            voxel_size_um=self.voxel_size_um,
            origin_um=(float(origin[0]), float(origin[1]), float(origin[2])),
        )

    def box(self, margin_um: float) -> tuple[Points, Points]:
        """Lower and upper (y, x) corner in um, `margin_um` outside the grid."""
        low = np.array(self.origin_um[1:])
        high = low + np.multiply(self.shape[1:], self.voxel_size_um[1:])
        return low - margin_um, high + margin_um

    def axes(self) -> tuple[Array, Array, Array]:
        """Positions of the voxels in um as three arrays that broadcast to (Z, Y, X)."""
        lines = [
            origin + step * np.arange(size, dtype=np.float32)
            for origin, step, size in zip(self.origin_um, self.voxel_size_um, self.shape, strict=True)
        ]
        axes = np.meshgrid(*lines, indexing="ij", sparse=True)
        return axes[0], axes[1], axes[2]


@dataclass(frozen=True, slots=True)
class SmoothMap:
    """Random map of unit variance over (y, x): a sum of plane waves, so that no grid is needed to evaluate it."""

    vectors: Points
    phases: Points

    @classmethod
    def draw(cls, rng: np.random.Generator, scale_um: float) -> SmoothMap:
        """Draw a map whose correlation length is about `scale_um`."""
        vectors = rng.normal(0, 1 / scale_um, (_WAVES, 2))
        phases = rng.uniform(0, 2 * np.pi, _WAVES)
        return cls(vectors, phases)

    def __call__(self, y: npt.ArrayLike, x: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Values at the positions `y`, `x` (um), which broadcast against each other."""
        y, x = np.asarray(y), np.asarray(x)
        total = np.zeros(np.broadcast_shapes(y.shape, x.shape), np.float32)
        for (ky, kx), phase in zip(self.vectors, self.phases, strict=True):
            total += np.cos(np.float32(ky) * y + np.float32(kx) * x + np.float32(phase))
        return total * np.float32(np.sqrt(2 / len(self.phases)))  # a cosine has variance 1 / 2


def grow_paths(
    rng: np.random.Generator,
    starts: Points,
    headings: Points,
    lengths_um: Points,
    bends: Points,
    allowed: Callable[[Points], npt.NDArray[np.bool_]],
) -> list[Points]:
    """Persistent random walks, mostly in plane, all grown at the same time.

    Parameters
    ----------
    rng : Generator
    starts : (N, 3) array
        First points, in um.
    headings, lengths_um, bends : (N,) arrays
        Direction in the plane (rad), length along the path (um), and how strongly a path curls (rad per um).
    allowed : callable
        Tells for (N, 3) points whether a path may go there; a path that may not turns aside.

    Returns
    -------
    list of (P, 3) arrays
        One path each, points about 0.1 um apart; P may be 0.
    """
    steps = (lengths_um / _STEP_UM).astype(int)
    count = len(starts)
    longest = int(steps.max(initial=0))
    track = np.full((longest, count, 3), np.nan)  # NaN where a path did not move: it was at its end or in the way
    position = starts.copy()
    heading = headings.copy()
    drift = rng.normal(0, bends)
    for step in range(longest):
        drift = 0.97 * drift + rng.normal(0, 0.25 * bends)
        heading += drift * _STEP_UM
        direction = np.stack([rng.normal(0, 0.25, count), np.sin(heading), np.cos(heading)], axis=1)
        trial = position + _STEP_UM * direction
        free = allowed(trial)
        heading[~free] += rng.choice([-0.7, 0.7], np.count_nonzero(~free))
        moving = free & (step < steps)
        position[moving] = trial[moving]
        track[step, moving] = trial[moving]
    return [path[np.isfinite(path[:, 0])] for path in track.transpose(1, 0, 2)]


def stamp(grid: Grid, points: Points, radii: npt.ArrayLike, values: npt.ArrayLike, soft_um: float = 0.04) -> Array:
    """Volume of soft balls combined by maximum; a dense row of balls makes a tube.

    Parameters
    ----------
    grid : Grid
    points : (P, 3) array
        Centres in um.
    radii, values : float or (P,) array
        Radius in um, and the value inside the ball.
    soft_um : float
        Width of the surface.

    Returns
    -------
    (Z, Y, X) float32 array
    """
    volume = np.zeros(int(np.prod(grid.shape)), np.float32)
    voxel = np.array(grid.voxel_size_um, np.float32)
    radii = np.broadcast_to(np.asarray(radii, np.float32), len(points))
    values = np.broadcast_to(np.asarray(values, np.float32), len(points))
    relative = (points - np.array(grid.origin_um)).astype(np.float32)
    faintest = _FAINTEST
    group_size = _GROUP
    if grid.part:
        faintest = _FAINTEST_IN_PART
        group_size = _GROUP_IN_PART
    # Sorted by radius, so that a few big balls do not make every small one expensive.
    for chosen in np.array_split(np.argsort(radii), max(1, len(points) // group_size)):
        if not len(chosen):
            continue
        window = window_offsets(radii[chosen].max() + 4 * soft_um, voxel)
        # Each ball in a window round the voxel that is nearest to its centre: `rest` is from the centre to that voxel.
        nearest = np.round(relative[chosen] / voxel).astype(int)
        rest = (nearest * voxel - relative[chosen]).astype(np.float32)
        squared = sum((rest[:, None, i] + (window[:, i] * voxel[i]).astype(np.float32)) ** 2 for i in range(3))
        ball_values = values[chosen, None]
        drawn = sigmoid((radii[chosen, None] - np.sqrt(squared)) / np.float32(soft_um)) * ball_values
        index = nearest[:, None] + window
        in_grid = ((index >= 0) & (index < np.array(grid.shape))).all(-1)
        keep = in_grid & (np.abs(drawn) > faintest * np.abs(ball_values))
        np.maximum.at(volume, np.ravel_multi_index(tuple(index[keep].T), grid.shape), drawn[keep])
    return volume.reshape(grid.shape)


def window_offsets(reach_um: float, voxel_um: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Index offsets of the voxels of a box that reaches `reach_um` from its middle, (V, 3)."""
    half = np.ceil(reach_um / voxel_um).astype(int)
    offsets = np.meshgrid(*[np.arange(-size, size + 1) for size in half], indexing="ij")
    return np.stack(offsets, -1).reshape(-1, 3)


def texture(rng: np.random.Generator, grid: Grid, sigma_um: tuple[float, float, float]) -> Array:
    """Gaussian noise of unit variance, smoothed by `sigma_um` (z, y, x); periodic, (Z, Y, X) float32."""
    white = rng.standard_normal(grid.shape, dtype=np.float32)
    sigma = [s / v for s, v in zip(sigma_um, grid.voxel_size_um, strict=True)]
    smooth = gaussian_filter(white, sigma, mode="wrap", truncate=3)
    return np.asarray(smooth / smooth.std())
