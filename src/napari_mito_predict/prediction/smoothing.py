"""Smoothing along time, of the blocks of a run in whatever order time points come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import SmoothingError

if TYPE_CHECKING:
    from napari_mito_predict.prediction.result import Block, Output

_BYTES = np.dtype(np.float32).itemsize
Place = tuple[tuple[int, int], ...]
"""Where a block lies along all axes but time: first voxel, and the one behind the last."""


def check_smoothing(frames: int, outputs: Mapping[str, Output], name: str) -> None:
    """Find out whether smoothing over `frames` time points is possible.

    Raises
    ------
    SmoothingError
        `frames` is even or too small, or an output of the image called `name` has not as many time points.
    """
    if frames == 1:
        return
    if frames < 3 or frames % 2 == 0:
        raise SmoothingError(
            f"smoothing over {frames} time points was asked for: give an odd number from 3, as many before each time "
            "point as behind it, or 1 for none."
        )
    for output in outputs.values():
        if output.time_points == 1:
            raise SmoothingError(
                f"smoothing over {frames} time points was asked for, but the prediction of {output.key} has one: it "
                "needs a time series. If one of the axes is time, say what the axes are.",
                file=name,
            )
        if output.time_points < frames:
            raise SmoothingError(
                f"smoothing over {frames} time points was asked for, but the series has {output.time_points}: give a "
                "smaller odd number.",
                file=name,
            )


def smoothing_bytes(frames: int, outputs: Mapping[str, Output]) -> int:
    """Memory for the time points that are held at once, and for a sum of them in float64."""
    if frames == 1:
        return 0
    return sum((frames + 4) * _BYTES * prod(output.shape) // output.time_points for output in outputs.values())


def smoothed(blocks: Generator[Block], outputs: Mapping[str, Output], frames: int) -> Generator[Block]:
    """Smooth each voxel along time, and give blocks of one time point.

    It is what `scipy.ndimage.gaussian_filter1d` gives along time with ``sigma=frames / 4``, ``radius=frames // 2`` and
    ``mode="nearest"``: over 3 time points, 23, 55 and 23 %. Where structures move fast, a median or an equal mean of as
    many time points loses twice as much PCC, see ``benchmarks/flicker.py``. Each time point waits for those behind it
    that it needs, and no longer; `frames` of them are held.
    """
    if frames == 1:
        yield from blocks
        return
    filters = {}
    for key, output in outputs.items():
        filters[key] = _TemporalFilter(output.axes.index("T"), output.time_points, frames)
    with closing(blocks):
        for block in blocks:
            yield from filters[block.target].add(block)


@dataclass
class _TemporalFilter:
    """The filter of one output. Blocks of one place have the same extent at every time point."""

    axis: int
    """Which one is time."""
    time_points: int
    frames: int
    _waiting: dict[Place, dict[int, np.ndarray]] = field(default_factory=lambda: defaultdict(dict))
    """What came of each place by time point, as long as it is needed."""
    _given: dict[Place, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, block: Block) -> Iterator[Block]:
        """Take a block in; give what is complete by that."""
        axis = self.axis
        place = tuple((part.start, part.stop) for i, part in enumerate(block.slices) if i != axis)
        waiting = self._waiting[place]
        given = self._given[place]
        times = range(block.slices[axis].start, block.slices[axis].stop)
        for i, t in enumerate(times):
            waiting[t] = block.data.take([i], axis)
        for t in self._near(times):
            if t not in given and all(near in waiting for near in self._near(range(t, t + 1))):
                given.add(t)
                slices = (*block.slices[:axis], slice(t, t + 1), *block.slices[axis + 1 :])
                yield replace(block, t=t, slices=slices, data=self._smooth(waiting, t))
        for t in [t for t in waiting if given.issuperset(self._near(range(t, t + 1)))]:
            del waiting[t]

    def _near(self, times: range) -> range:
        """Time points that the smoothed values at `times` are made of; `times` take part in the same ones."""
        half = self.frames // 2
        return range(max(times.start - half, 0), min(times.stop + half, self.time_points))

    def _smooth(self, waiting: Mapping[int, np.ndarray], t: int) -> np.ndarray:
        """The mean of the time points around `t`; at both ends the outermost one stands for those beyond it."""
        distances = np.arange(self.frames) - self.frames // 2
        weights = np.exp(-0.5 * (distances / (self.frames / 4)) ** 2)
        total = np.zeros(waiting[t].shape)
        for near, weight in zip(t + distances, weights / weights.sum(), strict=True):
            total += weight * waiting[min(max(int(near), 0), self.time_points - 1)].astype(np.float64)
        return total.astype(np.float32)
