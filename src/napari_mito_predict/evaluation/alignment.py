"""Whether the truth of a report is shifted against the prediction, and what correcting that would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.evaluation.correlation import pcc
from napari_mito_predict.evaluation.registration import find_shift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class ShiftCheck:
    """Where the truth lies against the prediction.

    Attributes
    ----------
    voxels : tuple of int
        z, y, x: what lies at `p` in the prediction lies at ``p + voxels`` in the truth; all 0 where no shift is sure.
    um : tuple of float or None
        The same in micrometres.
    shifted, significant : bool
        See `Shift`: a match was found that chance does not give (`significant`), away from no shift at all (`shifted`).
    pcc_before, pcc_after : float
        Over the voxels that overlap after the correction, without it and with it.
    """

    voxels: tuple[int, int, int]
    um: tuple[float | None, float | None, float | None]
    shifted: bool
    significant: bool
    pcc_before: float
    pcc_after: float


def check_shift(
    prediction: NDArray[Any], truth: NDArray[Any], voxel_size_um: Sequence[float | None] = (None, None, None)
) -> ShiftCheck:
    """Look for a shift common to all of ``(T, Z, Y, X)``.

    A series of single planes is searched as a whole in y and x; of a series of stacks, the middle time point is.

    Parameters
    ----------
    prediction, truth : ndarray, (T, Z, Y, X)
        Of equal shape; values that are not finite count as the mean.
    voxel_size_um : sequence of float or None
        z, y, x.
    """
    along_z = prediction.shape[1] > 1
    found = find_shift(_filled(_searched(prediction)), _filled(_searched(truth)), along_third=along_z)
    voxels = (0, 0, 0)
    if found.shifted:
        moved = [round(size) for size in found.voxels]
        voxels = (moved[0] if along_z else 0, moved[-2], moved[-1])
    before, after = _overlap(prediction, truth, voxels)
    um = [_in_um(count, size) for count, size in zip(voxels, voxel_size_um, strict=True)]
    return ShiftCheck(voxels, (um[0], um[1], um[2]), found.shifted, found.significant, before, after)


def _in_um(voxels: int, size_um: float | None) -> float | None:
    return None if size_um is None else voxels * size_um


def _searched(image: NDArray[Any]) -> NDArray[Any]:
    """What a shift is looked for in: the stack in the middle of a series, all frames of a series of planes, a plane."""
    times, depth = image.shape[:2]
    searched: NDArray[Any] = image[times // 2] if depth > 1 else image[:, 0]
    if depth == times == 1:
        searched = searched[0]
    return searched


def _overlap(prediction: NDArray[Any], truth: NDArray[Any], voxels: tuple[int, int, int]) -> tuple[float, float]:
    """PCC over the voxels that have a partner after the shift: in place, and with the shift undone."""
    here = tuple(slice(max(0, -v), n - max(0, v)) for v, n in zip(voxels, prediction.shape[1:], strict=True))
    there = tuple(slice(max(0, v), n - max(0, -v)) for v, n in zip(voxels, prediction.shape[1:], strict=True))
    shown = prediction[:, *here]
    return pcc(shown, truth[:, *here]), pcc(shown, truth[:, *there])


def _filled(image: NDArray[Any]) -> NDArray[np.float32]:
    values = image.astype(np.float32)
    finite = np.isfinite(values)
    mean = float(values[finite].mean(dtype=np.float64)) if finite.any() else 0.0
    filled: NDArray[np.float32] = np.where(finite, values, np.float32(mean))
    return filled
