"""Turning and stretching patches in y and x, with what lies around them in the volume."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.training.config_parts import Augment


Interpolation = Literal["bilinear", "bicubic"]

_BICUBIC_MARGIN = 1
"""Pixels beyond the two nearest ones that bicubic interpolation takes in on each side."""


@dataclass(frozen=True)
class Warp:
    """A turn and a change of size about the middle of a patch.

    Attributes
    ----------
    angle : float
        Radians.
    factor : float
        Magnification.
    """

    angle: float
    factor: float

    @classmethod
    def draw(cls, changes: Augment, rng: np.random.Generator) -> Self | None:
        """A random one, within `changes`; ``None`` where neither turns nor changes of size are asked for."""
        if not (changes.rotate or changes.zoom):
            return None
        angle = rng.uniform(-math.pi, math.pi) if changes.rotate else 0.0
        return cls(angle, 1 + rng.uniform(-changes.zoom, changes.zoom))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """From offsets ``(y, x)`` in the patch to those in the volume, both from the middle of the patch."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return np.array([[cosine, -sine], [sine, cosine]]) / self.factor

    def source(self, centre: tuple[float, float], size: tuple[int, int], plane: tuple[int, int]) -> tuple[slice, slice]:
        """The rows and columns of a plane that a patch is made of, by bilinear or bicubic interpolation.

        Parameters
        ----------
        centre : tuple of float
            Middle of the patch ``(y, x)``, in the plane.
        size, plane : tuple of int
            Of the patch and the plane, ``(Y, X)``.
        """
        reach = np.abs(self.matrix) @ ((np.array(size) - 1) / 2) + _BICUBIC_MARGIN
        rows, columns = (
            slice(max(0, math.floor(middle - far)), min(have, math.ceil(middle + far) + 1))
            for middle, far, have in zip(centre, reach, plane, strict=True)
        )
        return rows, columns

    def __call__(
        self,
        image: NDArray[np.floating],
        centre: tuple[float, float],
        size: tuple[int, int],
        interpolation: Interpolation = "bilinear",
    ) -> NDArray[np.float32]:
        """Cut a turned and stretched patch out of an image, which is mirrored at its edges.

        Parameters
        ----------
        image : ndarray, (..., Y, X)
        centre : tuple of float
            Middle of the patch ``(y, x)``, in `image`.
        size : tuple of int
            Of the patch, ``(Y, X)``.
        interpolation : {"bilinear", "bicubic"}

        Returns
        -------
        ndarray, float32, (..., *size)
        """
        planes = torch.from_numpy(np.ascontiguousarray(image, np.float32))
        return self.sampled(planes, centre, size, interpolation).numpy()

    def sampled(
        self, image: Tensor, centre: tuple[float, float], size: tuple[int, int], interpolation: Interpolation
    ) -> Tensor:
        """What `__call__` gives, of a tensor, float32, wherever it lies."""
        offsets = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in size), indexing="ij"), axis=-1)
        places = offsets @ self.matrix.T + np.array(centre)
        extent = np.maximum(np.array(image.shape[-2:]) - 1, 1)
        grid = 2 * places / extent - 1  # torch counts from -1 to 1, and x before y
        warped = functional.grid_sample(
            image.reshape(1, -1, *image.shape[-2:]),
            torch.from_numpy(grid[None, :, :, ::-1].astype(np.float32)).to(image.device, non_blocking=True),
            mode=interpolation,
            padding_mode="reflection",
            align_corners=True,
        )
        return warped.reshape(*image.shape[:-2], *size)
