"""From what the networks give, tile by tile, to blocks on the grid of the image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.prediction.result import Block

if TYPE_CHECKING:
    from napari_mito_predict.prediction.compute import Computation
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.resample import Resampling
    from napari_mito_predict.prediction.tiles import Box, Tile
    from napari_mito_predict.prediction.volumes import Subject, Volume


class Assembly:
    """The targets of one model on one volume.

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
    """

    def __init__(self, job: Job, volume: Volume, subject: Subject, back: Resampling) -> None:
        self._job = job
        self._volume = volume
        self._subject = subject
        self._back = back
        self._data = np.zeros((len(job.keys), *job.shape), np.float32)

    def put(self, piece: Tile, output: np.ndarray) -> None:
        """Take what `piece` keeps of the network's output (targets, D, Y, X) over what it read."""
        grid = self._job.grid
        kept = [span.clip(axis.inside) for span, axis in zip(piece.kept, grid.axes, strict=True)]
        here = tuple(span.shift(-axis.before).slice for span, axis in zip(kept, grid.axes, strict=True))
        given = output[:, *(span.shift(-read.start).slice for span, read in zip(kept, piece.read, strict=True))]
        if grid.exact:
            self._data[:, *here] = given
            return
        for i, (axis, span) in enumerate(zip(grid.axes, kept, strict=True)):
            start = axis.kept(piece.index[i]).start
            weights = np.asarray(axis.weights(piece.index[i])[span.start - start : span.stop - start], np.float32)
            given = given * weights.reshape([-1 if a == i + 1 else 1 for a in range(4)])
        self._data[:, *here] += given

    def blocks(self, box: Box, source: Box, work: Computation) -> Iterator[Block]:
        """The part `box` of the image's grid, one block for each target, from what has been put at `source`."""
        there = tuple(span.slice for span in source)
        for key, channel in zip(self._job.keys, self._data, strict=True):
            data = self._back.block(channel[there], source, box)
            t, slices, data = self._volume.place(self._subject, box, data)
            yield Block(key, t, slices, data, work.done, work.total)
