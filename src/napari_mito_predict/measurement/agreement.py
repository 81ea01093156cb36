"""Whether a measure may be taken from predictions: the same measure on prediction and on truth, field by field.

The rule was written down before the first result was looked at, and is the same for every measure and model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_mito_predict.errors import MeasurementError

Verdict = Literal["supported", "with care", "not supported"]
LEAST_FIELDS = 8
"""Independent ones: other cells, not other times or parts of the same."""
LEAST_CONCORDANCE = 0.8
LARGEST_BIAS = 0.1
"""Relative to the mean of the truth."""
_FEWEST = 3
"""With fewer there is no concordance to speak of."""
_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class MeasureAgreement:
    """One measure on predictions and on their truth.

    Attributes
    ----------
    fields : int
        How many have a value of both.
    bias : float or None
        Mean of prediction minus truth, relative to the mean of the truth; None where that is 0 or there is no field.
    limits : tuple of float or None
        Between which 95 % of the differences lie, relative in the same way: bias ± 1.96 standard deviations (Bland &
        Altman 1986).
    concordance : float or None
        Lin's coefficient (1989): 1 where all points lie on the line of identity.
    """

    fields: int
    bias: float | None
    limits: tuple[float, float] | None
    concordance: float | None

    @property
    def verdict(self) -> Verdict:
        """*Supported* needs 8 fields, a concordance of 0.8, and a bias of at most 10 %; with fewer *with care*."""
        if self.concordance is None or self.bias is None:
            return "not supported"
        if self.concordance < LEAST_CONCORDANCE or abs(self.bias) > LARGEST_BIAS:
            return "not supported"
        return "supported" if self.fields >= LEAST_FIELDS else "with care"

    @property
    def why(self) -> str:
        """What keeps it from being *supported*, for people; empty where it is."""
        if self.fields < _FEWEST:
            return f"{self.fields} fields with a value in both; {_FEWEST} are needed at least"
        if self.bias is None:
            return "it is 0 in the recordings"
        if self.concordance is None:
            return "it is the same in all fields, so that nothing shows that predictions follow it"
        reasons = []
        if self.concordance < LEAST_CONCORDANCE:
            reasons.append(f"concordance {self.concordance:.2f} is below {LEAST_CONCORDANCE:g}")
        if abs(self.bias) > LARGEST_BIAS:
            reasons.append(f"bias {self.bias:+.0%} is more than {LARGEST_BIAS:.0%}")
        if not reasons and self.fields < LEAST_FIELDS:
            reasons.append(f"{self.fields} fields; {LEAST_FIELDS} are needed")
        return ", ".join(reasons)


def agreement(truth: Sequence[float], predicted: Sequence[float]) -> MeasureAgreement:
    """Compare a measure on predictions with the same measure on the truth.

    Parameters
    ----------
    truth, predicted : sequence of float
        One value for each independent field, in the same order. Fields where one of the two is NaN do not count.

    Raises
    ------
    MeasurementError
        They are not of one length.
    """
    if len(truth) != len(predicted):
        raise MeasurementError(f"{len(truth)} fields of truth and {len(predicted)} of predictions cannot be compared.")
    true = np.asarray(truth, float)
    found = np.asarray(predicted, float)
    both = np.isfinite(true) & np.isfinite(found)
    true = true[both]
    found = found[both]
    mean = float(true.mean()) if len(true) else 0.0
    if not mean:
        return MeasureAgreement(len(true), None, None, None)
    differences = (found - true) / abs(mean)
    bias = float(differences.mean())
    if len(true) < _FEWEST:
        return MeasureAgreement(len(true), bias, None, None)
    spread = _NORMAL_95 * float(differences.std(ddof=1))
    return MeasureAgreement(len(true), bias, (bias - spread, bias + spread), concordance(true, found))


def concordance(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Lin's concordance correlation coefficient, with variances over n as in his paper; None where nothing varies."""
    x = np.asarray(first, float)
    y = np.asarray(second, float)
    covariance = float(np.mean((x - x.mean()) * (y - y.mean())))
    scatter = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    if not scatter or math.isnan(scatter):
        return None
    return 2 * covariance / scatter
