"""How well a prediction matches the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation.correlation import as_float, correlation, global_ssim, is_constant, same_shape
from napari_mito_predict.evaluation.fine import fine_pcc
from napari_mito_predict.evaluation.percentiles import outer_percentiles
from napari_mito_predict.evaluation.spectrum import SpectralScores, mean_spectral_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

_WINDOW = 7
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Scores:
    """Agreement of one prediction with its truth, over all voxels that are finite in both.

    Predicted brightness is relative (z-scores of the training truth), so the numbers of scale (`r2`, `nrmse`, `mae`,
    `psnr`) are taken after the prediction was brought to the truth's units by least squares, see `Scaling`. All
    numbers but `voxels` are NaN where prediction or truth is constant.

    Attributes
    ----------
    pcc : float
        Pearson correlation over voxels.
    ssim_global : float
        SSIM with one mean, variance and covariance over the whole image, see `ssim_global`.
    ssim_windowed : float
        Mean SSIM of `skimage.metrics.structural_similarity` over 7-voxel windows in the last two axes, of the same
        images scaled to [0, 1]; another number than `ssim_global`. Windows with a voxel that is not finite are left
        out; NaN where no window fits.
    r2 : float
        Coefficient of determination of the truth by the fitted prediction. Where the fit is over the same voxels this
        is the square of a positive `pcc`, and 0 for a negative one.
    nrmse : float
        Root mean squared error of the fitted prediction, in standard deviations of the truth.
    mae : float
        Mean absolute error of the fitted prediction, in the truth's own units.
    psnr : float
        ``10 log10(L^2 / MSE)`` of the fitted prediction, in dB; L is the span of the truth between its 0.1 and 99.9
        percentiles. Infinite where the fit is perfect.
    voxels : int
        How many voxels were compared.
    fine_pcc : float
        Pearson correlation of fine structure, see `fine_pcc`.
    spectral_pcc : float
        Pearson correlation weighted by frequency, see `spectral_pcc`: of each stack where the voxel size is known along
        z, else of each plane, and the mean of these. NaN where a voxel is left out: what is left has no spectrum.
    resolution_um : float
        Size in y and x down to which prediction and truth agree, see `fsc_resolution`; NaN where `spectral_pcc` is,
        where the voxel size is unknown, and where one of the stacks or planes has none.
    """

    pcc: float
    ssim_global: float
    ssim_windowed: float
    r2: float
    nrmse: float
    voxels: int
    mae: float = math.nan
    psnr: float = math.nan
    fine_pcc: float = math.nan
    spectral_pcc: float = math.nan
    resolution_um: float = math.nan


@dataclass(frozen=True)
class Scaling:
    """How prediction and truth are made comparable; measured over a whole volume, used for its parts too.

    Attributes
    ----------
    prediction_range, truth_range : tuple of float
        0.1 and 99.9 percentiles: SSIM clips each image to them and scales it to [0, 1].
    offset, gain : float
        ``offset + gain * prediction`` is the least-squares fit to the truth. The gain is never negative: a prediction
        that is dark where the truth is bright is wrong, not a matter of units.
    """

    prediction_range: tuple[float, float]
    truth_range: tuple[float, float]
    offset: float
    gain: float

    @classmethod
    def measure(cls, prediction: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> Scaling:
        """Measure over the voxels that are finite in both, and true in `mask` (all of equal shape).

        Raises
        ------
        EvaluationError
            The shapes differ, or no voxel is left.
        """
        a, b = _pair(prediction, truth)
        return cls._of(*_select(a, b, _compared(a, b, mask)))

    @classmethod
    def _of(cls, a: NDArray[np.floating], b: NDArray[np.floating]) -> Scaling:
        r = correlation(a, b)
        std_a, std_b = (float(image.std(dtype=np.float64)) for image in (a, b))
        gain = math.nan
        if math.isfinite(r) and std_a:
            gain = max(r, 0.0) * std_b / std_a
        mean_a, mean_b = (float(image.mean(dtype=np.float64)) for image in (a, b))
        return cls(outer_percentiles(a), outer_percentiles(b), mean_b - gain * mean_a, gain)

    def fitted(self, prediction: NDArray[np.floating]) -> NDArray[np.floating]:
        """`prediction` in the truth's units."""
        fitted: NDArray[np.floating] = self.offset + self.gain * prediction
        return fitted


def evaluate(
    prediction: ArrayLike,
    truth: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    scaling: Scaling | None = None,
    voxel_size_um: Sequence[float | None] | None = None,
) -> Scores:
    """Compare a prediction with the truth.

    Parameters
    ----------
    prediction, truth : array_like
        Same shape, for example ``(Z, Y, X)``; any real dtype. Voxels that are not finite in either are left out.
    mask : array_like of bool, optional
        Of the same shape: compare only where it is true.
    scaling : Scaling, optional
        Of the volume this is a part of; without it, measured over the voxels compared.
    voxel_size_um : sequence of float or None, optional
        z, y, x: for `fine_pcc`, `spectral_pcc` and `resolution_um`.

    Raises
    ------
    EvaluationError
        The shapes differ, or no voxel is left to compare.
    """
    a, b = _pair(prediction, truth)
    compared = _compared(a, b, mask)
    flat_a, flat_b = _select(a, b, compared)
    scaling = scaling or Scaling._of(flat_a, flat_b)
    if is_constant(flat_a) or is_constant(flat_b):
        return Scores(*(math.nan,) * 5, voxels=int(flat_a.size))
    mae, mse = _errors(flat_a, flat_b, scaling)
    variance = float(flat_b.var(dtype=np.float64))
    spans = (scaling.prediction_range, scaling.truth_range)
    low, high = scaling.truth_range
    spectral = SpectralScores()
    if a.ndim > 1 and compared.all():
        spectral = mean_spectral_scores(a, b, voxel_size_um)
    return Scores(
        pcc=correlation(flat_a, flat_b),
        ssim_global=global_ssim(flat_a, flat_b, spans),
        ssim_windowed=_ssim_windowed(a, b, compared, scaling),
        r2=1 - mse / variance if variance else math.nan,  # tiny values differ, but their squares vanish
        nrmse=math.sqrt(mse / variance) if variance else math.nan,
        voxels=int(flat_a.size),
        mae=mae,
        psnr=_decibels(high - low, mse),
        fine_pcc=fine_pcc(a, b, voxel_size_um, mask=compared),
        spectral_pcc=spectral.pcc,
        resolution_um=spectral.resolution_xy,
    )


def _errors(a: NDArray[np.floating], b: NDArray[np.floating], scaling: Scaling) -> tuple[float, float]:
    """Mean absolute and mean squared error of the fitted prediction, in float64 without a float64 copy of it all."""
    absolute = squared = 0.0
    for start in range(0, a.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        error = b[part].astype(np.float64) - scaling.fitted(a[part].astype(np.float64))
        absolute += float(np.abs(error).sum())
        squared += float(error @ error)
    return absolute / a.size, squared / a.size


def _decibels(span: float, mse: float) -> float:
    if not span > 0 or math.isnan(mse):
        return math.nan
    if mse == 0:
        return math.inf
    return 10 * math.log10(span**2 / mse)


def _ssim_windowed(
    a: NDArray[np.floating], b: NDArray[np.floating], compared: NDArray[np.bool_], scaling: Scaling
) -> float:
    """Mean over all windows that lie inside the plane, are centred on a compared voxel and hold finite values only."""
    if a.ndim < 2 or min(a.shape[-2:]) < _WINDOW:
        return math.nan
    total, count = 0.0, 0
    for plane_a, plane_b, wanted in _planes(a, b, compared):
        if not wanted.any():
            continue
        finite = np.isfinite(plane_a) & np.isfinite(plane_b)
        unit_a = to_unit(np.where(finite, plane_a, 0), scaling.prediction_range)
        unit_b = to_unit(np.where(finite, plane_b, 0), scaling.truth_range)
        if unit_a is None or unit_b is None:
            return math.nan
        values = _ssim_map(unit_a, unit_b)[_wanted_windows(wanted, finite)]
        total, count = total + float(values.sum(dtype=np.float64)), count + values.size
    return total / count if count else math.nan


def _ssim_map(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """SSIM of each window that lies inside the plane, without the border."""
    from skimage.metrics import structural_similarity

    ssim: Callable[..., tuple[float, NDArray[np.floating]]] = structural_similarity
    half = _WINDOW // 2
    return ssim(a, b, win_size=_WINDOW, data_range=1.0, full=True)[1][half:-half, half:-half]


def _wanted_windows(wanted: NDArray[np.bool_], finite: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which windows of a plane count, without the border."""
    from scipy.ndimage import minimum_filter

    half = _WINDOW // 2
    whole = finite
    if not finite.all():
        whole = minimum_filter(finite, _WINDOW)
    chosen: NDArray[np.bool_] = (wanted & whole)[half:-half, half:-half]
    return chosen


def _planes(*images: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
    yield from zip(*(image.reshape(-1, *image.shape[-2:]) for image in images), strict=True)


def _pair(prediction: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    a, b = same_shape(prediction, truth)
    return as_float(a), as_float(b)


def _compared(a: NDArray[np.floating], b: NDArray[np.floating], mask: ArrayLike | None) -> NDArray[np.bool_]:
    compared: NDArray[np.bool_] = np.isfinite(a) & np.isfinite(b)
    if not compared.any():
        raise EvaluationError("Prediction and truth share no finite voxel: nothing to compare.")
    if mask is None:
        return compared
    chosen = np.asarray(mask) != 0
    if chosen.shape != a.shape:
        raise EvaluationError(f"The mask {chosen.shape} and the images {a.shape} have different shapes.")
    compared &= chosen
    if not compared.any():
        raise EvaluationError("No finite voxel lies within the mask: nothing to compare.")
    return compared


def _select(
    a: NDArray[np.floating], b: NDArray[np.floating], compared: NDArray[np.bool_]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The chosen voxels of both, in one axis."""
    if compared.all():
        return a.ravel(), b.ravel()
    return a[compared], b[compared]


def to_unit(image: NDArray[np.floating], span: tuple[float, float]) -> NDArray[np.floating] | None:
    """`image` clipped to `span` and scaled to [0, 1]; None where the span is empty."""
    low, high = span
    if not high > low:
        return None
    scaled: NDArray[np.floating] = np.clip((image - low) / (high - low), 0.0, 1.0)
    return scaled
