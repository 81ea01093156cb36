"""Where somebody looks is predicted first."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from napari_mito_predict.prediction.tiles import Box, Span, Tile, round_up, voxels

if TYPE_CHECKING:
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.resample import AxisResampling, Resampling
    from napari_mito_predict.prediction.tiles import AxisTiling
    from napari_mito_predict.prediction.volumes import Volume

_LARGEST = 256  # voxels along y and x that are predicted first, more would take too long
_WORTHWHILE = 0.75  # of the volume: whatever has to read more than that can as well wait for all of it


@dataclass(frozen=True, slots=True)
class Look:
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
        return volume.index == (self.z if volume.series else self.t)


class First(NamedTuple):
    """The tile to compute first, and the block of the image's grid that is made of `source` then."""

    tile: Tile
    box: Box
    source: Box


def tile_of(look: Look, job: Job, volume: Volume, back: Resampling) -> First | None:
    """What to predict first; None where that would save nothing, or where a part is not what the whole would give."""
    if len(job.grid) == 1 or not job.grid.exact or job.model.network.contexts != 0:
        return None
    plane = look.t if volume.series else look.z
    spans = Span(plane, plane + 1), _middle(look.y, back.axes[1]), _middle(look.x, back.axes[2])
    parts = [_part(span, axis, tiling) for span, axis, tiling in zip(spans, back.axes, job.grid.axes, strict=True)]
    kept, read, box, source = zip(*parts, strict=True)
    tile = Tile((0, 0, 0), read, kept)
    if any(span.size == 0 for span in box):
        return None
    if voxels(tile.read) > _WORTHWHILE * prod(axis.padded for axis in job.grid.axes):
        return None
    return First(tile, box, source)


def _middle(span: Span, axis: AxisResampling) -> Span:
    """The part of a field of view that is not too large, inside the image."""
    span = span.clip(Span(0, axis.target))
    largest = max(1, int(_LARGEST * axis.target / axis.source))
    start = span.start + max(0, span.size - largest) // 2
    return Span(start, min(span.stop, start + largest))


def _part(span: Span, axis: AxisResampling, tiling: AxisTiling) -> tuple[Span, Span, Span, Span]:
    """Along one axis: what the tile keeps and reads, and the image's and the model's voxels of the block."""
    source = axis.needed(span) if span.size else Span(0, 0)
    wanted, stride = source.shift(tiling.before), tiling.stride
    kept = Span(wanted.start // stride * stride, round_up(wanted.stop, stride))
    read = kept.grow(round_up(tiling.needed, stride), tiling.whole)
    if read == tiling.whole:  # keeping all of it costs nothing more
        everything = Span(0, axis.target)
        return tiling.whole, read, everything, Span(0, axis.source)
    return kept, read, span, source
