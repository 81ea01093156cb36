"""The size of a voxel as measures use it: micrometres where it is known, else pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["um", "px"]


@dataclass(frozen=True, slots=True)
class Voxels:
    """Distances between neighbouring voxels along the axes of an array.

    Attributes
    ----------
    spacing : tuple of float
        One for each axis, (y, x) or (z, y, x), in `unit`.
    unit : {"um", "px"}
        Pixels where a size is not known: all of them count as 1, and nothing is measured in micrometres.
    """

    spacing: tuple[float, ...]
    unit: Unit

    @classmethod
    def of(cls, voxel_size_um: Sequence[float | None] | None, ndim: int) -> Voxels:
        """Take the sizes that an array of `ndim` axes needs.

        Parameters
        ----------
        voxel_size_um : sequence of float or None
            (z, y, x) or (y, x) in micrometres; None where unknown.
        ndim : {2, 3}
            Of the array, (Y, X) or (Z, Y, X).
        """
        sizes = [size for size in tuple(voxel_size_um or ())[-ndim:] if size]
        if len(sizes) < ndim:
            return cls((1.0,) * ndim, "px")
        return cls(tuple(map(float, sizes)), "um")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.spacing)

    @property
    def volume(self) -> float:
        """Area of a pixel, or volume of a voxel."""
        return math.prod(self.spacing)

    @property
    def is_square(self) -> bool:
        """Whether y and x are sampled alike."""
        return math.isclose(self.spacing[-1], self.spacing[-2], rel_tol=1e-3)

    def in_voxels(self, length: float) -> tuple[float, ...]:
        """A length in `unit` as a number of voxels along each axis."""
        return tuple(length / step for step in self.spacing)

    def content_of(self, diameter: float) -> float:
        """Number of voxels of a circle or ball of this diameter in `unit`."""
        radius = diameter / 2
        content = math.pi * radius**2 if self.ndim == 2 else 4 / 3 * math.pi * radius**3
        return content / self.volume
