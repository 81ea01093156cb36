"""Pearson correlation of images larger than memory, in one pass over blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import EvaluationError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass
class StreamingPcc:
    """Moments of prediction and truth, in float64, that blocks are added to in any order.

    The result does not depend on how the image was cut into blocks, up to rounding. Sums about the mean are merged
    pairwise (Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
    COMPSTAT 1982), which keeps its digits where the mean is large against the spread.

    Attributes
    ----------
    voxels : int
        How many voxels were finite in both so far.

    Examples
    --------
    >>> score = StreamingPcc()
    >>> for z in range(3):
    ...     score.add([[z, 1], [2, 3]], [[z, 2], [4, 6]])
    >>> round(score.value, 4)
    0.9428
    """

    voxels: int = 0
    _mean_a: float = 0.0
    _mean_b: float = 0.0
    _sum_aa: float = 0.0
    _sum_bb: float = 0.0
    _sum_ab: float = 0.0
    _low_a: float = math.inf
    _high_a: float = -math.inf
    _low_b: float = math.inf
    _high_b: float = -math.inf

    def add(self, prediction_block: ArrayLike, truth_block: ArrayLike) -> None:
        """Take in one block; voxels that are not finite in either are left out.

        Parameters
        ----------
        prediction_block, truth_block : array_like
            Of equal shape, any real dtype; blocks may be empty.

        Raises
        ------
        EvaluationError
            The shapes differ.
        """
        a, b = np.asarray(prediction_block), np.asarray(truth_block)
        if a.shape != b.shape:
            raise EvaluationError(f"Blocks of prediction {a.shape} and truth {b.shape} have different shapes.")
        a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
        finite = np.isfinite(a) & np.isfinite(b)
        a, b = a[finite], b[finite]
        if a.size:
            self.merge(_moments(a, b))

    def merge(self, other: StreamingPcc) -> None:
        """Take in the blocks another one has seen, for example in another process; `other` stays as it is."""
        n = self.voxels + other.voxels
        if not n:
            return
        delta_a, delta_b = other._mean_a - self._mean_a, other._mean_b - self._mean_b
        weight = self.voxels * (other.voxels / n)
        share = other.voxels / n
        self._sum_aa += other._sum_aa + delta_a * delta_a * weight
        self._sum_bb += other._sum_bb + delta_b * delta_b * weight
        self._sum_ab += other._sum_ab + delta_a * delta_b * weight
        self._mean_a += delta_a * share
        self._mean_b += delta_b * share
        self._low_a, self._high_a = min(self._low_a, other._low_a), max(self._high_a, other._high_a)
        self._low_b, self._high_b = min(self._low_b, other._low_b), max(self._high_b, other._high_b)
        self.voxels = n

    @property
    def value(self) -> float:
        """Pearson correlation over all voxels so far; NaN where one image is constant, or before two voxels."""
        if self.voxels < 2 or self._low_a == self._high_a or self._low_b == self._high_b:
            return math.nan
        norm = math.sqrt(self._sum_aa) * math.sqrt(self._sum_bb)
        return max(-1.0, min(1.0, self._sum_ab / norm)) if norm else math.nan


def _moments(a: np.ndarray, b: np.ndarray) -> StreamingPcc:
    mean_a, mean_b = float(a.mean()), float(b.mean())
    ranges = float(a.min()), float(a.max()), float(b.min()), float(b.max())
    a, b = a - mean_a, b - mean_b
    return StreamingPcc(a.size, mean_a, mean_b, float(a @ a), float(b @ b), float(a @ b), *ranges)
