"""What of an image is one volume for a model: a z-stack per time point, a series per Z step, or single planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.models.card import ModelCard
    from napari_mito_predict.prediction.tiles import Box

VoxelSize = tuple[float | None, float | None, float | None]

# Voxel sizes closer than this are the same: stage and camera calibrations are no better.
_SAME_SIZE = 0.02


class Layout(StrEnum):
    """How a model is given the third axis."""

    PLANES = "planes"
    """A 2-D model: each plane by itself, normalised with its stack."""
    STACKS = "stacks"
    """Each time point is one volume, (Z, Y, X)."""
    SERIES = "series"
    """Each Z step is one volume, (T, Y, X)."""


@dataclass(frozen=True)
class Subject:
    """What is predicted from: one channel of one scene.

    Attributes
    ----------
    image : ImageSource
        The image, or the array as one.
    channel : int
        Index of the transmitted-light channel.
    voxel_size_um : tuple of float or None
        z, y, x.
    array_ndim : int or None
        Number of axes of the array that was given; None for an image. Results have the array's axes.
    """

    image: ImageSource
    channel: int
    voxel_size_um: VoxelSize
    array_ndim: int | None = None

    @property
    def free_third_axis(self) -> bool:
        """Whether the third axis is whatever the model takes it for: a 3-D array does not say."""
        return self.array_ndim == 3

    def layout(self, card: ModelCard) -> Layout:
        """How `card`'s model is given this image; see `napari_mito_predict.prediction.fit` for whether it should be."""
        axes, sizes = card.input.third_axes, self.image.sizes
        if not axes:
            return Layout.PLANES
        if self.free_third_axis or (sizes["Z"] > 1 and ("z" in axes or sizes["T"] == 1)):
            return Layout.STACKS
        return Layout.SERIES if sizes["T"] > 1 else Layout.STACKS

    def volume_shape(self, layout: Layout) -> tuple[int, int, int]:
        """(D, Y, X) of each volume."""
        sizes = self.image.sizes
        return (sizes["T"] if layout is Layout.SERIES else sizes["Z"]), sizes["Y"], sizes["X"]

    def volumes(self, layout: Layout) -> list[Volume]:
        """All volumes, in order of time or Z."""
        series = layout is Layout.SERIES
        return [Volume(series, i) for i in range(self.image.sizes["Z" if series else "T"])]

    def model_shape(self, card: ModelCard) -> tuple[int, int, int]:
        """(D, Y, X) of each volume at the model's voxel size. Time is never resampled, nor what stands in for it."""
        layout = self.layout(card)
        shape = self.volume_shape(layout)
        along_z = layout is Layout.STACKS and "z" in card.input.third_axes
        d, y, x = (
            resampled_size(n, have, want if along_z or axis > 0 else None)
            for axis, (n, have, want) in enumerate(
                zip(shape, self.voxel_size_um, card.input.voxel_size_um, strict=True)
            )
        )
        return d, y, x

    @property
    def four_axes(self) -> bool:
        return self.array_ndim == 4 or (self.array_ndim is None and self.image.sizes["T"] > 1)

    def result_shape(self) -> tuple[int, ...]:
        """Shape of a prediction."""
        sizes = [self.image.sizes[axis] for axis in "TZYX"]
        return tuple(sizes if self.four_axes else sizes[2:] if self.array_ndim == 2 else sizes[1:])

    def result_axes(self, card: ModelCard) -> str:
        """Axes of a prediction, for example ``"ZYX"``."""
        if self.four_axes:
            return "TZYX"
        if self.array_ndim == 2:
            return "YX"
        return "TYX" if self.free_third_axis and card.input.third_axes == ("t",) else "ZYX"


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume of an image: the stack at one time point, or the series at one Z step."""

    series: bool
    index: int

    @property
    def where(self) -> str:
        """For messages; counted from 1, as people do."""
        return f"{'Z step' if self.series else 'time point'} {self.index + 1}"

    def read(self, subject: Subject, check: Callable[[], None]) -> np.ndarray:
        """(D, Y, X) in the image's own dtype; `check` is called between planes and may raise to stop."""
        image = subject.image
        if not self.series:
            return image.read(self.index, subject.channel)
        frames = []
        for t in range(image.sizes["T"]):
            check()
            frames.append(image.read(t, subject.channel, z=self.index))
        return np.concatenate(frames)

    def place(self, subject: Subject, box: Box, data: np.ndarray) -> tuple[int, tuple[slice, ...], np.ndarray]:
        """First time point, slices into the result, and `data` (D, Y, X) with the result's number of axes."""
        d, y, x = (span.slice for span in box)
        one = slice(self.index, self.index + 1)
        if self.series:
            return box[0].start, (d, one, y, x), data[:, None]
        if subject.four_axes:
            return self.index, (one, d, y, x), data[None]
        if subject.array_ndim == 2:
            return 0, (y, x), data[0]
        return 0, (d, y, x), data


def resampled_size(size: int, have: float | None, want: float | None) -> int:
    """Voxels along an axis at the voxel size `want`; unchanged where either is unknown or they hardly differ."""
    if not have or not want or abs(have / want - 1) <= _SAME_SIZE:
        return size
    return max(1, round(size * have / want))
