"""A running median along time of the blocks of a run, in whatever order time points come."""

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
    """Find out whether a running median over `frames` time points is possible.

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
    """Memory for the time points that are held at once, and the copy that their median is taken of."""
    if frames == 1:
        return 0
    return sum(2 * frames * _BYTES * prod(output.shape) // output.time_points for output in outputs.values())


def smoothed(blocks: Generator[Block], outputs: Mapping[str, Output], frames: int) -> Generator[Block]:
    """Give the running median over `frames` time points of each voxel, as blocks of one time point.

    It is what `scipy.ndimage.median_filter` gives along the axis of time with ``mode="nearest"``. Each time point waits
    for those behind it that it needs, and no longer; `frames` of them are held.
    """
    if frames == 1:
        yield from blocks
        return
    medians = {}
    for key, output in outputs.items():
        medians[key] = _RunningMedian(output.axes.index("T"), output.time_points, frames)
    with closing(blocks):
        for block in blocks:
            yield from medians[block.target].add(block)


@dataclass
class _RunningMedian:
    """The median along time of one output. Blocks of one place have the same extent at every time point."""

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
                yield replace(block, t=t, slices=slices, data=self._median(waiting, t))
        for t in [t for t in waiting if given.issuperset(self._near(range(t, t + 1)))]:
            del waiting[t]

    def _near(self, times: range) -> range:
        """Time points whose median one of `times` takes part in, which are those that their medians are of."""
        half = self.frames // 2
        return range(max(times.start - half, 0), min(times.stop + half, self.time_points))

    def _median(self, waiting: Mapping[int, np.ndarray], t: int) -> np.ndarray:
        """Of the time points around `t`; at both ends the outermost one stands for those beyond it."""
        half, last = self.frames // 2, self.time_points - 1
        around = [waiting[min(max(near, 0), last)] for near in range(t - half, t + half + 1)]
        median: np.ndarray = np.median(np.stack(around), axis=0).astype(np.float32)
        return median
