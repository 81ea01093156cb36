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
    from collections.abc import Callable

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
    image = image.astype(np.uint8) if image.dtype == bool else image
    values = image[np.isfinite(image)]
    low, high = outer_percentiles(values) if values.size else (0.0, 0.0)
    if not high > low:
        raise EvaluationError("The truth is constant, so it has no foreground.")
    otsu: Callable[..., float] = threshold_otsu
    threshold = float(otsu(np.clip(values, low, high)))
    with np.errstate(invalid="ignore"):
        mask: NDArray[np.bool_] = np.isfinite(image) & (image > threshold)
    return mask, threshold


def evaluate_planes(
    prediction: ArrayLike, truth: ArrayLike, *, mask: ArrayLike | None = None, scaling: Scaling | None = None
) -> tuple[PartScores, ...]:
    """Score each plane of ``(T, Z, Y, X)`` or ``(Z, Y, X)``, with the scaling of the whole.

    Parameters
    ----------
    prediction, truth, mask, scaling
        As for `evaluate`.

    Raises
    ------
    EvaluationError
        As for `evaluate`, and for arrays of other dimensions.
    """
    a, b, chosen, scaling = _prepared(prediction, truth, mask, scaling)
    return tuple(
        PartScores(t, z, _score(a[t, z], b[t, z], None if chosen is None else chosen[t, z], scaling))
        for t in range(a.shape[0])
        for z in range(a.shape[1])
    )


def evaluate_time_points(
    prediction: ArrayLike, truth: ArrayLike, *, mask: ArrayLike | None = None, scaling: Scaling | None = None
) -> tuple[PartScores, ...]:
    """Score each time point of ``(T, Z, Y, X)``, with the scaling of the whole; see `evaluate_planes`."""
    a, b, chosen, scaling = _prepared(prediction, truth, mask, scaling)
    return tuple(
        PartScores(t, None, _score(a[t], b[t], None if chosen is None else chosen[t], scaling))
        for t in range(a.shape[0])
    )


def _prepared(
    prediction: ArrayLike, truth: ArrayLike, mask: ArrayLike | None, scaling: Scaling | None
) -> tuple[NDArray[np.generic], NDArray[np.generic], NDArray[np.generic] | None, Scaling]:
    scaling = scaling or Scaling.measure(prediction, truth, mask)
    a, b = np.asarray(prediction), np.asarray(truth)
    if a.ndim not in (3, 4):
        raise EvaluationError(f"Planes are scored in (Z, Y, X) or (T, Z, Y, X), not in an array of shape {a.shape}.")
    chosen = None if mask is None else np.asarray(mask)
    if a.ndim == 3:
        a, b, chosen = a[None], b[None], None if chosen is None else chosen[None]
    return a, b, chosen, scaling


def _score(
    a: NDArray[np.generic], b: NDArray[np.generic], mask: NDArray[np.generic] | None, scaling: Scaling
) -> Scores:
    compared = np.isfinite(a) & np.isfinite(b) & (True if mask is None else mask != 0)
    if not compared.any():
        return Scores(*(math.nan,) * 5, voxels=0)
    return evaluate(a, b, mask=mask, scaling=scaling)
