"""A volume in the memory of a device, as a model takes it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_mito_predict.prediction.on_device.statistics import parts
from napari_mito_predict.prediction.on_device.transfers import sent
from napari_mito_predict.prediction.orientations import UPRIGHT, Orientation
from napari_mito_predict.prediction.prepare import reflected

if TYPE_CHECKING:
    from napari_mito_predict.prediction.normalize import Statistics
    from napari_mito_predict.prediction.prepare import Prepared
    from napari_mito_predict.prediction.tiles import Box, TileGrid


class VolumeOnDevice:
    """A `PreparedVolume` on a device, resampled and normalised, from which windows are cut without any copy in between.

    Parameters
    ----------
    values : Tensor, (D, Y, X)
        At the model's voxel size, normalised, in the precision of the network.
    in_memory : Prepared
        The same in main memory, which is used where the device's memory gets short.
    """

    def __init__(self, values: Tensor, in_memory: Prepared) -> None:
        self._place = _Place(values)
        self._in_memory = in_memory
        self._orientation = UPRIGHT
        self._shape: tuple[int, int, int] = (values.shape[0], values.shape[1], values.shape[2])

    @property
    def on_device(self) -> bool:
        """Whether it has not left the device."""
        return self._place.values is not None

    def leave(self) -> None:
        """Release the device's memory: from now on, windows are made in main memory."""
        self._place.values = None

    def oriented(self, orientation: Orientation) -> VolumeOnDevice:
        """This volume, flipped and turned, in the same memory."""
        view = copy.copy(self)
        view._in_memory = self._in_memory.oriented(orientation)
        view._orientation = orientation
        view._shape = orientation.shape(self._shape)
        return view

    def resample_once(self, threads: int) -> None:
        """It is resampled."""

    def window(self, grid: TileGrid, read: Box) -> Tensor:
        """The part `read` of the volume as padded by reflection; (D, Y, X), normalised, see `Prepared.window`."""
        values = self._place.values  # of now: the volume may leave at any time
        if values is None:
            return self._in_memory.window(grid, read)
        box, padding = reflected(grid, read)
        upright = self._orientation.inverse.box(box, self._shape)
        window = oriented(values[tuple(span.slice for span in upright)], self._orientation)
        for dim, places in enumerate(padding or ()):
            if not np.array_equal(places, np.arange(window.shape[dim])):
                window = window.index_select(dim, sent(places, window.device))
        return window


class _Place:
    """Where a volume and its views lie; None when it has left."""

    def __init__(self, values: Tensor) -> None:
        self.values: Tensor | None = values


def normalised(volume: Tensor, statistics: Statistics, dtype: torch.dtype) -> Tensor:
    """``(clip(volume) - offset) / scale``, in float64, then float32, then `dtype`: to the bit as in main memory."""
    result = torch.empty(volume.shape, dtype=dtype, device=volume.device)
    start = 0
    for part in parts(volume):
        values = part.double().clamp(statistics.low, statistics.high)
        values = values.sub_(statistics.offset).div_(statistics.scale)
        result[start : start + len(part)] = values.float()
        start += len(part)
    return result


def oriented(tensor: Tensor, orientation: Orientation) -> Tensor:
    """`tensor` (..., Y, X) flipped and turned; what `Orientation.array` does."""
    if orientation.transposed:
        tensor = tensor.transpose(-1, -2)
    axes = [dim for dim, flipped in ((-2, orientation.flipped_y), (-1, orientation.flipped_x)) if flipped]
    return tensor.flip(axes) if axes else tensor
