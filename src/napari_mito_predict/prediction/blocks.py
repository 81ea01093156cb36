"""Which part of the image's own grid is final after which tiles: what is painted is never repainted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from napari_mito_predict.prediction.tiles import AxisTiling, Box, Span, TileGrid

if TYPE_CHECKING:
    from napari_mito_predict.prediction.resample import AxisResampling, Resampling


@dataclass(frozen=True, slots=True)
class OutputBlock:
    """A block of the prediction on the image's grid.

    Attributes
    ----------
    box : Box
        Where it lies on the image's grid; the blocks of a plan partition it.
    source : Box
        The voxels of the model's grid it is interpolated from.
    tiles : frozenset of tuple of int
        Indices of all tiles that have to be done first.
    """

    box: Box
    source: Box
    tiles: frozenset[tuple[int, int, int]]


def plan_blocks(grid: TileGrid, back: Resampling) -> list[OutputBlock]:
    """One block for each tile core that covers any voxel of the image, in reading order.

    Parameters
    ----------
    grid : TileGrid
        Tiles on the model's grid.
    back : Resampling
        From the model's grid to the image's.
    """
    parts = [_axis_parts(tiling, axis) for tiling, axis in zip(grid.axes, back.axes, strict=True)]
    return [
        OutputBlock(
            (d.box, y.box, x.box),
            (d.source, y.source, x.source),
            frozenset(itertools.product(d.tiles, y.tiles, x.tiles)),
        )
        for d, y, x in itertools.product(*parts)
    ]


class _AxisPart(NamedTuple):
    """Along one axis: the image's voxels, the model's voxels that they need, and the tiles that make those."""

    box: Span
    source: Span
    tiles: tuple[int, ...]


def _axis_parts(tiling: AxisTiling, axis: AxisResampling) -> list[_AxisPart]:
    """What belongs to each core of an axis that covers any voxel of the image."""
    parts = []
    for core in tiling.cores:
        inside = core.clip(tiling.inside).shift(-tiling.before)
        box = Span(axis.boundary(inside.start), axis.boundary(inside.stop))
        if box.size > 0:  # a core may lie in the padding, or be smaller than a voxel of the image
            source = axis.needed(box)
            padded = source.shift(tiling.before)
            tiles = tuple(i for i in range(len(tiling.cores)) if tiling.kept(i).overlaps(padded))
            parts.append(_AxisPart(box, source, tiles))
    return parts
