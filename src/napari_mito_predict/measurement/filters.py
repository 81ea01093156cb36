"""What brings out mitochondria, and where they end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_mito_predict.errors import ImageContentError, MeasurementError
from napari_mito_predict.measurement.blocks import filtered

if TYPE_CHECKING:
    from napari_mito_predict.measurement.progress import Progress
    from napari_mito_predict.measurement.voxels import Voxels

Array = npt.NDArray[Any]
_TRUNCATE = 4.0
_NOISE = 3.0
"""Standard deviations of white noise that a threshold is at least above."""
_HISTOGRAM_VALUES = 1 << 20
_MEDIAN_OF_NORMAL = 0.6745
"""Median distance to the mean, in standard deviations."""


def checked(pixels: Array) -> Array:
    """See that these are pixels of a plane or a stack; real numbers, all of them finite.

    Raises
    ------
    MeasurementError
        Another number of axes, or no pixels.
    ImageContentError
        NaN or infinity.
    """
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise MeasurementError(f"an array of shape {pixels.shape} is neither a plane (Y, X) nor a stack (Z, Y, X).")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ImageContentError("some pixels are no finite numbers. Replace them before anything is measured.")
    return pixels


def band_pass(pixels: Array, voxels: Voxels, low: float, high: float, progress: Progress) -> Array:
    """Difference of two Gaussians: detail finer than `low` and brightness coarser than `high` are removed.

    Parameters
    ----------
    pixels : (Y, X) or (Z, Y, X) array
    voxels : Voxels
    low, high : float
        Standard deviations in the unit of `voxels`.
    progress : Progress

    Returns
    -------
    float32 array
        Of the same shape.
    """
    from scipy.ndimage import gaussian_filter

    fine = voxels.in_voxels(low)
    coarse = voxels.in_voxels(high)

    def difference(strip: Array) -> Array:
        values = np.asarray(strip, np.float32)
        kept = gaussian_filter(values, fine, truncate=_TRUNCATE)
        kept -= gaussian_filter(values, coarse, truncate=_TRUNCATE)
        return np.asarray(kept)

    halo = math.ceil(_TRUNCATE * coarse[-2]) + 1
    return filtered(pixels, difference, halo, progress, "removing background")


def ridges(pixels: Array, voxels: Voxels, low: float, high: float, progress: Progress) -> Array:
    """Tubularity: the negative eigenvalues of the Hessian across a bright tube (Sato et al. 1998), of three scales.

    Parameters as of `band_pass`; scales are from `low` to half of `high`. The second derivatives are per length and
    not per voxel, so that tubes along z count as those along y and x where planes are farther apart.
    """
    from scipy.ndimage import gaussian_filter

    scales = np.geomspace(low, max(high / 2, low), 3)

    def tubularity(strip: Array) -> Array:
        values = np.asarray(strip, np.float32)
        best = np.zeros(values.shape, np.float32)
        for scale in scales:
            smooth = gaussian_filter(values, voxels.in_voxels(scale), truncate=_TRUNCATE)
            np.maximum(best, scale**2 * _across_tubes(smooth, voxels), out=best)
        return best

    halo = math.ceil(_TRUNCATE * max(voxels.in_voxels(float(scales[-1])))) + 3
    return filtered(pixels, tubularity, halo, progress, "looking for tubes")


def blobs(pixels: Array, voxels: Voxels, scale: float, progress: Progress) -> Array:
    """The negative Laplacian of a Gaussian in lengths, times the square of its scale: bright blobs are positive."""
    from scipy.ndimage import gaussian_filter

    sigma = voxels.in_voxels(scale)

    def blobness(strip: Array) -> Array:
        values = np.asarray(strip, np.float32)
        answer = np.zeros(values.shape, np.float32)
        for axis, step in enumerate(voxels.spacing):
            order = [0] * voxels.ndim
            order[axis] = 2
            answer -= gaussian_filter(values, sigma, order=order, truncate=_TRUNCATE) * np.float32((scale / step) ** 2)
        return answer

    halo = math.ceil(_TRUNCATE * sigma[-2]) + 1
    return filtered(pixels, blobness, halo, progress, "looking for puncta")


def scatter(values: Array) -> float:
    """Standard deviation of normal noise around the median, by the median of distances to it."""
    return float(np.median(np.abs(values - np.median(values)))) / _MEDIAN_OF_NORMAL


def _across_tubes(smooth: Array, voxels: Voxels) -> Array:
    """Curvature across a bright tube; 0 where values do not fall off on balance, or on one side only."""
    ndim = smooth.ndim
    second: dict[tuple[int, int], Array] = {}
    for row in range(ndim):
        slope = _slope(smooth, voxels, row)
        for column in range(row, ndim):
            second[row, column] = _slope(slope, voxels, column)
    falling = np.sum([second[axis, axis] for axis in range(ndim)], axis=0) < 0
    hessian = np.empty((np.count_nonzero(falling), ndim, ndim), np.float32)
    for (row, column), values in second.items():
        hessian[:, row, column] = hessian[:, column, row] = values[falling]
    curvatures = np.linalg.eigvalsh(hessian)  # ascending: the most negative first
    result = np.zeros(smooth.shape, np.float32)
    result[falling] = np.prod(np.maximum(-curvatures[:, : ndim - 1], 0), axis=-1) ** (1 / (ndim - 1))
    return result


def _slope(values: Array, voxels: Voxels, axis: int) -> Array:
    if values.shape[axis] == 1:
        return np.zeros_like(values)
    return np.asarray(np.gradient(values, voxels.spacing[axis], axis=axis))


def above_surroundings(
    values: Array, voxels: Voxels, side: float, level: float, floor: float, progress: Progress
) -> Array:
    """Where values exceed a part of the largest one around, and `floor`.

    Parameters
    ----------
    values : float32 array
    voxels : Voxels
    side : float
        Of the square or cube around each voxel, in the unit of `voxels`.
    level : float
        Part of the largest value in it.
    floor : float

    Returns
    -------
    bool array
    """
    from scipy.ndimage import maximum_filter

    sides = odd_sides(voxels, side)

    def exceeding(strip: Array) -> Array:
        return np.asarray(strip > np.maximum(np.float32(level) * maximum_filter(strip, sides), np.float32(floor)))

    return filtered(values, exceeding, sides[-2] // 2 + 1, progress, "thresholding", bool)


def odd_sides(voxels: Voxels, side: float) -> list[int]:
    """Sides in voxels, odd, of a box with this side in the unit of `voxels`."""
    return [max(1, 2 * round(size / 2) + 1) for size in voxels.in_voxels(side)]


def otsu(values: Array) -> float:
    """Otsu's threshold (1979) of the values above 0; infinite where there are none that differ."""
    from skimage.filters import threshold_otsu

    positive = sample(values)
    positive = positive[positive > 0]
    if not positive.size or positive.min() == positive.max():
        return math.inf
    return float(threshold_otsu(positive))


def sample(values: Array) -> Array:
    """At most about a million of the values, evenly spread."""
    return values.reshape(-1)[:: max(1, values.size // _HISTOGRAM_VALUES)]


def noise_floor(pixels: Array, voxels: Voxels, low: float, high: float) -> float:
    """Three standard deviations of what a band-pass leaves of the white noise of an image.

    The noise is estimated plane by plane as Immerkaer (1996) does, with a median that most structures do not move.
    """
    planes = pixels[None] if pixels.ndim == 2 else pixels[:: max(1, len(pixels) // 8)]
    noise = float(np.median([_white_noise(plane) for plane in planes]))
    fine = np.asarray(voxels.in_voxels(low))
    coarse = np.asarray(voxels.in_voxels(high))
    return (
        _NOISE * noise * math.sqrt(max(0.0, _energy(fine, fine) + _energy(coarse, coarse) - 2 * _energy(fine, coarse)))
    )


def _white_noise(plane: Array) -> float:
    from scipy.ndimage import convolve

    if min(plane.shape) < 3:
        return 0.0
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    answer = convolve(np.asarray(plane, np.float32), mask)[1:-1, 1:-1]
    return float(np.median(np.abs(sample(np.ascontiguousarray(answer)))) / _MEDIAN_OF_NORMAL / 6)


def _energy(first: Array, second: Array) -> float:
    """Integral of the product of two Gaussians of these standard deviations in voxels, at most 1 for each axis."""
    variances = np.maximum(first**2 + second**2, 1 / (2 * math.pi))
    return float(np.prod(1 / np.sqrt(2 * math.pi * variances)))
