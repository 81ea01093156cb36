"""Images as a model takes them, by whole-image statistics: for self-tests, and without what predicting does besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_mito_predict.models.card import Normalisation


def normalised(image: np.ndarray, normalisation: Normalisation) -> np.ndarray:
    """Bring an image into the range that a network knows.

    Parameters
    ----------
    image : ndarray
        Any shape, real numbers, of which all count.
    normalisation : Normalisation
        The model card's.

    Returns
    -------
    ndarray, float32
        Computed in float64; zero where the image has no contrast.
    """
    with np.errstate(all="ignore"):  # of values that no image has, infinities may come
        values = np.asarray(image, np.float64)
        if normalisation.clip_percentiles is not None:
            values = np.clip(values, *np.percentile(values, normalisation.clip_percentiles))
        offset, scale = _offset_and_scale(values, normalisation)
        result: np.ndarray = ((values - offset) / (scale or 1.0)).astype(np.float32)
    return result


def _offset_and_scale(values: np.ndarray, normalisation: Normalisation) -> tuple[float, float]:
    """See `Normalisation`."""
    if normalisation.kind == "fixed":
        return normalisation.offset or 0.0, normalisation.scale or 1.0
    if normalisation.kind == "zscore":
        return float(values.mean()), float(values.std())
    if normalisation.kind == "robust":
        quartiles = np.percentile(values, (25, 50, 75)).tolist()
        return quartiles[1], quartiles[2] - quartiles[0]
    low, high = np.percentile(values, normalisation.percentiles or (0, 100)).tolist()
    return low, high - low
