"""The plane that a report shows, and the histogram of prediction against truth: small enough for many fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.evaluation.metrics import Scaling

_LARGEST = 512
_BINS = 96
_SHOWN = (0.5, 99.5)


@dataclass(frozen=True)
class Views:
    """What is drawn of one prediction.

    Attributes
    ----------
    t, z : int
        The plane: of all planes the one whose truth varies most (standard deviation), so that the prediction has no
        say in what is shown.
    light : ndarray (Y, X) or None
        Transmitted light.
    truth, fitted, residual : ndarray (Y, X), float32
        In the truth's units; `residual` is truth minus fitted prediction.
    truth_range : tuple of float
        0.5 and 99.5 percentiles of the whole volume's truth: a few very bright cells must not make all others black.
    truth_std : float
        Standard deviation of the whole volume's truth.
    binning : int
        Voxels of y and x that were averaged into one pixel.
    counts : ndarray (predictions, truths)
        2-D histogram over all finite voxels, both clipped to their 0.1-99.9 percentiles.
    prediction_edges, truth_edges : ndarray
        Of its bins.
    """

    t: int
    z: int
    light: NDArray[np.float32] | None
    truth: NDArray[np.float32]
    fitted: NDArray[np.float32]
    residual: NDArray[np.float32]
    truth_range: tuple[float, float]
    truth_std: float
    binning: int
    counts: NDArray[np.float64]
    prediction_edges: NDArray[np.float64]
    truth_edges: NDArray[np.float64]


def take_views(prediction: NDArray[Any], truth: NDArray[Any], light: NDArray[Any] | None, scaling: Scaling) -> Views:
    """Choose the plane and count the histogram.

    Parameters
    ----------
    prediction, truth : ndarray, (T, Z, Y, X)
        Of equal shape.
    light : ndarray, (T, Z, Y, X), optional
        Transmitted light.
    scaling : Scaling
        Of the whole volume.
    """
    t, z = _most_varied(truth)
    binning = min(-(-max(truth.shape[-2:]) // _LARGEST), *truth.shape[-2:])
    plane = _binned(truth[t, z], binning)
    fitted = _binned(np.asarray(scaling.fitted(prediction[t, z].astype(np.float32))), binning)
    finite = np.isfinite(prediction) & np.isfinite(truth)
    values = [
        np.clip(image[finite].astype(np.float32), *span)
        for image, span in ((prediction, scaling.prediction_range), (truth, scaling.truth_range))
    ]
    histogram = np.histogram2d(values[0], values[1], bins=_BINS)
    return Views(
        t=t,
        z=z,
        light=None if light is None else _binned(light[t, z], binning),
        truth=plane,
        fitted=fitted,
        residual=plane - fitted,
        truth_range=_shown_range(truth[finite]),
        truth_std=float(truth[finite].std(dtype=np.float64)),
        binning=binning,
        counts=histogram[0],
        prediction_edges=histogram[1],
        truth_edges=histogram[2],
    )


def _shown_range(truth: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(truth, _SHOWN)
    return float(low), float(max(high, low + 1e-6))


def _most_varied(truth: NDArray[Any]) -> tuple[int, int]:
    """Time point and Z step of the plane with the largest standard deviation."""
    spread = {place: _standard_deviation(truth[place]) for place in np.ndindex(truth.shape[:2])}
    t, z = max(spread, key=spread.__getitem__)
    return t, z


def _standard_deviation(plane: NDArray[Any]) -> float:
    """Of what is finite; less than any other where nothing is."""
    values = plane[np.isfinite(plane)]
    return float(values.std(dtype=np.float64)) if values.size else -1.0


def _binned(plane: NDArray[Any], binning: int) -> NDArray[np.float32]:
    """Mean of squares of `binning` voxels; what is left at the far border is cut off."""
    values = plane.astype(np.float32)
    height, width = (n // binning * binning for n in values.shape)
    blocks = values[:height, :width].reshape(height // binning, binning, width // binning, binning)
    binned: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return binned
