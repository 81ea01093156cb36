"""A little of a volume, spread over it: what its statistics are estimated from, and the tiles that a network looks at.

Each plane that is needed is read once, and only the windows wanted of it are kept. Statistics are those of square
patches on a few planes, evenly spread, as the model takes them: of a small volume they are all of it, of a large one
they are estimates.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_mito_predict.image.blank import FEWEST_PLANES, blank_area, blank_planes, recorded
from napari_mito_predict.prediction.normalize import as_float
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.tiles import Box, Span, per_axis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.prediction.volumes import Layout, Subject, Volume

_PATCH: Final = 64
_MOST_PATCHES_ALONG: Final = 6
_FEWEST_PLANES: Final = 4
_MOST_VALUES: Final = 300_000
_MOST_BLANK: Final = 0.1
"""Of a tile that is compared: the border of what was recorded is like nothing that was trained on."""
_MOST_DARKEST: Final = 0.5
"""Of a tile of few planes that has one value, the lowest: an image of 8 bits may have few values."""


@dataclass(frozen=True)
class Window:
    """A part of a volume at the model's voxel size, and what of the image it is made from.

    Attributes
    ----------
    raw : ndarray, (D, Y, X)
        In the image's own dtype.
    values : ndarray, (D, Y, X), float
        At the model's voxel size, not normalised.
    """

    raw: NDArray[Any]
    values: NDArray[Any]

    @property
    def constant(self) -> bool:
        """Whether it holds one value: nothing was recorded there."""
        return bool((self.raw == self.raw[0, 0, 0]).all())

    @property
    def has_gap(self) -> bool:
        """Whether a part of it was never recorded."""
        if len(self.raw) < FEWEST_PLANES:
            return float((self.raw == self.raw.min()).mean()) > _MOST_DARKEST
        if float(blank_planes(self.raw).mean()) > _MOST_BLANK:
            return True
        area = blank_area(self.raw)
        return area is not None and not area.all() and float(area.mean()) > _MOST_BLANK


@dataclass(frozen=True)
class VolumeSample:
    """What was read of a volume.

    Attributes
    ----------
    patches : list of Window
        For statistics: of one plane each, plane after plane, the same places in each.
    places : int
        How many patches each plane has.
    tiles : list of Window
        For the network.
    """

    patches: list[Window]
    places: int
    tiles: list[Window]

    def recorded_values(self) -> NDArray[Any]:
        """All values of the patches at the model's voxel size, without blank planes and areas."""
        stacks = [self.patches[place :: self.places] for place in range(self.places)]
        kept = [stack for stack in stacks if not all(patch.constant for patch in stack)]
        volumes = [recorded(np.concatenate([patch.values for patch in stack])) for stack in kept]
        return np.concatenate([volume.ravel() for volume in volumes])


def sample_volume(
    subject: Subject,
    layout: Layout,
    shape: tuple[int, int, int],
    tiles: Sequence[Box],
    check: Callable[[], None],
) -> VolumeSample:
    """Read a sample of the volume in the middle of a recording.

    Parameters
    ----------
    subject, layout
        What of which image, and how a model is given it.
    shape : tuple of int
        (D, Y, X) of the volume at the model's voxel size.
    tiles : sequence of Box
        On that grid; what is outside of the volume is left out.
    check : callable
        Called between planes; may raise to stop.
    """
    full = per_axis(Span(0, size) for size in shape)
    inside = [per_axis(span.clip(axis) for span, axis in zip(box, full, strict=True)) for box in tiles]
    resampling = Resampling.between(subject.volume_shape(layout), shape)
    rows, columns = _patch_spans(shape[1]), _patch_spans(shape[2])
    boxes = [*_patch_boxes(shape[0], rows, columns), *inside]
    volumes = subject.volumes(layout)
    volume = volumes[len(volumes) // 2]
    sources = [resampling.needed(box) for box in boxes]
    windows = [
        Window(raw, resampling.block(as_float(raw), source, box))
        for raw, source, box in zip(_read(subject, volume, sources, check), sources, boxes, strict=True)
    ]
    count = len(windows) - len(tiles)
    return VolumeSample(windows[:count], len(rows) * len(columns), windows[count:])


def _patch_boxes(depth: int, rows: list[Span], columns: list[Span]) -> list[Box]:
    per_plane = sum(span.size for span in rows) * sum(span.size for span in columns)
    count = min(depth, max(_FEWEST_PLANES, _MOST_VALUES // per_plane))
    middles = ((np.arange(count) + 0.5) * depth / count).astype(int).tolist()
    return list(itertools.product((Span(z, z + 1) for z in middles), rows, columns))


def _patch_spans(size: int) -> list[Span]:
    """Where patches lie along an axis: side by side where that covers it, else with even gaps."""
    if size <= _PATCH * _MOST_PATCHES_ALONG:
        count = -(-size // _PATCH)
        return [Span(size * i // count, size * (i + 1) // count) for i in range(count)]
    starts = ((np.arange(_MOST_PATCHES_ALONG) + 0.5) * size / _MOST_PATCHES_ALONG - _PATCH / 2).astype(int).tolist()
    return [Span(start, start + _PATCH) for start in starts]


def _read(subject: Subject, volume: Volume, boxes: Sequence[Box], check: Callable[[], None]) -> list[NDArray[Any]]:
    """These parts of a volume, in its own dtype; each plane is read once."""
    dtype = subject.image.dtype
    windows = [np.empty([span.size for span in box], dtype) for box in boxes]
    for z in _needed_planes(boxes):
        check()
        plane = volume.read_plane(subject, z)
        for window, (planes, rows, columns) in zip(windows, boxes, strict=True):
            if planes.start <= z < planes.stop:
                window[z - planes.start] = plane[rows.slice, columns.slice]
    return windows


def _needed_planes(boxes: Iterable[Box]) -> list[int]:
    needed: set[int] = set()
    for planes, _, _ in boxes:
        needed.update(range(planes.start, planes.stop))
    return sorted(needed)
