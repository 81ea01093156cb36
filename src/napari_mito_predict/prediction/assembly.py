"""From what the networks give, tile by tile, to blocks on the grid of the image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.prediction.orientations import UPRIGHT
from napari_mito_predict.prediction.result import Block

if TYPE_CHECKING:
    from napari_mito_predict.prediction.blocks import OutputBlock
    from napari_mito_predict.prediction.compute import Pieces
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.resample import Resampling
    from napari_mito_predict.prediction.tiles import Tile
    from napari_mito_predict.prediction.volumes import Subject, Volume


class Assembly:
    """The targets of one model on one volume: the mean over the views of its job, which is summed up in place.

    Parameters
    ----------
    job : Job
        The model.
    volume : Volume
        What of the image it is applied to.
    subject : Subject
        The image.
    back : Resampling
        From the model's grid to the image's.
    blocks : list of OutputBlock
        What to make, in this order as far as it is complete. The upright view comes last and completes them.
    """

    def __init__(self, job: Job, volume: Volume, subject: Subject, back: Resampling, blocks: list[OutputBlock]) -> None:
        self._job = job
        self._volume = volume
        self._subject = subject
        self._back = back
        self._waiting = [(block, set(block.tiles)) for block in blocks]
        self._views = len(job.views)
        self._data = np.zeros((len(job.keys), *job.shape), np.float32)

    def add(self, view: Job, pieces: Pieces, done: int, total: int) -> Iterator[Block]:
        """Take all pieces of one tile; give the blocks that are complete now, one for each target.

        Parameters
        ----------
        view : Job
            Of the views of the job, the one that the tile is of.
        pieces : list of (Tile, ndarray)
            The network's output (targets, D, Y, X) over what each piece keeps.
        done, total : int
            Tiles that are computed, and tiles in all, for the blocks to tell.
        """
        for piece, output in pieces:
            self._add_piece(view, piece, output)
        if view.orientation != UPRIGHT:
            return
        for _, missing in self._waiting:
            missing.discard(pieces[0][0].index)
        complete = [block for block, missing in self._waiting if not missing]
        self._waiting = [entry for entry in self._waiting if entry[1]]
        for block in complete:
            source = tuple(span.slice for span in block.source)
            for key, channel in zip(self._job.keys, self._data, strict=True):
                data = self._back.block(channel[source], block.source, block.box)
                data /= self._views
                placed = self._volume.place(self._subject, block.box, data)
                yield Block(key, placed.t, placed.slices, placed.data, done, total)

    def _add_piece(self, view: Job, piece: Tile, output: np.ndarray) -> None:
        """Add what `piece` keeps of the network's output (targets, D, Y, X), but for the padding, where it belongs."""
        grid = view.grid
        kept = [span.clip(axis.inside) for span, axis in zip(piece.kept, grid.axes, strict=True)]
        values = output[:, *(span.shift(-whole.start).slice for span, whole in zip(kept, piece.kept, strict=True))]
        if not grid.exact:  # or else every voxel is kept by one tile alone
            for i, (axis, span) in enumerate(zip(grid.axes, kept, strict=True)):
                # The weights are those of the whole tile: a piece of a split tile takes its share of them.
                start = axis.kept(piece.index[i]).start
                weights = np.asarray(axis.weights(piece.index[i])[span.start - start : span.stop - start], np.float32)
                shape = [1, 1, 1, 1]
                shape[i + 1] = -1  # behind the targets
                values = values * weights.reshape(shape)
        place = tuple(span.slice for span in view.place_of(piece))
        self._data[:, *place] += view.orientation.inverse.array(values)
