"""What the images that a model was trained on look like, as numbers that other images are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PERCENTS: Final = (0.1, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9)
"""Of the intensities of each volume."""


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """Intensities, and features of the network's bottleneck, of the images a model was trained on.

    Attributes
    ----------
    intensities : ndarray, float32, (volumes, percentiles)
        The percentiles `PERCENTS` of each volume, normalised as the network gets it.
    contrast : ndarray, float32, (volumes,)
        Standard deviation of each volume before it was normalised, relative to its mean.
    mean : ndarray, float32, (features,)
        Mean of the pooled features over the tiles trained on.
    covariance : ndarray, float32, (features, features)
        Of the same; positive definite.
    distances : ndarray, float32, (tiles,)
        Mahalanobis distances to this distribution of tiles of fields that were not trained on, ascending.
    """

    intensities: NDArray[np.float32]
    contrast: NDArray[np.float32]
    mean: NDArray[np.float32]
    covariance: NDArray[np.float32]
    distances: NDArray[np.float32]
