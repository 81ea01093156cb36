"""RecentRegions predicted for somebody who looks around, and the work that predicts one. Knows no layers and no Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.prediction.tiles import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict._widgets.predict.model_cache import ModelCache
    from napari_mito_predict.prediction import Block, Output, PredictionPlan
    from napari_mito_predict.prediction.viewport import Viewport

_MOST_REGIONS = 8
_MOST_BYTES = 1 << 29
"""Some networks cannot predict less than a whole volume."""


@dataclass(frozen=True, slots=True, eq=False)
class PreviewPart:
    """One target of a region.

    Attributes
    ----------
    start : tuple of int
        First voxel in the image, (T, Z, Y, X).
    data : ndarray, float32, (T, Z, Y, X)
        The prediction.
    """

    start: tuple[int, ...]
    data: NDArray[np.float32]

    def holds(self, axis: int, span: Span) -> bool:
        """Whether all of `span` along an axis is in it."""
        return self.start[axis] <= span.start and span.stop <= self.start[axis] + self.data.shape[axis]

    def has_plane(self, viewport: Viewport) -> bool:
        """Whether the plane that is looked at goes through it."""
        return self.holds(0, Span(viewport.t, viewport.t + 1)) and self.holds(1, Span(viewport.z, viewport.z + 1))


@dataclass(frozen=True, slots=True, eq=False)
class PreviewRegion:
    """What was predicted for one viewport: a part for every target that is there yet.

    Attributes
    ----------
    asked : Viewport
        The engine may have given less of a large field, or more.
    parts : dict of str to PreviewPart
        By the keys of the plan's outputs.
    """

    asked: Viewport
    parts: dict[str, PreviewPart]

    def serves(self, viewport: Viewport) -> bool:
        """Whether predicting for `viewport` would show nothing new."""
        same = (viewport.y, viewport.x) == (self.asked.y, self.asked.x)
        return all(
            part.has_plane(viewport) and (same or (part.holds(2, viewport.y) and part.holds(3, viewport.x)))
            for part in self.parts.values()
        )


class RecentRegions:
    """The regions that were looked at last, so that going back to them takes no time."""

    def __init__(self) -> None:
        self._regions: list[PreviewRegion] = []

    def find(self, viewport: Viewport) -> PreviewRegion | None:
        """A region that serves `viewport`; it counts as the latest then."""
        found = next((region for region in reversed(self._regions) if region.serves(viewport)), None)
        if found is not None:
            self._regions.remove(found)
            self._regions.append(found)
        return found

    def add(self, region: PreviewRegion) -> None:
        """Keep a region, and let go of the oldest where they become too many or too large."""
        self._regions = [*self._regions, region][-_MOST_REGIONS:]
        while len(self._regions) > 1 and sum(map(_bytes, self._regions)) > _MOST_BYTES:
            del self._regions[0]

    def clear(self) -> None:
        """Let go of all: the image or the models are other ones."""
        self._regions = []


@dataclass(frozen=True, slots=True)
class Shown:
    """A region as far as it is predicted, and whether that is all of it."""

    region: PreviewRegion
    complete: bool


def previewing(plan: PredictionPlan, viewport: Viewport, cache: ModelCache) -> Work:
    """Work that predicts what is looked at, and no more: yields `Shown` for each block, and when all are there."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.prediction import RunContext, run

        blocks: dict[str, list[Block]] = {}
        parts: dict[str, PreviewPart] = {}
        with cache.turn(should_stop):
            context = RunContext(cancel=should_stop, viewport=viewport, known=cache.known)
            for block in run(plan, context).first_look():
                blocks.setdefault(block.target, []).append(block)
                parts[block.target] = _joined(blocks[block.target], plan.outputs[block.target])
                yield Shown(PreviewRegion(viewport, dict(parts)), complete=False)
        yield Shown(PreviewRegion(viewport, parts), complete=True)

    return work


def _joined(blocks: Sequence[Block], output: Output) -> PreviewPart:
    """Blocks as one array of four axes, where they lie; nothing is shown where one is still missing.

    Always a copy: a block may be a view of a whole volume, and would keep it in memory.
    """
    ends = np.array([[(along.start, along.stop) for along in block.slices] for block in blocks])
    start, stop = ends[..., 0].min(axis=0), ends[..., 1].max(axis=0)
    data = np.full(stop - start, output.target.contrast_limits[0], np.float32)
    for block in blocks:
        here = (slice(along.start - a, along.stop - a) for along, a in zip(block.slices, start, strict=True))
        data[tuple(here)] = block.data
    missing = 4 - data.ndim
    return PreviewPart((0,) * missing + tuple(int(a) for a in start), data[(None,) * missing])


def _bytes(region: PreviewRegion) -> int:
    return sum(part.data.nbytes for part in region.parts.values())
