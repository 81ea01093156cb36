"""Volumes of labels from rows of balls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_mito_predict.simulation.shapes import window_offsets

if TYPE_CHECKING:
    from napari_mito_predict.simulation.shapes import Grid, Points

_GROUP = 2000


def label_balls(
    grid: Grid, points: Points, radius: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
) -> npt.NDArray[np.int32]:
    """Label the voxels whose centres lie in a ball.

    Parameters
    ----------
    grid : Grid
    points : (P, 3) array
        Centres in um.
    radius : (P,) array
        In um.
    labels : (P,) array
        Larger than 0.

    Returns
    -------
    (Z, Y, X) int32 array
        0 outside all balls. A voxel in several belongs to the one whose centre is nearest relative to its radius; of
        equals, to the one with the smaller label.
    """
    size = int(np.prod(grid.shape))
    volume = np.zeros(size, np.int32)
    nearest = np.ones(size)
    voxel = np.array(grid.voxel_size_um)
    relative = points - np.array(grid.origin_um)
    for start in range(0, len(points), _GROUP):
        group = slice(start, start + _GROUP)
        window = window_offsets(float(radius[group].max()) + voxel.max() / 2, voxel)
        index = np.round(relative[group] / voxel).astype(int)[:, None] + window
        distance = np.linalg.norm(index * voxel - relative[group][:, None], axis=2) / radius[group][:, None]
        inside = (distance < 1) & ((index >= 0) & (index < np.array(grid.shape))).all(axis=2)
        flat = np.ravel_multi_index(tuple(index[inside].T), grid.shape)
        owner = np.broadcast_to(labels[group][:, None], inside.shape)[inside]
        # What is written last stays: the nearest.
        order = np.lexsort((-owner, -distance[inside]))
        flat, owner = flat[order], owner[order]
        found = distance[inside][order]
        closer = found < nearest[flat]
        volume[flat[closer]] = owner[closer]
        nearest[flat[closer]] = found[closer]
    return volume.reshape(grid.shape)
