"""Resampling on a device: what `napari_mito_predict.prediction.resample` does by scipy, with its positions and weights.

In float64, with the results of each filter in the type of the volume, as scipy has it: the differences are those of the
order of sums in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_mito_predict.prediction.on_device.transfers import sent
from napari_mito_predict.prediction.tiles import Box, Span, per_axis

if TYPE_CHECKING:
    from napari_mito_predict.prediction.resample import AxisResampling, Resampling

_AT_ONCE = 1 << 24
"""Voxels of the target that are made at a time: what is computed in float64 stays small beside the volume."""


def resampled(volume: Tensor, resampling: Resampling) -> Tensor:
    """All of `volume` (D, Y, X) on the target grid, float32 or float64 as the volume."""
    source = per_axis(Span(0, axis.source) for axis in resampling.axes)
    target = per_axis(Span(0, axis.target) for axis in resampling.axes)
    return resampled_block(volume, source, target, resampling)


def resampled_block(window: Tensor, at: Box, target: Box, resampling: Resampling) -> Tensor:
    """What `Resampling.block` gives; takes what it takes, float32 or float64."""
    if resampling.identity:
        inner = tuple(span.shift(-origin.start).slice for span, origin in zip(target, at, strict=True))
        found: Tensor = window[inner]
        return found
    shape = [span.size for span in target]
    result = torch.empty(shape, dtype=window.dtype, device=window.device)
    along_y = resampling.axes[1]
    for rows in _groups(target[1], max(1, _AT_ONCE // max(shape[0] * shape[2], 1))):
        needed = along_y.needed(rows).clip(at[1])
        part = window[:, needed.shift(-at[1].start).slice]
        values = _at_once(part, (at[0], needed, at[2]), (target[0], rows, target[2]), resampling)
        result[:, rows.shift(-target[1].start).slice] = values
    return result


def _at_once(window: Tensor, at: Box, target: Box, resampling: Resampling) -> Tensor:
    dtype, values = window.dtype, window
    for dim, axis in enumerate(resampling.axes):
        if axis.sigma > 0:
            values = _filtered(values, axis, dim).to(dtype)
    values = values.double()
    for dim, axis in enumerate(resampling.axes):
        start = axis.position(target[dim].start) - at[dim].start
        values = _interpolated(values, dim, start, axis.step, target[dim].size)
    return values.to(dtype)


def _filtered(values: Tensor, axis: AxisResampling, dim: int) -> Tensor:
    """The Gaussian that removes what the coarser grid cannot show; beyond the ends, the values there go on."""
    weights = axis.gaussian()
    reach, size = len(weights) // 2, values.shape[dim]
    padded = _taken(values, dim, np.arange(-reach, size + reach).clip(0, size - 1)).double()
    total = padded.narrow(dim, reach, size) * float(weights[reach])
    for i in range(1, reach + 1):
        neighbours = padded.narrow(dim, reach - i, size) + padded.narrow(dim, reach + i, size)
        total.add_(neighbours, alpha=float(weights[reach + i]))
    return total


def _interpolated(values: Tensor, dim: int, start: float, step: float, count: int) -> Tensor:
    """Values at ``start + i * step``, by linear interpolation; beyond the ends, the values there go on."""
    last = values.shape[dim] - 1
    places = (start + np.arange(count) * step).clip(0, last)
    below = np.floor(places).astype(np.int64)
    if count == last + 1 and np.array_equal(places, np.arange(count)):
        return values
    shape = [1] * values.ndim
    shape[dim] = count
    weight = sent(places - below, values.device).view(shape)
    above = _taken(values, dim, np.minimum(below + 1, last))
    return torch.lerp(_taken(values, dim, below), above, weight)


def _taken(values: Tensor, dim: int, places: np.ndarray) -> Tensor:
    return values.index_select(dim, sent(places, values.device))


def _groups(span: Span, size: int) -> Iterator[Span]:
    for start in range(span.start, span.stop, size):
        yield Span(start, min(start + size, span.stop))
