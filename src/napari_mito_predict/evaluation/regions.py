"""Scores of parts of a volume: the foreground, each plane, each time point.

A part is scored with the percentiles and the fit of its whole volume (`Scaling`), so that the numbers of parts can be
compared with each other; each part's Pearson correlation is its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation.metrics import Scaling, Scores, evaluate
from napari_mito_predict.evaluation.percentiles import outer_percentiles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class PartScores:
    """Scores of one plane or time point.

    Attributes
    ----------
    t, z : int or None
        Which, from 0; None where all of that axis belong to the part.
    scores : Scores
        All NaN, with 0 voxels, where nothing could be compared.
    """

    t: int | None
    z: int | None
    scores: Scores


def foreground(truth: ArrayLike) -> tuple[NDArray[np.bool_], float]:
    """Where the truth is bright: above Otsu's threshold over the whole volume, clipped to its 0.1-99.9 percentiles.

    Parameters
    ----------
    truth : array_like
        Of any shape and real dtype. Values that are not finite are background.

    Returns
    -------
    mask : ndarray of bool
        Of the same shape.
    threshold : float
        In the truth's units.

    Raises
    ------
    EvaluationError
        The truth is constant or nowhere finite, and so has no foreground.

    Notes
    -----
    Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. SMC 9 (1979). Clipped, because a
    single hot pixel would make the 256 bins of the histogram too coarse.
    """
    from skimage.filters import threshold_otsu

    image = np.asarray(truth)
    if image.dtype == bool:
        image = image.astype(np.uint8)
    values = image[np.isfinite(image)]
    low = high = 0.0
    if values.size:
        low, high = outer_percentiles(values)
    if not high > low:
        raise EvaluationError("The truth is constant, so it has no foreground.")
    otsu: Callable[..., float] = threshold_otsu
    threshold = float(otsu(np.clip(values, low, high)))
    with np.errstate(invalid="ignore"):
        mask: NDArray[np.bool_] = np.isfinite(image) & (image > threshold)
    return mask, threshold


def evaluate_planes(
    prediction: ArrayLike,
    truth: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    scaling: Scaling | None = None,
    voxel_size_um: Sequence[float | None] | None = None,
) -> tuple[PartScores, ...]:
    """Score each plane of ``(T, Z, Y, X)`` or ``(Z, Y, X)``, with the scaling of the whole.

    Parameters
    ----------
    prediction, truth, mask, scaling, voxel_size_um
        As for `evaluate`.

    Raises
    ------
    EvaluationError
        As for `evaluate`, and for arrays of other dimensions.
    """
    compared = _Compared.of(prediction, truth, mask, scaling, voxel_size_um)
    return tuple(PartScores(t, z, compared.score((t, z))) for t, z in np.ndindex(compared.prediction.shape[:2]))


def evaluate_time_points(
    prediction: ArrayLike,
    truth: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    scaling: Scaling | None = None,
    voxel_size_um: Sequence[float | None] | None = None,
) -> tuple[PartScores, ...]:
    """Score each time point of ``(T, Z, Y, X)``, with the scaling of the whole; see `evaluate_planes`."""
    compared = _Compared.of(prediction, truth, mask, scaling, voxel_size_um)
    return tuple(PartScores(t, None, compared.score((t,))) for t in range(len(compared.prediction)))


@dataclass(frozen=True)
class _Compared:
    """Prediction, truth and mask as ``(T, Z, Y, X)``, and the scaling of the whole."""

    prediction: NDArray[np.generic]
    truth: NDArray[np.generic]
    mask: NDArray[np.generic] | None
    scaling: Scaling
    voxel_size_um: Sequence[float | None] | None

    @classmethod
    def of(
        cls,
        prediction: ArrayLike,
        truth: ArrayLike,
        mask: ArrayLike | None,
        scaling: Scaling | None,
        voxel_size_um: Sequence[float | None] | None,
    ) -> _Compared:
        scaling = scaling or Scaling.measure(prediction, truth, mask)
        a, b = np.asarray(prediction), np.asarray(truth)
        if a.ndim not in (3, 4):
            raise EvaluationError(
                f"Planes are scored in (Z, Y, X) or (T, Z, Y, X), not in an array of shape {a.shape}."
            )
        full = (-1, *a.shape[-3:])
        if mask is not None:
            mask = np.asarray(mask).reshape(full)
        return cls(a.reshape(full), b.reshape(full), mask, scaling, voxel_size_um)

    def score(self, part: tuple[int, ...]) -> Scores:
        """Scores of one time point ``(t,)`` or plane ``(t, z)``; NaN where nothing of it can be compared."""
        a, b = self.prediction[part], self.truth[part]
        compared = np.isfinite(a) & np.isfinite(b)
        mask = None
        if self.mask is not None:
            mask = self.mask[part]
            compared &= mask != 0
        if not compared.any():
            return Scores(*(math.nan,) * 5, voxels=0)
        return evaluate(a, b, mask=mask, scaling=self.scaling, voxel_size_um=self.voxel_size_um)
