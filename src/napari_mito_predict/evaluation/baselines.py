"""What gives a score its scale: predictions that need no network below it, the noise of the truth above it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation.correlation import pcc

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIGMAS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
_WINDOWS = (5, 9, 15, 25, 41)

Pairs = Sequence[tuple["NDArray[np.floating]", "NDArray[np.floating]"]]
"""Inputs and truths, each two of equal shape."""


class Baseline(Protocol):
    """A prediction without a network, fitted in its own favour to what it is compared on."""

    @property
    def sign(self) -> int:
        """1, or -1 for inverted."""

    def __call__(self, given: NDArray[np.floating]) -> NDArray[np.float32]:
        """Predict from the transmitted light, ([..., D,] Y, X)."""


@dataclass(frozen=True)
class BlurredInput:
    """The transmitted light, blurred in y and x and, where that fits better, inverted.

    Attributes
    ----------
    sigma : float
        Of the Gaussian, in voxels.
    sign : int
        1, or -1 for inverted.
    """

    sigma: float
    sign: int

    @classmethod
    def fit(cls, pairs: Pairs, *, on_step: Callable[[], object] = lambda: None) -> BlurredInput:
        """The blur and sign that correlate best with the truth on `pairs` of input and truth of equal shape."""
        return best_of([cls(sigma, 1) for sigma in _SIGMAS], pairs, on_step=on_step)

    def __call__(self, given: NDArray[np.floating]) -> NDArray[np.float32]:
        """Predict from `given`, (..., Y, X); mirrored at its border, values that are not finite count as the mean."""
        blurred = np.empty(given.shape, np.float32)
        for index in np.ndindex(given.shape[:-2]):
            filled, _ = _filled(np.asarray(given[index], np.float32))
            blurred[index] = self.sign * gaussian_filter(filled, self.sigma)
        return blurred


@dataclass(frozen=True)
class LocalContrast:
    """The standard deviation of the transmitted light in a square around each voxel, in y and x.

    It finds where a cell is granular, which is where many organelles are, and knows nothing of their shape.

    Attributes
    ----------
    window : int
        Side of the square, in voxels.
    sign : int
        1, or -1 for inverted.
    """

    window: int
    sign: int

    @classmethod
    def fit(cls, pairs: Pairs, *, on_step: Callable[[], object] = lambda: None) -> LocalContrast:
        """The window and sign that correlate best with the truth on `pairs` of input and truth of equal shape."""
        return best_of([cls(window, 1) for window in _WINDOWS], pairs, on_step=on_step)

    def __call__(self, given: NDArray[np.floating]) -> NDArray[np.float32]:
        """Predict from `given`, (..., Y, X); mirrored at its border, values that are not finite count as the mean."""
        contrast = np.empty(given.shape, np.float32)
        for index in np.ndindex(given.shape[:-2]):
            contrast[index] = self.sign * _local_deviation(given[index], self.window)
        return contrast


BASELINES: Mapping[str, type[BlurredInput | LocalContrast]] = {
    "blurred input": BlurredInput,
    "local contrast": LocalContrast,
}
"""Predictions that need no network, by the name people know them by."""

_B = TypeVar("_B", BlurredInput, LocalContrast)


def best_of(candidates: Sequence[_B], pairs: Pairs, *, on_step: Callable[[], object] = lambda: None) -> _B:
    """The candidate, inverted where that fits better, whose mean PCC over `pairs` is the highest.

    Parameters
    ----------
    candidates : sequence of baseline
        Of sign 1.
    pairs : sequence of (input, truth)
        Each two of equal shape; those without a PCC (a constant truth) are left out of the mean.
    on_step : callable
        Called before each candidate; what it raises ends the search.
    """
    best, score = candidates[0], -np.inf
    for candidate in candidates:
        on_step()
        values = [pcc(candidate(given), truth) for given, truth in pairs]
        mean = 0.0
        if np.isfinite(values).any():
            mean = float(np.nanmean(values))
        if abs(mean) > score:
            score = abs(mean)
            best = replace(candidate, sign=1 if mean >= 0 else -1)
    return best


def _local_deviation(plane: NDArray[np.floating], window: int) -> NDArray[np.float64]:
    filled, mean = _filled(plane.astype(np.float64))
    values = filled - mean  # about the mean, so that the difference below keeps its digits
    variance = uniform_filter(values**2, window) - uniform_filter(values, window) ** 2
    deviation: NDArray[np.float64] = np.sqrt(np.maximum(variance, 0.0))
    return deviation


def _filled(plane: NDArray[np.floating]) -> tuple[NDArray[np.floating], float]:
    """`plane` with the mean of its finite values in place of others, and that mean."""
    finite = np.isfinite(plane)
    if not finite.any():
        return np.zeros_like(plane), 0.0
    mean = float(plane[finite].mean(dtype=np.float64))
    return np.where(finite, plane, plane.dtype.type(mean)), mean


class MeanTruth:
    """The mean of other fields' truth: what can be known of a field without looking at it.

    Each truth is standardised first, so that a bright field does not decide for all. Fields are added once; the mean
    for one field leaves that field out.

    Parameters
    ----------
    shape : tuple of int
        Of the truths; fields of other shapes cannot be averaged.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._sum = np.zeros(shape, np.float64)
        self.fields = 0

    def add(self, truth: NDArray[np.generic]) -> None:
        """Take in the truth of one field."""
        self._sum += _standardised(truth)
        self.fields += 1

    @property
    def value(self) -> NDArray[np.float64]:
        """The mean of all fields.

        Raises
        ------
        EvaluationError
            There is none.
        """
        if not self.fields:
            raise EvaluationError("The mean truth needs at least one field.")
        return self._sum / self.fields

    def without(self, truth: NDArray[np.generic]) -> NDArray[np.float64]:
        """The mean of all fields but this one, which was added before.

        Raises
        ------
        EvaluationError
            There is no other field.
        """
        if self.fields < 2:
            raise EvaluationError("The mean of other fields' truth needs at least two fields.")
        mean: NDArray[np.float64] = (self._sum - _standardised(truth)) / (self.fields - 1)
        return mean


def noise_ceiling(repeats: Sequence[NDArray[np.generic]]) -> float:
    """The highest Pearson correlation that a prediction without any noise could reach with one noisy truth.

    ``sqrt(r)``, r being the mean correlation between repeats of the truth: recordings of the same field with the same
    settings, whose noise is independent, with nothing moved or bleached in between.

    Parameters
    ----------
    repeats : sequence of ndarray
        Two or more, of equal shape.

    Returns
    -------
    float
        NaN where the repeats do not correlate.

    Raises
    ------
    EvaluationError
        Fewer than two repeats, or different shapes.

    Notes
    -----
    Spearman, "The proof and measurement of association between two things", Am. J. Psychol. 15 (1904) 72-101: noise
    lowers a correlation by the root of the product of both reliabilities; that of one truth is the correlation between
    repeats, that of a noise-free prediction is 1.
    """
    if len(repeats) < 2:
        raise EvaluationError("The noise ceiling needs at least two repeats of the truth.")
    reliability = float(np.mean([pcc(a, b) for a, b in combinations(repeats, 2)]))
    return math.sqrt(reliability) if reliability > 0 else math.nan


def _standardised(image: NDArray[np.generic]) -> NDArray[np.float64]:
    """Zero mean and unit variance; 0 where a value is not finite, and everywhere in a constant image."""
    values = image.astype(np.float64)
    finite = np.isfinite(values)
    known = values[finite]
    if not known.size or known.min() == known.max():
        return np.zeros_like(values)
    standardised: NDArray[np.float64] = np.where(finite, (values - known.mean()) / known.std(), 0.0)
    return standardised
