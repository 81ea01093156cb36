"""Statistics of a volume on a device: those that `napari_mito_predict.prediction.normalize` takes in main memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_mito_predict.evaluation.percentiles import sample_ranks
from napari_mito_predict.image.blank import FEWEST_PLANES, SMALLEST_AREA, TIMES_CHANCE
from napari_mito_predict.prediction.normalize import (
    Statistics,
    fixed,
    from_counts,
    from_ranks,
    percentiles_of_ranks,
    with_contrast,
)

if TYPE_CHECKING:
    from napari_mito_predict.models.card import Normalisation

_COUNTED = {torch.uint8: 1 << 8, torch.uint16: 1 << 16}
_SAMPLE = 1 << 13
_AT_ONCE = 1 << 24
"""Voxels whose copies in a wider type are made at a time."""


def measure(volume: Tensor, normalisation: Normalisation, *, where: str) -> Statistics:
    """Statistics of a whole volume, see `napari_mito_predict.prediction.normalize.measure`.

    Whole numbers of up to 16 bits without a sign are counted, and all else is done in main memory: the same numbers.
    Of others the order statistics are exact, and sums differ in the order of their terms, in float64.
    """
    if normalisation.kind == "fixed":
        return fixed(normalisation)
    volume = _recorded(volume)
    if volume.dtype in _COUNTED:
        found = from_counts(_counts(volume), normalisation)
    else:
        found = _from_values(as_float(volume), normalisation)
    return with_contrast(found, where)


def _counts(volume: Tensor) -> np.ndarray:
    levels = _COUNTED[volume.dtype]
    counts = torch.zeros(levels, dtype=torch.int64, device=volume.device)
    for part in parts(volume):
        counts += torch.bincount(part.reshape(-1).to(torch.int32), minlength=levels)
    found: np.ndarray = counts.cpu().numpy()
    return found


def as_float(volume: Tensor) -> Tensor:
    """`volume` as float32; float64 stays. See `napari_mito_predict.prediction.normalize.as_float`."""
    return volume if volume.dtype == torch.float64 else volume.float()


def _from_values(volume: Tensor, normalisation: Normalisation) -> Statistics:
    def values_at(ranks: list[int]) -> Iterable[float]:
        return _order_statistics(volume, ranks)

    if normalisation.kind != "zscore":
        return from_ranks(volume.numel(), normalisation, values_at)
    if normalisation.clip_percentiles is None:
        low, high = (float(end) for end in torch.aminmax(volume))
    else:
        low, high = percentiles_of_ranks(volume.numel(), normalisation.clip_percentiles, values_at)
    mean = sum(_sums(volume, low, high, None)) / volume.numel()
    variance = sum(_sums(volume, low, high, mean)) / volume.numel()
    return Statistics(low, high, mean, float(np.sqrt(variance)))


def _sums(volume: Tensor, low: float, high: float, mean: float | None) -> list[float]:
    """Of each plane the sum of the clipped values, or of the squares of their distances to `mean`; in float64."""
    sums = []
    for plane in volume:
        values = plane.double().clamp(low, high)
        if mean is not None:
            values = values.sub_(mean).square_()
        sums.append(values.sum())
    found: list[float] = torch.stack(sums).tolist()
    return found


def _order_statistics(volume: Tensor, ranks: Sequence[int]) -> list[float]:
    """What `napari_mito_predict.evaluation.percentiles.order_statistics` gives, in the same way."""
    values = volume.reshape(-1)
    size = values.numel()
    sample = values[:: size // _SAMPLE | 1].sort().values
    low, high = sample_ranks(size, sample.numel(), ranks)
    lowest, highest = values[values <= sample[low]], values[values >= sample[high]]
    not_above = size - highest.numel()
    lower_half = [rank for rank in ranks if rank < size / 2]
    upper_half = [rank for rank in ranks if rank >= size / 2]
    if any(rank >= lowest.numel() for rank in lower_half) or any(rank < not_above for rank in upper_half):
        found: list[float] = values.sort().values[list(ranks)].tolist()  # the bounds missed
        return found
    lowest, highest = lowest.sort().values, highest.sort().values
    at = [lowest[rank] if rank < size / 2 else highest[rank - not_above] for rank in ranks]
    found = torch.stack(at).tolist()
    return found


def _recorded(volume: Tensor) -> Tensor:
    """What `napari_mito_predict.image.blank.recorded` gives of a volume (D, Y, X), by the same rules."""
    bits = _comparable(volume)
    blank = (bits == bits[:, :1, :1]).flatten(1).all(1)
    if bool(blank.all()):
        return volume
    if bool(blank.any()):
        bits = bits[~blank]
    area = _blank_area(bits)
    if area is not None and not bool(area.all()):
        bits = bits[:, ~area]
    return bits.view(volume.dtype)


def _blank_area(volume: Tensor) -> Tensor | None:
    if len(volume) < FEWEST_PLANES:
        return None
    constant = torch.ones_like(volume[0], dtype=torch.bool)
    for plane in volume[1:]:
        constant &= plane == volume[0]
        if float(constant.double().mean()) < SMALLEST_AREA:
            return None
    share = float(constant.double().mean())
    agree = 0.0
    if share < 1:
        agree = float((volume[1] == volume[0])[~constant].double().mean())
    if share < TIMES_CHANCE * agree ** (len(volume) - 1):
        return None
    return constant


def _comparable(volume: Tensor) -> Tensor:
    """The same bits in a type that torch compares and selects everywhere: it hardly knows uint16."""
    return volume.view(torch.int16) if volume.dtype == torch.uint16 else volume


def parts(volume: Tensor) -> Iterator[Tensor]:
    """Some planes of `volume` after the other, so that copies of them in a wider type stay small."""
    planes = max(1, _AT_ONCE // max(volume[0].numel(), 1))
    for start in range(0, len(volume), planes):
        yield volume[start : start + planes]
