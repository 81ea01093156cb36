"""What small and large fields have in common: the voxel grid with its margins, and the plane and pace of a series."""

from __future__ import annotations

import numpy as np

from napari_mito_predict.simulation.conditions import N_MEDIUM
from napari_mito_predict.simulation.shapes import Array, Grid

MARGIN_YX = 16
CHURN_PER_S = 0.04
_MARGIN_UM, _FADE_UM = 1.2, 0.7


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
    grid = Grid((sizes[0], sizes[1], sizes[2]), voxel_um, (origin[0] + first_plane_um, origin[1], origin[2]))
    crop = [slice(margin, margin + size) for margin, size in zip(margins, shape, strict=True)]
    return grid, (crop[0], crop[1], crop[2])


def mid_plane(below_um: float, z_um: float, planes: int) -> int:
    """Plane about 1 um above the coverslip, when the stack starts `below_um` under it."""
    return int(np.clip(round((below_um + 1.0) / z_um), 1, planes - 2))


def edge_windows(grid: Grid, margin_yx: int = MARGIN_YX) -> tuple[Array, Array, Array]:
    """For each axis a factor that falls from 1 to 0 within the margin, (Z, 1, 1), (1, Y, 1) and (1, 1, X)."""
    windows = []
    for axis, (size, voxel) in enumerate(zip(grid.shape, grid.voxel_size_um, strict=True)):
        ramp = max(2, int(_FADE_UM / voxel)) if axis == 0 else margin_yx // 2
        edge = np.minimum(np.arange(size), np.arange(size)[::-1]) / ramp
        window = np.sin(np.pi / 2 * np.clip(edge, 0, 1)) ** 2
        windows.append(window.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)]))
    return windows[0], windows[1], windows[2]


def faded(refractive_index: Array, windows: tuple[Array, Array, Array]) -> Array:
    """Let the cell fade into the medium within the margin, so that no edge appears where the transform wraps round."""
    step = refractive_index - np.float32(N_MEDIUM)
    for window in windows:
        step = step * window
    return step + np.float32(N_MEDIUM)
