"""How well a prediction matches the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import EvaluationError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SSIM_PERCENTILES = (0.1, 99.9)
_C1, _C2 = 0.01**2, 0.03**2
_WINDOW = 7


@dataclass(frozen=True)
class Scores:
    """Agreement of one prediction with its truth, over all voxels that are finite in both.

    Attributes
    ----------
    pcc : float
        Pearson correlation over voxels; NaN where either image is constant.
    ssim_global : float
        SSIM with one mean, variance and covariance over the whole image, see `ssim_global`.
    ssim_windowed : float
        Mean SSIM of `skimage.metrics.structural_similarity` over 7-voxel windows in the last two axes; another number
        than `ssim_global`.
    r2, nrmse : float
        Coefficient of determination, and root mean squared error in standard deviations of the truth, both between
        z-scored truth and z-scored prediction: predicted brightness is relative.
    voxels : int
        How many voxels were compared.
    """

    pcc: float
    ssim_global: float
    ssim_windowed: float
    r2: float
    nrmse: float
    voxels: int


def evaluate(prediction: ArrayLike, truth: ArrayLike) -> Scores:
    """Compare a prediction with the truth.

    Parameters
    ----------
    prediction, truth : array_like
        Same shape, for example ``(Z, Y, X)``; any real dtype. Voxels that are not finite in either are left out.

    Raises
    ------
    EvaluationError
        The shapes differ, or no voxel is finite in both.
    """
    a, b = _pair(prediction, truth)
    finite = np.isfinite(a) & np.isfinite(b)
    if not finite.any():
        raise EvaluationError("Prediction and truth share no finite voxel: nothing to compare.")
    r = pcc(a, b)
    return Scores(
        pcc=r,
        ssim_global=ssim_global(a, b),
        ssim_windowed=_ssim_windowed(a, b) if finite.all() else math.nan,
        r2=2 * r - 1,  # of z-scores: 1 - mean((a - b)^2) = 1 - (2 - 2 r)
        nrmse=math.sqrt(max(2 - 2 * r, 0.0)) if math.isfinite(r) else math.nan,
        voxels=int(finite.sum()),
    )


def pcc(prediction: ArrayLike, truth: ArrayLike) -> float:
    """Pearson correlation over the voxels that are finite in both; NaN where one image is constant.

    Parameters
    ----------
    prediction, truth : array_like
        Same shape.

    Raises
    ------
    EvaluationError
        The shapes differ.
    """
    a, b = _finite(*_pair(prediction, truth))
    if a.size < 2:
        return math.nan
    a, b = a - float(a.mean(dtype=np.float64)), b - float(b.mean(dtype=np.float64))
    # The largest value scales first, so that squares neither overflow nor vanish.
    largest_a, largest_b = float(np.abs(a).max()), float(np.abs(b).max())
    if not largest_a or not largest_b:
        return math.nan
    a, b = a / largest_a, b / largest_b
    # einsum accumulates in the dtype it is given, np.dot too; float64 sums keep r exact for large volumes.
    covariance = float(np.einsum("i,i", a, b, dtype=np.float64))
    norm = math.sqrt(float(np.einsum("i,i", a, a, dtype=np.float64)) * float(np.einsum("i,i", b, b, dtype=np.float64)))
    return max(-1.0, min(1.0, covariance / norm)) if norm else math.nan


def ssim_global(prediction: ArrayLike, truth: ArrayLike) -> float:
    """SSIM from one mean, variance and covariance over the whole image (Hsu, Lee & Wei 2021), L = 1.

    Each image is clipped to its 0.1 and 99.9 percentiles and scaled to [0, 1] first, because prediction and truth have
    other units. ``(2 ma mb + c1)(2 cov + c2) / ((ma^2 + mb^2 + c1)(va + vb + c2))``, ``c1 = 0.01^2``, ``c2 = 0.03^2``.

    Parameters
    ----------
    prediction, truth : array_like
        Same shape. NaN where one image is constant.

    Raises
    ------
    EvaluationError
        The shapes differ.
    """
    a, b = (_unit_range(image) for image in _finite(*_pair(prediction, truth)))
    if a is None or b is None:
        return math.nan
    mean_a, mean_b = float(a.mean(dtype=np.float64)), float(b.mean(dtype=np.float64))
    a, b = a - mean_a, b - mean_b
    n = a.size
    var_a, var_b, covariance = (
        float(np.einsum("i,i", p, q, dtype=np.float64)) / n for p, q in ((a, a), (b, b), (a, b))
    )
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return luminance * (2 * covariance + _C2) / (var_a + var_b + _C2)


def _ssim_windowed(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    from skimage.metrics import structural_similarity

    if min(a.shape[-2:], default=0) < _WINDOW:
        return math.nan
    flat_a, flat_b = _unit_range(a.ravel()), _unit_range(b.ravel())
    if flat_a is None or flat_b is None:
        return math.nan
    planes = (flat_a.reshape(-1, *a.shape[-2:]), flat_b.reshape(-1, *b.shape[-2:]))
    ssim: Callable[..., float] = structural_similarity
    values = [ssim(p, q, win_size=_WINDOW, data_range=1.0) for p, q in zip(*planes, strict=True)]
    return float(np.mean(values))


def _pair(prediction: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    a, b = np.asarray(prediction), np.asarray(truth)
    if a.shape != b.shape:
        raise EvaluationError(
            f"Prediction {a.shape} and truth {b.shape} have different shapes. Compare images on the same grid: "
            "same file, scene and region."
        )
    return _as_float(a), _as_float(b)


def _as_float(image: NDArray[np.generic]) -> NDArray[np.floating]:
    if np.iscomplexobj(image):
        raise EvaluationError("Complex numbers cannot be compared; give real images.")
    return image.astype(
        np.float32 if image.dtype.itemsize <= 2 or image.dtype == np.float32 else np.float64, copy=False
    )


def _finite(a: NDArray[np.floating], b: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    a, b = a.ravel(), b.ravel()
    finite = np.isfinite(a) & np.isfinite(b)
    return (a, b) if finite.all() else (a[finite], b[finite])


def _unit_range(image: NDArray[np.floating]) -> NDArray[np.floating] | None:
    if not image.size:
        return None
    low, high = np.percentile(image, _SSIM_PERCENTILES)
    if not high > low:
        return None
    scaled: NDArray[np.floating] = np.clip((image - low) / (high - low), 0.0, 1.0)
    return scaled
