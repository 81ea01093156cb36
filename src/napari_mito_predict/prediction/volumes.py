"""What of an image is one volume for a model: a z-stack per time point, a series per Z step, or single planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_mito_predict.prediction.tiles import per_axis

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
    resample : bool
        Whether a model is given the image at its own voxel size, where both are known.
    """

    image: ImageSource
    channel: int
    voxel_size_um: VoxelSize
    array_ndim: int | None = None
    resample: bool = True

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
        if sizes["T"] > 1:
            return Layout.SERIES
        return Layout.STACKS

    def volume_shape(self, layout: Layout) -> tuple[int, int, int]:
        """(D, Y, X) of each volume."""
        sizes = self.image.sizes
        third = "T" if layout is Layout.SERIES else "Z"
        return sizes[third], sizes["Y"], sizes["X"]

    def volumes(self, layout: Layout) -> list[Volume]:
        """All volumes, in order of time or Z."""
        series = layout is Layout.SERIES
        along = "Z" if series else "T"
        return [Volume(series, i) for i in range(self.image.sizes[along])]

    def model_shape(self, card: ModelCard) -> tuple[int, int, int]:
        """(D, Y, X) of each volume at the model's voxel size. Time is never resampled, nor what stands in for it."""
        layout = self.layout(card)
        if not self.resample:
            return self.volume_shape(layout)
        wanted = list(card.input.voxel_size_um)
        if layout is not Layout.STACKS or "z" not in card.input.third_axes:
            wanted[0] = None
        sizes = zip(self.volume_shape(layout), self.voxel_size_um, wanted, strict=True)
        return per_axis(resampled_size(size, given_um, wanted_um) for size, given_um, wanted_um in sizes)

    @property
    def four_axes(self) -> bool:
        """Whether results are (T, Z, Y, X)."""
        return self.array_ndim == 4 or (self.array_ndim is None and self.image.sizes["T"] > 1)

    def result_shape(self) -> tuple[int, ...]:
        """Shape of a prediction."""
        sizes = tuple(self.image.sizes[axis] for axis in "TZYX")
        if self.four_axes:
            return sizes
        if self.array_ndim == 2:
            return sizes[2:]
        return sizes[1:]

    def result_axes(self, card: ModelCard) -> str:
        """Axes of a prediction, for example ``"ZYX"``."""
        if self.four_axes:
            return "TZYX"
        if self.array_ndim == 2:
            return "YX"
        if self.free_third_axis and card.input.third_axes == ("t",):
            return "TYX"
        return "ZYX"


class Placed(NamedTuple):
    """A block of a prediction with its place in the result.

    Attributes
    ----------
    t : int
        First time point.
    slices : tuple of slice
        Into the result, one for each of its axes.
    data : ndarray
        The block, with as many axes as the result.
    """

    t: int
    slices: tuple[slice, ...]
    data: np.ndarray


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume of an image: the stack at one time point, or the series at one Z step.

    Attributes
    ----------
    series : bool
        Whether it is the series of all time points at one Z step.
    index : int
        Which Z step of a series, which time point of a stack.
    """

    series: bool
    index: int

    @property
    def where(self) -> str:
        """For messages; counted from 1, as people do."""
        kind = "Z step" if self.series else "time point"
        return f"{kind} {self.index + 1}"

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

    def read_plane(self, subject: Subject, plane: int) -> np.ndarray:
        """(Y, X) in the image's own dtype."""
        t, z = (plane, self.index) if self.series else (self.index, plane)
        read: np.ndarray = subject.image.read(t, subject.channel, z=z)[0]
        return read

    def place(self, subject: Subject, box: Box, data: np.ndarray) -> Placed:
        """Where the block `data` (D, Y, X), which lies at `box` of this volume, goes in the result."""
        third, *lateral = (span.slice for span in box)
        this = slice(self.index, self.index + 1)
        if self.series:
            return Placed(box[0].start, (third, this, *lateral), data[:, None])
        if subject.four_axes:
            return Placed(self.index, (this, third, *lateral), data[None])
        if subject.array_ndim == 2:
            return Placed(0, tuple(lateral), data[0])
        return Placed(0, (third, *lateral), data)


def resampled_size(size: int, given_um: float | None, wanted_um: float | None) -> int:
    """Voxels along an axis at the voxel size `wanted_um`; unchanged where either is unknown or they hardly differ."""
    if not given_um or not wanted_um or abs(given_um / wanted_um - 1) <= _SAME_SIZE:
        return size
    return max(1, round(size * given_um / wanted_um))
