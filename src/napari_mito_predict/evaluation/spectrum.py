"""Agreement of prediction and truth frequency by frequency: spectral PCC and Fourier shell correlation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import rfftn
from scipy.signal.windows import tukey

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation.correlation import as_float, is_constant, same_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

FSC_THRESHOLD = 1 / 7
_APODISED = 0.1
"""Share of each axis over which the Tukey window falls to 0: without it the borders of the image are structure too."""
_NOISE_TAIL = 0.2
"""Share of the shells, those of the highest frequencies, in which the truth holds noise only."""
_DIAGONAL = 45.0
_FEWEST_PLANES = 5
"""The window is 0 in the first and last plane: of fewer than this, too little of a stack is left."""


@dataclass(frozen=True)
class SpectralScores:
    """Agreement by frequency.

    Attributes
    ----------
    pcc : float
        Spectral PCC, see `spectral_pcc`.
    resolution_xy, resolution_z : float
        See `fsc_resolution`.
    """

    pcc: float = math.nan
    resolution_xy: float = math.nan
    resolution_z: float = math.nan


def spectral_pcc(prediction: ArrayLike, truth: ArrayLike, spacing: Sequence[float] | None = None) -> float:
    r"""Pearson correlation in which each spatial frequency counts by how much of the truth there is not noise.

    .. math:: r = \frac{\sum_k W(k) \mathrm{Re}(P(k) T^*(k))}{\sqrt{\sum_k W(k) |P(k)|^2 \; \sum_k W(k) |T(k)|^2}}

    P and T are the Fourier transforms of prediction and truth about their means, apodised by a Tukey window;
    ``W = max(0, S - n)``, S the power of the truth averaged over shells of one frequency, n its median over the fifth
    of the shells with the highest frequencies.

    Parameters
    ----------
    prediction, truth : array_like
        Same shape, (Y, X) or (Z, Y, X).
    spacing : sequence of float, optional
        Distance of voxels along each axis, in one unit; 1 without it.

    Returns
    -------
    float
        NaN where one image is constant or not finite throughout.

    Raises
    ------
    EvaluationError
        The shapes differ, or there are other numbers of axes.

    Notes
    -----
    The definition is that of ``cubic.metrics.bandlimited.spectral_pcc``, which VisCy reports.
    """
    return spectral_scores(prediction, truth, spacing).pcc


def fsc_resolution(
    prediction: ArrayLike, truth: ArrayLike, spacing: Sequence[float] | None = None
) -> tuple[float, float]:
    """Period of the first spatial frequency at which Fourier shell correlation falls below 1/7.

    Finer structure than this is not where the truth has it. Two cones of frequencies are told apart: those nearer to
    the plane (in 2-D all: Fourier ring correlation), and those within 45 degrees of the z axis. It is interpolated
    linearly between shells.

    Parameters
    ----------
    prediction, truth, spacing
        As for `spectral_pcc`.

    Returns
    -------
    xy, z : float
        In the unit of `spacing`; NaN where the correlation begins below 1/7 or never falls below it, and z in 2-D.
        With few planes z is rough: a stack of 8 has 4 frequencies along z.

    Raises
    ------
    EvaluationError
        As for `spectral_pcc`.

    Notes
    -----
    Harauz & van Heel, "Exact filters for general geometry three dimensional reconstruction", Optik 73 (1986) 146-156;
    the threshold is that of Rosenthal & Henderson, J. Mol. Biol. 333 (2003) 721-745. Two recordings of one object share
    no noise; of a prediction and its truth it says down to which size they agree.
    """
    scores = spectral_scores(prediction, truth, spacing)
    return scores.resolution_xy, scores.resolution_z


def spectral_scores(prediction: ArrayLike, truth: ArrayLike, spacing: Sequence[float] | None = None) -> SpectralScores:
    """Both of `spectral_pcc` and `fsc_resolution`, from one pair of Fourier transforms."""
    a, b = (as_float(image) for image in same_shape(prediction, truth))
    if a.ndim not in (2, 3):
        raise EvaluationError(f"Spectra are of (Y, X) or (Z, Y, X), not of an array of shape {a.shape}.")
    finite = bool(np.isfinite(a).all() and np.isfinite(b).all())
    if not finite or is_constant(a) or is_constant(b):
        return SpectralScores()
    shells = _Shells.of(a.shape, spacing or (1.0,) * a.ndim)
    centred = [image - image.dtype.type(image.mean(dtype=np.float64)) for image in (a, b)]
    weights = _weights(shells.mean(_power(rfftn(centred[1]))))
    p, t = (rfftn(_apodised(image)) for image in centred)
    cross = shells.sums(_cross(p, t))
    power_p, power_t = (shells.sums(_power(spectrum)) for spectrum in (p, t))
    return SpectralScores(
        pcc=_weighted(weights, cross.sum(axis=0), power_p.sum(axis=0), power_t.sum(axis=0)),
        resolution_xy=_resolution(shells.frequencies, cross[0], power_p[0], power_t[0]),
        resolution_z=_resolution(shells.frequencies, cross[1], power_p[1], power_t[1]),
    )


def mean_spectral_scores(
    prediction: NDArray[np.generic], truth: NDArray[np.generic], voxel_size_um: Sequence[float | None] | None
) -> SpectralScores:
    """Mean over the stacks of ``(..., Z, Y, X)`` where the size of voxels is known along z, else over the planes.

    Stacks of fewer than 5 planes are taken plane by plane too.

    Parameters
    ----------
    prediction, truth : ndarray
        Same shape, two axes or more.
    voxel_size_um : sequence of float or None, optional
        z, y, x. Where that of y or x is unknown, there is no resolution; nor where one of the stacks or planes has
        none: a mean over the others would be that of the best ones.
    """
    sizes = (None, None, None, *(voxel_size_um or ()))[-3:]
    in_plane = [size for size in sizes[1:] if size]
    known = len(in_plane) == 2
    spacing: tuple[float, ...] = tuple(in_plane) if known else (1.0, 1.0)
    if known and sizes[0] and prediction.ndim > 2 and prediction.shape[-3] >= _FEWEST_PLANES:
        spacing = (sizes[0], *spacing)
    single = prediction.shape[-len(spacing) :]
    pairs = zip(prediction.reshape(-1, *single), truth.reshape(-1, *single), strict=True)
    scores = [spectral_scores(a, b, spacing) for a, b in pairs]
    resolution = SpectralScores()
    if known:
        resolution = SpectralScores(
            resolution_xy=float(np.mean([score.resolution_xy for score in scores])),
            resolution_z=float(np.mean([score.resolution_z for score in scores])),
        )
    return replace(resolution, pcc=_mean(score.pcc for score in scores))


@dataclass(frozen=True)
class _Shells:
    """Shells of equal frequency in the half of a spectrum that `rfftn` gives.

    Attributes
    ----------
    frequencies : ndarray
        In the middle of each shell.
    index : ndarray of int
        Shell of each coefficient, those near the z axis after all others; one too many for what lies beyond.
    counted : ndarray
        How often each coefficient stands in the whole spectrum: twice, or once in the planes that `rfftn` keeps both
        halves of. It depends on the last axis only.
    """

    frequencies: NDArray[np.float64]
    index: NDArray[np.intp]
    counted: NDArray[np.float64]

    @classmethod
    def of(cls, shape: tuple[int, ...], spacing: Sequence[float]) -> _Shells:
        """Shells as wide as the finest step of frequency, up to the highest of the finest axis."""
        axes = [np.fft.fftfreq(n, d) for n, d in zip(shape[:-1], spacing[:-1], strict=True)]
        axes.append(np.fft.rfftfreq(shape[-1], spacing[-1]))
        squares = [np.expand_dims(f**2, tuple(i for i in range(len(axes)) if i != axis)) for axis, f in enumerate(axes)]
        step = min(1 / (n * d) for n, d in zip(shape, spacing, strict=True))
        count = max(1, round(0.5 / min(spacing) / step))
        radius = np.sqrt(sum(squares, np.zeros((1,) * len(axes))))
        shell = np.minimum((radius / step * (1 + 1e-12)).astype(np.intp), count)
        beyond = shell == count
        if len(shape) == 3:
            in_plane = squares[1] + squares[2]
            shell += np.where(squares[0] > in_plane * math.tan(math.radians(_DIAGONAL)) ** 2, count, 0)
        shell[beyond] = 2 * count
        counted = np.full(axes[-1].size, 2.0)
        counted[0] = 1.0
        if shape[-1] % 2 == 0:
            counted[-1] = 1.0
        middles = (np.arange(count) + 0.5) * step
        return cls(middles.astype(np.float64), shell, counted)

    def sums(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sums over shells, (cone, shell): nearer to the plane, nearer to the z axis."""
        count = self.frequencies.size
        weighted = (values * self.counted).ravel()
        sums = np.bincount(self.index.ravel(), weighted, minlength=2 * count + 1)
        return sums[: 2 * count].reshape(2, count).astype(np.float64)

    def mean(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Means over whole shells; 0 where one holds nothing."""
        number = self.sums(np.ones_like(values)).sum(axis=0)
        mean: NDArray[np.float64] = self.sums(values).sum(axis=0) / np.maximum(number, 1)
        return mean


def _apodised(image: NDArray[np.floating]) -> NDArray[np.floating]:
    for axis, size in enumerate(image.shape):
        window = tukey(size, _APODISED).astype(image.dtype)
        others = tuple(i for i in range(image.ndim) if i != axis)
        image = image * np.expand_dims(window, others)
    return image


def _power(spectrum: NDArray[np.complexfloating]) -> NDArray[np.floating]:
    return spectrum.real**2 + spectrum.imag**2


def _cross(p: NDArray[np.complexfloating], t: NDArray[np.complexfloating]) -> NDArray[np.floating]:
    return p.real * t.real + p.imag * t.imag


def _weights(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of each shell of the truth is more than noise."""
    tail = power[-max(1, int(power.size * _NOISE_TAIL)) :]
    return np.maximum(power - np.median(tail), 0.0)


def _weighted(
    weights: NDArray[np.float64], cross: NDArray[np.float64], p: NDArray[np.float64], t: NDArray[np.float64]
) -> float:
    norm = math.sqrt(float(weights @ p) * float(weights @ t))
    return float(weights @ cross) / norm if norm > 0 else math.nan


def _resolution(
    frequencies: NDArray[np.float64], cross: NDArray[np.float64], p: NDArray[np.float64], t: NDArray[np.float64]
) -> float:
    """Period at which the correlation first falls below the threshold; shells without coefficients are passed over."""
    held = p * t > 0
    held[0] = False  # the mean, which has no period
    correlation = cross[held] / np.sqrt(p[held] * t[held])
    frequencies = frequencies[held]
    below = np.flatnonzero(correlation < FSC_THRESHOLD)
    if not below.size or below[0] == 0:
        return math.nan
    after = below[0]
    before = after - 1
    part = (correlation[before] - FSC_THRESHOLD) / (correlation[before] - correlation[after])
    return float(1 / (frequencies[before] + part * (frequencies[after] - frequencies[before])))


def _mean(values: Iterable[float]) -> float:
    """Of what is finite; NaN without any."""
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan
