"""What the images that a model was trained on look like, as numbers that other images are compared with."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_mito_predict.errors import DamagedModelError, InvalidModelError
from napari_mito_predict.models.safetensors_header import StoredTensor, read_header

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

PERCENTS: Final = (0.1, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9)
"""Of the intensities of each volume."""

_AXES: Final = {
    "intensities": ("volumes", "percentiles"),
    "contrast": ("volumes",),
    "mean": ("features",),
    "covariance": ("features", "features"),
    "distances": ("tiles",),
}
_LARGEST: Final = {"volumes": 4096, "features": 1024, "tiles": 65_536}
_WHAT = "the numbers about its training images"
_SHOWN = 60
_ROUNDING = 1e-4
"""Relative: by which a covariance in single precision may fail to be symmetric."""


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """Intensities, and features of the network's encoder, of the images a model was trained on.

    A network that gives no features, or training images too few to tell how features spread, leave `mean`,
    `covariance` and `distances` without entries.

    Attributes
    ----------
    intensities : ndarray, float32, (volumes, percentiles)
        The percentiles `PERCENTS` of each volume, normalised as the network gets it.
    contrast : ndarray, float32, (volumes,)
        Standard deviation of each volume before it was normalised, relative to its mean.
    mean : ndarray, float32, (features,)
        Mean of the network's `pooled_features` over the tiles trained on.
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


def to_bytes(training_images: TrainingImages) -> bytes:
    """Content of the file of a package; the same for the same numbers.

    Raises
    ------
    InvalidModelError
        See `from_bytes`.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(getattr(training_images, name), np.float32) for name in _AXES}
    problem = _problem_of_shapes({name: array.shape for name, array in arrays.items()}) or _problem_of_values(arrays)
    if problem:
        raise InvalidModelError(f"{_WHAT} cannot be kept: {problem}.")
    content: bytes = save(arrays)
    return content


def from_bytes(content: bytes, path: Path) -> TrainingImages:
    """Read the file of a package; what it declares is looked at before memory is taken for it.

    Parameters
    ----------
    content : bytes
        Of the file.
    path : Path
        The package, for messages.

    Raises
    ------
    DamagedModelError
        It is no such file.
    InvalidModelError
        Names, types or shapes are others than those of `TrainingImages`, more than is kept, or numbers that nothing
        can be compared with: not finite, not in order, a covariance that is not positive definite.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    declared = read_header(io.BytesIO(content), len(content), str(path), _WHAT)
    problem = _problem_of_names(declared) or _problem_of_shapes({name: what.shape for name, what in declared.items()})
    if problem:
        raise InvalidModelError(f"{_WHAT} cannot be used: {problem}.", file=path)
    try:
        arrays = load(content)
    except SafetensorError as error:
        raise DamagedModelError(f"{_WHAT} cannot be read ({error}).", file=path) from error
    problem = _problem_of_values(arrays)
    if problem:
        raise InvalidModelError(f"{_WHAT} cannot be used: {problem}.", file=path)
    return TrainingImages(**arrays)


def _problem_of_names(declared: Mapping[str, StoredTensor]) -> str:
    """What is wrong with names and types; empty where nothing is."""
    if declared.keys() != _AXES.keys():
        found = ", ".join(sorted(declared))[:_SHOWN]
        return f"{found!a} are there, and {', '.join(_AXES)} were expected"
    wrong = [name for name, what in declared.items() if what.dtype != "F32"]
    if wrong:
        return f"'{wrong[0]}' is of the type {declared[wrong[0]].dtype}, and F32 was expected"
    return ""


def _problem_of_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """What is wrong with the sizes; empty where nothing is."""
    sizes = {"percentiles": len(PERCENTS)}
    for name, axes in _AXES.items():
        shape = shapes[name]
        if len(shape) != len(axes):
            return f"'{name}' has the shape {shape!s:.{_SHOWN}}, and ({', '.join(axes)}) was expected"
        for axis, size in zip(axes, shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                return f"'{name}' has {size} {axis}, and {sizes[axis]} were expected"
            if size > _LARGEST.get(axis, size):
                return f"'{name}' has {size} {axis}, and at most {_LARGEST[axis]} are kept"
    if sizes["volumes"] == 0:
        return "they are of no volume"
    if sizes["features"] == 0 and sizes["tiles"] > 0:
        return "they hold distances of features that are not there"
    return ""


def _problem_of_values(arrays: Mapping[str, NDArray[np.float32]]) -> str:
    """What is wrong with the numbers; empty where nothing is."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            return f"'{name}' holds NaN or infinite numbers"
    if not _ascend(arrays["intensities"]):
        return "'intensities' are not in ascending order"
    if (arrays["contrast"] < 0).any():
        return "'contrast' holds negative numbers"
    if (arrays["distances"] < 0).any() or not _ascend(arrays["distances"]):
        return "'distances' are negative or not in ascending order"
    if not _is_positive_definite(arrays["covariance"].astype(np.float64)):
        return "'covariance' is not positive definite"
    return ""


def _ascend(array: NDArray[np.float32]) -> bool:
    """Whether no number along the last axis is below the one before."""
    return bool((array[..., 1:] >= array[..., :-1]).all())


def _is_positive_definite(matrix: NDArray[np.float64]) -> bool:
    if not np.allclose(matrix, matrix.T, rtol=_ROUNDING, atol=_ROUNDING * np.abs(matrix).max(initial=0)):
        return False
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True
