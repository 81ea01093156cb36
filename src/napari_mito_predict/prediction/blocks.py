"""Which part of the image's own grid is final after which tiles: what is painted is never repainted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        OutputBlock((d[0], y[0], x[0]), (d[1], y[1], x[1]), frozenset(itertools.product(d[2], y[2], x[2])))
        for d, y, x in itertools.product(*parts)
    ]


def _axis_parts(tiling: AxisTiling, axis: AxisResampling) -> list[tuple[Span, Span, tuple[int, ...]]]:
    """Per core with voxels of the image: the image's voxels, the model's they need, the tiles that make those."""
    parts = []
    for core in tiling.cores:
        inside = core.clip(tiling.inside).shift(-tiling.before)
        block = Span(axis.boundary(inside.start), axis.boundary(inside.stop))
        if block.size > 0:
            needed = axis.needed(block)
            padded = needed.shift(tiling.before)
            tiles = tuple(i for i in range(len(tiling.cores)) if tiling.kept(i).overlaps(padded))
            parts.append((block, needed, tiles))
    return parts
