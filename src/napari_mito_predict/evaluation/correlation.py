"""PCC and global SSIM, quick enough to follow a slider."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation.percentiles import outer_percentiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

_C1, _C2 = 0.01**2, 0.03**2
_CACHED = 1 << 16
"""Values that two buffers of float64 hold in the processor's cache."""


def pcc(prediction: ArrayLike, truth: ArrayLike) -> float:
    """Pearson correlation over the voxels that are finite in both; NaN where one image is constant.

    Parameters
    ----------
    prediction, truth : array_like
        Same shape. For data larger than memory see `StreamingPcc`.

    Raises
    ------
    EvaluationError
        The shapes differ.
    """
    return correlation(*_finite(prediction, truth))


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
    return _own_ssim(*_finite(prediction, truth))


def pcc_and_ssim(prediction: ArrayLike, truth: ArrayLike) -> tuple[float, float, int]:
    """`pcc`, `ssim_global` and the number of voxels compared, in one go: quick enough to follow a slider."""
    a, b = _finite(prediction, truth)
    return correlation(a, b), _own_ssim(a, b), int(a.size)


def _own_ssim(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Global SSIM, each image scaled by its own percentiles over these very values."""
    if not a.size or is_constant(a) or is_constant(b):
        return math.nan
    return global_ssim(a, b, (outer_percentiles(a), outer_percentiles(b)))


def correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Pearson correlation of finite values, in one axis each; NaN where one of the two is constant."""
    if a.size < 2:
        return math.nan
    means, largest = [], []
    for image in (a, b):
        if is_constant(image):
            return math.nan
        mean = float(image.mean(dtype=np.float64))
        means.append(mean)
        largest.append(max(float(image.max()) - mean, mean - float(image.min())))
    covariance = square_a = square_b = 0.0
    for x, y in _in_pieces(a, b):
        for values, mean, scale in zip((x, y), means, largest, strict=True):
            values -= mean
            values /= scale  # so that squares neither overflow nor vanish
        covariance += float(np.einsum("i,i", x, y))
        square_a += float(np.einsum("i,i", x, x))
        square_b += float(np.einsum("i,i", y, y))
    norm = math.sqrt(square_a * square_b)
    return max(-1.0, min(1.0, covariance / norm)) if norm else math.nan


def _in_pieces(a: NDArray[Any], b: NDArray[Any]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Copies in float64, piece by piece in the same two buffers: sums keep their digits and memory is not asked for."""
    buffers = np.empty((2, min(a.size, _CACHED)))
    for start in range(0, a.size, _CACHED):
        part_a, part_b = a[start : start + _CACHED], b[start : start + _CACHED]
        x, y = buffers[:, : part_a.size]
        x[:], y[:] = part_a, part_b
        yield x, y


def global_ssim(a: NDArray[Any], b: NDArray[Any], spans: tuple[tuple[float, float], tuple[float, float]]) -> float:
    """Global SSIM of finite values, in one axis each.

    Parameters
    ----------
    a, b : ndarray
        Of equal size.
    spans : tuple of tuple of float
        The ranges of `a` and of `b` that are scaled to [0, 1]; what is outside is clipped.
    """
    if not all(high > low for low, high in spans):
        return math.nan
    n = a.size
    sum_a = sum_b = square_a = square_b = product = 0.0
    for x, y in _in_pieces(a, b):
        for values, (low, high) in zip((x, y), spans, strict=True):
            values -= low
            values /= high - low
            np.clip(values, 0.0, 1.0, out=values)
            values -= 0.5  # squares about the middle of [0, 1] keep more digits
        sum_a, sum_b = sum_a + float(x.sum()), sum_b + float(y.sum())
        square_a += float(np.einsum("i,i", x, x))
        square_b += float(np.einsum("i,i", y, y))
        product += float(np.einsum("i,i", x, y))
    mean_a, mean_b = sum_a / n, sum_b / n
    var_a, var_b = max(square_a / n - mean_a**2, 0.0), max(square_b / n - mean_b**2, 0.0)
    covariance = product / n - mean_a * mean_b
    mean_a, mean_b = mean_a + 0.5, mean_b + 0.5
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return luminance * (2 * covariance + _C2) / (var_a + var_b + _C2)


def _finite(prediction: ArrayLike, truth: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """What is finite in both, in one axis; integers as they are, for a copy of a plane takes as long as its PCC."""
    a, b = (image if _is_plain(image) else as_float(image) for image in same_shape(prediction, truth))
    a, b = a.ravel(), b.ravel()
    if all(_all_finite(image) for image in (a, b)):
        return a, b
    finite = np.isfinite(a) & np.isfinite(b)
    return a[finite], b[finite]


def _is_plain(image: NDArray[Any]) -> bool:
    kind, size = image.dtype.kind, image.dtype.itemsize
    return image.dtype.isnative and ((kind == "f" and size in (4, 8)) or (kind in "iu" and size <= 2))


def _all_finite(image: NDArray[Any]) -> bool:
    if image.dtype.kind != "f" or not image.size:
        return True
    return bool(np.isfinite(image.min()) and np.isfinite(image.max()))  # both are NaN where any value is


def same_shape(prediction: ArrayLike, truth: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as arrays, refused where their shapes differ."""
    a, b = np.asarray(prediction), np.asarray(truth)
    if a.shape != b.shape:
        raise EvaluationError(
            f"Prediction {a.shape} and truth {b.shape} have different shapes. Compare images on the same grid: "
            "same file, scene and region."
        )
    return a, b


def as_float(image: NDArray[np.generic]) -> NDArray[np.floating]:
    """In float32 where that holds every value of the dtype, else in float64."""
    if np.iscomplexobj(image):
        raise EvaluationError("Complex numbers cannot be compared; give real images.")
    fits = image.dtype.itemsize <= 2 or image.dtype == np.float32
    return image.astype(np.float32 if fits else np.float64, copy=False)


def is_constant(image: NDArray[np.floating]) -> bool:
    """Exactly: the rounded mean of a constant may differ from it, and a correlation of rounding errors is no number."""
    return not image.size or bool(image.min() == image.max())
