"""Random changes of a patch that leave its truth true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

if TYPE_CHECKING:
    from napari_mito_predict.training.config import Augment

Image = NDArray[np.float32]


def augment(given: Image, truth: Image, changes: Augment, rng: np.random.Generator) -> tuple[Image, Image]:
    """Flip, turn and stretch input and truth alike; blur, brighten and roughen the input alone.

    Parameters
    ----------
    given, truth : ndarray, float32, (C, D, Y, X) or (C, Y, X)
        A patch; not modified. The third axis is left alone unless `changes.flip_third`: light does not run
        backwards, nor does time.
    changes : Augment
        What may be changed, and how strongly.
    rng : numpy.random.Generator
        Source of randomness.
    """
    if changes.flip:
        given, truth = _flip(given, truth, rng)
    if changes.flip_third and given.ndim == 4 and rng.integers(2):
        given, truth = given[:, ::-1], truth[:, ::-1]
    if changes.zoom:
        factor = 1 + rng.uniform(-changes.zoom, changes.zoom)
        given, truth = _zoom(given, factor), _zoom(truth, factor)
    if changes.blur:
        sigma = rng.uniform(0, changes.blur)
        given = gaussian_filter(given, (0,) * (given.ndim - 2) + (sigma, sigma), mode="nearest", truncate=3)
    if changes.intensity:
        scale = (1 + changes.intensity) ** rng.uniform(-1, 1)
        offset = rng.uniform(-1, 1) * min(changes.intensity, 1.0)
        given = given * np.float32(scale) + np.float32(offset)
    if changes.noise:
        sigma = rng.uniform(0, changes.noise) * float(rng.integers(2))  # half of the patches stay clean
        given = given + np.float32(sigma) * rng.standard_normal(given.shape, dtype=np.float32)
    return np.ascontiguousarray(given, np.float32), np.ascontiguousarray(truth, np.float32)


def _flip(given: Image, truth: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    square = given.shape[-1] == given.shape[-2]
    turns = int(rng.integers(4)) if square else 2 * int(rng.integers(2))
    given, truth = (np.rot90(image, turns, axes=(-2, -1)) for image in (given, truth))
    if rng.integers(2):
        given, truth = given[..., ::-1], truth[..., ::-1]
    return given, truth


def _zoom(image: Image, factor: float) -> Image:
    """Magnify y and x by `factor` about the middle; what a smaller image leaves free is mirrored."""
    planes = image.reshape(-1, *image.shape[-2:])
    offset = [(n - 1) / 2 * (1 - 1 / factor) for n in planes.shape[1:]]
    zoomed = [affine_transform(plane, (1 / factor, 1 / factor), offset, order=1, mode="mirror") for plane in planes]
    return np.asarray(zoomed, np.float32).reshape(image.shape)
