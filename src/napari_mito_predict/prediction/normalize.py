"""Bringing a volume to zero mean and unit variance by statistics of the whole volume, never of a tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import ImageContentError, UnsupportedImageError

if TYPE_CHECKING:
    from napari_mito_predict.models.card import Normalisation

_EXACT_IN_FLOAT32 = tuple(np.dtype(t) for t in ("bool", "u1", "i1", "u2", "i2", "f2", "f4"))


def as_float(volume: np.ndarray) -> np.ndarray:
    """`volume` as native float32, or float64 where float32 would lose digits (32-bit integers, float64).

    Raises
    ------
    UnsupportedImageError
        Complex numbers or no numbers at all.
    """
    if volume.dtype.kind not in "buif":
        raise UnsupportedImageError(
            f"The image holds {volume.dtype} values; a prediction needs whole or decimal numbers. Convert it, for "
            "example to its magnitude, first."
        )
    exact = volume.dtype.newbyteorder("=") in _EXACT_IN_FLOAT32
    return np.ascontiguousarray(volume, dtype=np.float32 if exact else np.float64)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a volume is normalised by: values clipped to ``[low, high]``, then ``(value - mean) / std``."""

    low: float
    high: float
    mean: float
    std: float


def measure(volume: np.ndarray, normalisation: Normalisation, *, where: str = "") -> Statistics:
    """Statistics of a whole volume, accumulated in float64.

    Parameters
    ----------
    volume : ndarray, (D, Y, X), float
        Finite values, see `as_float`.
    normalisation : Normalisation
        The model card's: percentiles to clip to, or none.
    where : str
        Which volume, for the message.

    Raises
    ------
    ImageContentError
        All values are equal, before or after clipping.
    """
    low, high = float(volume.min()), float(volume.max())
    if normalisation.clip_percentiles is not None:
        low, high = (float(p) for p in np.percentile(volume, normalisation.clip_percentiles))
    # Plane by plane: the float64 copies stay small. Two passes: no cancellation for images with a large offset.
    mean = sum(float(_clipped(plane, low, high).sum()) for plane in volume) / volume.size
    squares = sum(float(np.square(_clipped(plane, low, high) - mean).sum()) for plane in volume)
    std = float(np.sqrt(squares / volume.size))
    if not std > 1e-12 * max(abs(mean), 1e-300) or low == high:
        place = f" ({where})" if where else ""
        raise ImageContentError(
            f"The image has no contrast{place}: nearly all values are {low:g}. A prediction from it would be "
            "meaningless. Check the channel, and whether the lamp was on."
        )
    return Statistics(low, high, mean, std)


def normalise(volume: np.ndarray, statistics: Statistics) -> np.ndarray:
    """``(clip(volume) - mean) / std`` as a new float32 array; computed in float64, plane by plane."""
    result = np.empty(volume.shape, np.float32)
    for plane, out in zip(volume, result, strict=True):
        out[...] = (_clipped(plane, statistics.low, statistics.high) - statistics.mean) / statistics.std
    return result


def _clipped(plane: np.ndarray, low: float, high: float) -> np.ndarray:
    clipped: np.ndarray = np.clip(plane.astype(np.float64), low, high)
    return clipped
