"""The intensities of an image, summed up; without torch, since trainings are checked without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.models.training_images import PERCENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST_CONTRAST = 1e6
"""Of images without a background: with a mean of 0, it would be infinite."""
_ENOUGH_VALUES = 1 << 22


def intensity_percentiles(values: NDArray[Any]) -> NDArray[np.float32]:
    """The percentiles `PERCENTS` of normalised values of any shape; of a part of them where there are very many."""
    flat = values.reshape(-1)
    # An odd step does not stay in the same columns.
    some = flat[:: flat.size // _ENOUGH_VALUES | 1]
    return np.percentile(some.astype(np.float32), PERCENTS).astype(np.float32)


def relative_contrast(values: NDArray[Any]) -> float:
    """Standard deviation relative to the mean, of values of any shape as they were recorded; at most a million."""
    mean = abs(float(values.mean(dtype=np.float64)))
    deviation = float(values.std(dtype=np.float64))
    return deviation / max(mean, deviation / _LARGEST_CONTRAST, np.finfo(np.float64).tiny)
