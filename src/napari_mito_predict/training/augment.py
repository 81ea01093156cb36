"""Random changes of a patch that leave its truth true."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from napari_mito_predict.training.config_parts import Augment

Image = NDArray[np.float32]

BLUR_TRUNCATE = 3.0
"""Standard deviations at which the Gaussian of a blur ends."""


@dataclass(frozen=True)
class Alteration:
    """What is changed of one patch, with all that is random about it.

    Attributes
    ----------
    turns : int
        Quarter turns in y, x.
    mirrored, third_mirrored : bool
        Whether x, and the third axis, then run backwards.
    blur : float
        Standard deviation of a Gaussian in y, x, in pixels.
    exponent : float
        To which the brightness is raised, see `bend`.
    scale, offset : float
        Of the brightness, after that.
    noise : ndarray, float32, optional
        Added at last.
    """

    turns: int = 0
    mirrored: bool = False
    third_mirrored: bool = False
    blur: float = 0.0
    exponent: float = 1.0
    scale: float = 1.0
    offset: float = 0.0
    noise: Image | None = None

    @classmethod
    def draw(cls, changes: Augment, shape: tuple[int, ...], rng: np.random.Generator) -> Self:
        """A random one, within `changes`, of an input of `shape` (1, [D,] Y, X)."""
        drawn: dict[str, Any] = {}
        if changes.flip:
            square = shape[-1] == shape[-2]
            drawn["turns"] = int(rng.integers(4)) if square else 2 * int(rng.integers(2))
            drawn["mirrored"] = bool(rng.integers(2))
        if changes.flip_third and len(shape) == 4:
            drawn["third_mirrored"] = bool(rng.integers(2))
        if changes.blur:
            drawn["blur"] = rng.uniform(0, changes.blur)
        if changes.gamma:
            drawn["exponent"] = (1 + changes.gamma) ** rng.uniform(-1, 1)
        if changes.intensity:
            drawn["scale"] = (1 + changes.intensity) ** rng.uniform(-1, 1)
            drawn["offset"] = rng.uniform(-1, 1) * min(changes.intensity, 1.0)
        if changes.noise:
            sigma = rng.uniform(0, changes.noise) * float(rng.integers(2))  # half of the patches stay clean
            if sigma:
                drawn["noise"] = np.float32(sigma) * rng.standard_normal(shape, dtype=np.float32)
        return cls(**drawn)

    def __call__(self, given: Image, truth: Image) -> tuple[Image, Image]:
        """Change input (1, [D,] Y, X) and truth (C, [D,] Y, X); they are not modified."""
        given, truth = self._turned(given), self._turned(truth)
        if self.blur:
            sigmas = (0,) * (given.ndim - 2) + (self.blur, self.blur)
            given = gaussian_filter(given, sigmas, mode="nearest", truncate=BLUR_TRUNCATE)
        if self.exponent != 1:
            given = _bend(given, self.exponent)
        if (self.scale, self.offset) != (1, 0):
            given = given * np.float32(self.scale) + np.float32(self.offset)
        if self.noise is not None:
            given = given + self.noise
        return np.ascontiguousarray(given, np.float32), np.ascontiguousarray(truth, np.float32)

    def _turned(self, image: Image) -> Image:
        image = np.rot90(image, self.turns, axes=(-2, -1))
        if self.mirrored:
            image = image[..., ::-1]
        if self.third_mirrored:
            image = image[:, ::-1]
        return image


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
    return Alteration.draw(changes, given.shape, rng)(given, truth)


def _bend(image: Image, exponent: float) -> Image:
    """Raise the brightness, from 0 at the darkest to 1 at the brightest point, to a power; mean and contrast stay."""
    darkest, brightest = float(image.min()), float(image.max())
    if math.isclose(darkest, brightest):
        return image
    raised = ((image - darkest) / (brightest - darkest)) ** exponent
    bent: Image = (raised - raised.mean()) * (image.std() / raised.std()) + image.mean()
    return bent
