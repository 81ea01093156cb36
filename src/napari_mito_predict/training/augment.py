"""Random changes of a patch that leave its truth true."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from napari_mito_predict.training.config import Augment

Image = NDArray[np.float32]


def augment(given: Image, truth: Image, changes: Augment, rng: np.random.Generator) -> tuple[Image, Image]:
    """Flip input and truth alike; blur, brighten, bend and roughen the input alone.

    Turns by any angle and changes of size need what lies around the patch: `napari_mito_predict.training.warp`.

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
    if changes.blur:
        sigma = rng.uniform(0, changes.blur)
        given = gaussian_filter(given, (0,) * (given.ndim - 2) + (sigma, sigma), mode="nearest", truncate=3)
    if changes.gamma:
        given = _bend(given, exponent=(1 + changes.gamma) ** rng.uniform(-1, 1))
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


def _bend(image: Image, exponent: float) -> Image:
    """Raise the brightness, from 0 at the darkest to 1 at the brightest point, to a power; mean and contrast stay."""
    darkest, brightest = float(image.min()), float(image.max())
    if math.isclose(darkest, brightest):
        return image
    raised = ((image - darkest) / (brightest - darkest)) ** exponent
    bent: Image = (raised - raised.mean()) * (image.std() / raised.std()) + image.mean()
    return bent
