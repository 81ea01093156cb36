"""Sums over the views of a job, voxel by voxel, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from napari_mito_predict.prediction.orientations import ORIENTATIONS

if TYPE_CHECKING:
    from torch import Tensor

    from napari_mito_predict.prediction.job import Job

Values = TypeVar("Values", np.ndarray, "Tensor")


@dataclass
class Moments(Generic[Values]):
    """The sum over the views of a job and, where that is asked for, the sum of squared deviations from their mean.

    A sum of plain squares would lose the digits that count, where views differ little from each other. So each new view
    adds what it deviates from the mean so far (Youngs & Cramer 1971, Technometrics 13, 657): as sound as the better
    known update of Welford, and the sum is to the bit what it is alone.

    Attributes
    ----------
    sums : array or tensor, float32, (targets, D, Y, X)
    squares : array or tensor, float32, (targets, D, Y, X)
        Of deviations; of no targets where none are asked for.
    """

    sums: Values
    squares: Values

    @classmethod
    def zero(cls, job: Job, zeros: Callable[[tuple[int, ...]], Values]) -> Moments[Values]:
        """Before the first view of `job`; `zeros` makes an array of a shape, float32."""
        return cls(zeros((len(job.keys), *job.shape)), zeros((len(job.uncertainty_keys), *job.shape)))

    def add(self, view: Job, place: tuple[slice, ...], values: Values) -> None:
        """Add what a view gives for the voxels `place`, (targets, D, Y, X); each voxel comes once with each view."""
        sums = self.sums[:, *place]
        sums += values
        number = ORIENTATIONS.index(view.orientation) + 1
        if len(self.squares) and number > 1:
            deviations = values * number - sums
            deviations *= deviations
            deviations /= number * (number - 1)
            squares = self.squares[:, *place]
            squares += deviations
