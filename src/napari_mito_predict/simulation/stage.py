"""What small and large fields have in common: the voxel grid with its margins, and the plane and pace of a series."""

from __future__ import annotations

import numpy as np

from napari_mito_predict.simulation.conditions import N_MEDIUM
from napari_mito_predict.simulation.shapes import Array, Grid

MARGIN_YX = 16
"""Rows and columns round a field that are simulated and cut off again."""
CHURN_PER_S = 0.04
"""How fast the fine texture of the cytoplasm turns into another one, in rad per second; see `phantom.churn`."""
_MARGIN_UM = 1.2
_FADE_UM = 0.7


def padded_grid(
    shape: tuple[int, int, int],
    voxel_um: tuple[float, float, float],
    first_plane_um: float,
    margin_yx: int = MARGIN_YX,
) -> tuple[Grid, tuple[slice, slice, slice]]:
    """Grid with a margin on all sides, and the slices that cut the margin off again: Fourier transforms wrap round."""
    margins = (int(np.ceil(_MARGIN_UM / voxel_um[0])), margin_yx, margin_yx)
    sizes = [size + 2 * margin for size, margin in zip(shape, margins, strict=True)]
    origin = [-margin * step for margin, step in zip(margins, voxel_um, strict=True)]
    grid = Grid(
        shape=(sizes[0], sizes[1], sizes[2]),
        voxel_size_um=voxel_um,
        origin_um=(origin[0] + first_plane_um, origin[1], origin[2]),
    )
    crop = [slice(margin, margin + size) for margin, size in zip(margins, shape, strict=True)]
    return grid, (crop[0], crop[1], crop[2])


def mid_plane(below_um: float, z_um: float, planes: int) -> int:
    """Plane about 1 um above the coverslip, when the stack starts `below_um` under it."""
    return int(np.clip(round((below_um + 1.0) / z_um), 1, planes - 2))


def edge_windows(grid: Grid, margin_yx: int = MARGIN_YX) -> tuple[Array, Array, Array]:
    """For each axis a factor that falls from 1 to 0 within the margin, (Z, 1, 1), (1, Y, 1) and (1, 1, X)."""
    ramp_z = max(2, int(_FADE_UM / grid.voxel_size_um[0]))
    ramp_yx = margin_yx // 2
    return (
        _edge_window(grid.shape[0], ramp_z)[:, None, None],
        _edge_window(grid.shape[1], ramp_yx)[None, :, None],
        _edge_window(grid.shape[2], ramp_yx)[None, None, :],
    )


def _edge_window(size: int, ramp: int) -> Array:
    """A factor for each voxel of one axis: 0 at both ends, 1 from the `ramp`-th voxel on, smooth in between."""
    to_the_end = np.minimum(np.arange(size), np.arange(size)[::-1])
    window = np.sin(np.pi / 2 * np.clip(to_the_end / ramp, 0, 1)) ** 2
    return window.astype(np.float32)


def faded(refractive_index: Array, windows: tuple[Array, Array, Array]) -> Array:
    """Let the cell fade into the medium within the margin, so that no edge appears where the transform wraps round."""
    step = refractive_index - np.float32(N_MEDIUM)
    for window in windows:
        step = step * window
    return step + np.float32(N_MEDIUM)
