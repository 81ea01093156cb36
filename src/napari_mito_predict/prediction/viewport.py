"""Where somebody looks is predicted first."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from napari_mito_predict.prediction.blocks import OutputBlock
from napari_mito_predict.prediction.tiles import Span, Tile, per_axis, round_up, voxels

if TYPE_CHECKING:
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.resample import AxisResampling, Resampling
    from napari_mito_predict.prediction.tiles import AxisTiling
    from napari_mito_predict.prediction.volumes import Volume

_LARGEST = 256  # voxels along y and x that are predicted first, more would take too long
_INDEX = (0, 0, 0)  # of the tile that is predicted first, which is none of the grid
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


def first_block(
    viewport: Viewport, job: Job, volume: Volume, back: Resampling, *, all_planes: bool
) -> OutputBlock | None:
    """What to make first; None where that would save nothing, or where a part is not what the whole would give.

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
    if len(job.grid) == 1 or not job.exact or job.model.network.contexts != 0:
        return None
    plane = viewport.t if volume.series else viewport.z
    box = Span(plane, plane + 1), _middle(viewport.y, back.axes[1]), _middle(viewport.x, back.axes[2])
    if any(span.size == 0 for span in box):  # the field of view lies outside the image
        return None
    along_d = job.grid.axes[0]
    if all_planes and _read(back.axes[0].needed(box[0]), along_d) == along_d.whole:
        box = Span(0, back.axes[0].target), box[1], box[2]
    block = OutputBlock(box, back.needed(box), frozenset({_INDEX}))
    if voxels(tile_of(block, job).read) > _WORTHWHILE * prod(axis.padded for axis in job.grid.axes):
        return None
    return block


def tile_of(block: OutputBlock, view: Job) -> Tile:
    """The tile that makes `block` in one view of its job."""
    upright = view.orientation.inverse.shape(view.shape)
    source = view.orientation.box(block.source, upright)
    read = per_axis(_read(span, axis) for span, axis in zip(source, view.grid.axes, strict=True))
    kept = per_axis(span.shift(axis.before) for span, axis in zip(source, view.grid.axes, strict=True))
    return Tile(_INDEX, read, kept)


def _middle(span: Span, axis: AxisResampling) -> Span:
    """The part of a field of view that is not too large, inside the image."""
    span = span.clip(Span(0, axis.target))
    largest = max(1, int(_LARGEST * axis.target / axis.source))
    start = span.start + max(0, span.size - largest) // 2
    return Span(start, min(span.stop, start + largest))


def _read(source: Span, tiling: AxisTiling) -> Span:
    """What a tile has to read to make the voxels `source` exactly: on the stride grid, with all their context."""
    kept, stride = source.shift(tiling.before), tiling.stride
    cells = Span(kept.start // stride * stride, round_up(kept.stop, stride))
    return cells.grow(round_up(tiling.needed, stride), tiling.whole)
