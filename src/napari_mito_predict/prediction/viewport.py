"""Where somebody looks is predicted first."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from napari_mito_predict.prediction.blocks import OutputBlock
from napari_mito_predict.prediction.tiles import Span, Tile, per_axis, round_up, voxels

if TYPE_CHECKING:
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.resample import AxisResampling, Resampling
    from napari_mito_predict.prediction.tiles import AxisTiling
    from napari_mito_predict.prediction.volumes import Volume

_LARGEST = 256  # voxels along y and x that are predicted first, more would take too long
_WORTHWHILE = 0.75  # of the volume: whatever has to read more than that can as well wait for all of it


@dataclass(frozen=True, slots=True)
class Viewport:
    """What a viewer shows, in voxels of the image.

    Attributes
    ----------
    t, z : int
        Time point and Z step.
    y, x : Span
        Field of view. Of a large one the middle is taken.
    """

    t: int
    z: int
    y: Span
    x: Span

    def is_at(self, volume: Volume) -> bool:
        """Whether it looks at this volume."""
        if volume.series:
            return volume.index == self.z
        return volume.index == self.t


class First(NamedTuple):
    """The tile to compute first, and the block of the image's grid that is made of it."""

    tile: Tile
    block: OutputBlock


def first_tile(viewport: Viewport, job: Job, volume: Volume, back: Resampling, *, all_planes: bool) -> First | None:
    """What to predict first; None where that would save nothing, or where a part is not what the whole would give.

    Parameters
    ----------
    viewport : Viewport
        Plane and field of view.
    job, volume, back : Job, Volume, Resampling
        The model, what it is applied to, and the way from its grid to the image's.
    all_planes : bool
        All planes where all are read anyway, not only the one that is looked at: half as fast, and moving through them
        then costs nothing.
    """
    # A part gives what the whole would give with the full halo only, and not of networks that look at the field.
    if len(job.grid) == 1 or not job.grid.exact or job.model.network.contexts != 0:
        return None
    plane = viewport.t if volume.series else viewport.z
    spans = Span(plane, plane + 1), _middle(viewport.y, back.axes[1]), _middle(viewport.x, back.axes[2])
    parts = [_part(span, axis, tiling) for span, axis, tiling in zip(spans, back.axes, job.grid.axes, strict=True)]
    if all_planes and parts[0].read == job.grid.axes[0].whole:
        parts[0] = _part(Span(0, back.axes[0].target), back.axes[0], job.grid.axes[0])
    if any(part.box.size == 0 for part in parts):  # the field of view lies outside the image
        return None
    tile = Tile((0, 0, 0), per_axis(part.read for part in parts), per_axis(part.kept for part in parts))
    if voxels(tile.read) > _WORTHWHILE * prod(axis.padded for axis in job.grid.axes):
        return None
    box, source = per_axis(part.box for part in parts), per_axis(part.source for part in parts)
    return First(tile, OutputBlock(box, source, frozenset({tile.index})))


def _middle(span: Span, axis: AxisResampling) -> Span:
    """The part of a field of view that is not too large, inside the image."""
    span = span.clip(Span(0, axis.target))
    largest = max(1, int(_LARGEST * axis.target / axis.source))
    start = span.start + max(0, span.size - largest) // 2
    return Span(start, min(span.stop, start + largest))


class _Part(NamedTuple):
    """Along one axis: what the tile keeps and reads, and the image's and the model's voxels of the block."""

    kept: Span
    read: Span
    box: Span
    source: Span


def _part(span: Span, axis: AxisResampling, tiling: AxisTiling) -> _Part:
    """What voxels `span` of the image need: on the stride grid, with the context that makes them exact."""
    source = Span(0, 0)
    if span.size:
        source = axis.needed(span)
    kept, stride = source.shift(tiling.before), tiling.stride
    cells = Span(kept.start // stride * stride, round_up(kept.stop, stride))
    return _Part(kept, cells.grow(round_up(tiling.needed, stride), tiling.whole), span, source)
