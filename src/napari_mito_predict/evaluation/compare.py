"""Models side by side on the same fields: which is better, by how much, and on how many fields."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HIGHER_IS_BETTER: Mapping[str, bool] = {
    "pcc": True,
    "fine_pcc": True,
    "spectral_pcc": True,
    "ssim_global": True,
    "ssim_windowed": True,
    "r2": True,
    "nrmse": False,
    "psnr": True,
    "mae": False,
}


@dataclass(frozen=True)
class Difference:
    """The winner minus another model, field by field.

    Attributes
    ----------
    model : str
        The other one.
    mean : float
        Of the differences.
    standard_error : float
        Sample standard deviation of the differences over the root of their number; NaN for a single field.
    better_in : int
        In how many fields the winner is better.
    """

    model: str
    mean: float
    standard_error: float
    better_in: int


@dataclass(frozen=True)
class Comparison:
    """All models that predict one target, in one metric.

    Attributes
    ----------
    target, metric : str
        What is compared.
    fields : tuple of str
        Those that every model predicted and that have a finite value for each; nothing else is used.
    means : dict of str to float
        Over these fields, for each model.
    winner : str
        The model of the best mean; empty where several share it.
    differences : tuple of Difference
        The winner against each other model; empty without a winner.
    """

    target: str
    metric: str
    fields: tuple[str, ...]
    means: dict[str, float]
    winner: str
    differences: tuple[Difference, ...]


def compare(target: str, metric: str, values: Mapping[str, Mapping[str, float]]) -> Comparison | None:
    """Compare models by their values of one metric.

    Parameters
    ----------
    target, metric : str
        `metric` is a key of `HIGHER_IS_BETTER`.
    values : mapping
        Model -> field -> value.

    Returns
    -------
    Comparison or None
        None with fewer than two models, or without a field that all of them share.
    """
    if len(values) < 2:
        return None
    every = [set(by_field) for by_field in values.values()]
    shared = sorted(set.intersection(*every))
    shared = [field for field in shared if all(math.isfinite(by_field[field]) for by_field in values.values())]
    if not shared:
        return None
    table = {model: np.array([by_field[field] for field in shared]) for model, by_field in values.items()}
    means = {model: float(column.mean()) for model, column in table.items()}
    best = max(means.values()) if HIGHER_IS_BETTER[metric] else min(means.values())
    winners = [model for model, mean in means.items() if mean == best]
    winner = winners[0] if len(winners) == 1 else ""
    others = [model for model in table if winner and model != winner]
    return Comparison(
        target,
        metric,
        tuple(shared),
        means,
        winner,
        tuple(_difference(model, table[winner], table[model], HIGHER_IS_BETTER[metric]) for model in others),
    )


def mean_of(values: Sequence[float]) -> float:
    """Mean of the finite values; NaN without any."""
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan


def _difference(model: str, winner: np.ndarray, other: np.ndarray, higher: bool) -> Difference:
    differences = winner - other
    n = len(differences)
    error = float(differences.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    if not higher:
        better = int((differences < 0).sum())
    else:
        better = int((differences > 0).sum())
    return Difference(model, float(differences.mean()), error, better)
