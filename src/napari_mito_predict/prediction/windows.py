"""From the prepared volume to what a tile reads, and from what the network gives to the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.prediction.tiles import reflect

if TYPE_CHECKING:
    from napari_mito_predict.prediction.tiles import Box, Tile, TileGrid


def window_of(volume: np.ndarray, grid: TileGrid, read: Box) -> np.ndarray:
    """The part `read` of the volume as padded by reflection, without making the padded volume."""
    if all(
        axis.inside.start <= span.start and span.stop <= axis.inside.stop
        for span, axis in zip(read, grid.axes, strict=True)
    ):
        return volume[tuple(span.shift(-axis.before).slice for span, axis in zip(read, grid.axes, strict=True))]
    positions = [
        [reflect(p - axis.before, axis.size) for p in range(span.start, span.stop)]
        for span, axis in zip(read, grid.axes, strict=True)
    ]
    return volume[np.ix_(*positions)]


def put(result: np.ndarray, grid: TileGrid, piece: Tile, output: np.ndarray) -> None:
    """Put what `piece` keeps of the network's output (targets, D, Y, X) into the result, cropping the padding."""
    kept = [span.clip(axis.inside) for span, axis in zip(piece.kept, grid.axes, strict=True)]
    here = tuple(span.shift(-axis.before).slice for span, axis in zip(kept, grid.axes, strict=True))
    given = output[:, *(span.shift(-read.start).slice for span, read in zip(kept, piece.read, strict=True))]
    if grid.exact:
        result[:, *here] = given
        return
    for i, (axis, span) in enumerate(zip(grid.axes, kept, strict=True)):
        start = axis.kept(piece.index[i]).start
        weights = np.asarray(axis.weights(piece.index[i])[span.start - start : span.stop - start], np.float32)
        given = given * weights.reshape([-1 if a == i + 1 else 1 for a in range(4)])
    result[:, *here] += given
