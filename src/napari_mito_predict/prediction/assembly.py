"""From what the networks give, tile by tile, to blocks on the grid of the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from napari_mito_predict.prediction.moments import Moments
from napari_mito_predict.prediction.orientations import UPRIGHT
from napari_mito_predict.prediction.result import Block

if TYPE_CHECKING:
    from napari_mito_predict.errors import PredictionError
    from napari_mito_predict.prediction.blocks import OutputBlock
    from napari_mito_predict.prediction.compute import Pieces
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.resample import Resampling
    from napari_mito_predict.prediction.tiles import Box, Tile
    from napari_mito_predict.prediction.volumes import Subject, Volume


Failure = Callable[["Box", "BaseException | None"], "PredictionError"]
"""Makes the error that says what torch complains of, or else that an output is not finite, and where on the grid."""


class Assembly(Protocol):
    """The outputs of one model on one volume: mean over the views of its job and, where asked for, their deviation.

    Both are summed up in place.
    """

    def add(self, view: Job, pieces: Pieces, done: int, total: int) -> Iterator[Block]:
        """Take all pieces of one tile; give the blocks that are complete now, one for each output.

        Parameters
        ----------
        view : Job
            Of the views of the job, the one that the tile is of.
        pieces : list of (Tile, Tensor)
            The network's output (targets, D, Y, X) over what each piece keeps.
        done, total : int
            Tiles that are computed, and tiles in all, for the blocks to tell.
        """


@dataclass(frozen=True)
class Goal:
    """What an `Assembly` is to make.

    Attributes
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

    job: Job
    volume: Volume
    subject: Subject
    back: Resampling

    def blocks(self, box: Box, channels: Iterable[np.ndarray], done: int, total: int) -> Iterator[Block]:
        """One block for each output, of data (D, Y, X) that lies at `box` of the image's grid."""
        for key, data in zip(self.job.result_keys, channels, strict=True):
            placed = self.volume.place(self.subject, box, data)
            yield Block(key, placed.t, placed.slices, placed.data, done, total)


class WaitingBlocks:
    """Blocks that wait for the tiles they are made of.

    Parameters
    ----------
    blocks : list of OutputBlock
        What to make, in this order as far as it is complete. The upright view comes last and completes them.
    """

    def __init__(self, blocks: list[OutputBlock]) -> None:
        self._waiting = [(block, set(block.tiles)) for block in blocks]

    def completed(self, view: Job, pieces: Pieces) -> list[OutputBlock]:
        """Give, and forget, the blocks that wait for nothing any more when these pieces of a tile are there."""
        if view.orientation != UPRIGHT:
            return []
        for _, missing in self._waiting:
            missing.discard(pieces[0][0].index)
        complete = [block for block, missing in self._waiting if not missing]
        self._waiting = [entry for entry in self._waiting if entry[1]]
        return complete


class HostAssembly:
    """An `Assembly` in main memory, where the blocks are put together when they are asked for.

    Parameters
    ----------
    goal : Goal
        What to make.
    waiting : WaitingBlocks
        In which parts.
    moments : Moments, optional
        What was summed up elsewhere so far.
    failure : callable, optional
        Makes the error about a block that is not finite, where nobody has looked at the outputs before.
    """

    def __init__(
        self,
        goal: Goal,
        waiting: WaitingBlocks,
        *,
        moments: Moments[np.ndarray] | None = None,
        failure: Failure | None = None,
    ) -> None:
        self._goal = goal
        self._waiting = waiting
        self._failure = failure
        self._moments = moments or Moments.zero(goal.job, lambda shape: np.zeros(shape, np.float32))

    def add(self, view: Job, pieces: Pieces, done: int, total: int) -> Iterator[Block]:
        """See `Assembly`."""
        for piece, output in pieces:
            kept = Kept.of(view, piece)
            values = output.numpy()[:, *kept.part]
            for weights in kept.weights:
                values = values * weights
            self._moments.add(view, kept.place, view.orientation.inverse.array(values))
        yield from self.blocks(self._waiting.completed(view, pieces), done, total)

    def blocks(self, complete: Iterable[OutputBlock], done: int, total: int) -> Iterator[Block]:
        """Make blocks that are complete."""
        for block in complete:
            yield from self._goal.blocks(block.box, self._channels(block), done, total)

    def _channels(self, block: OutputBlock) -> Iterator[np.ndarray]:
        source = tuple(span.slice for span in block.source)
        views = len(self._goal.job.views)
        for sums in self._moments.sums:
            data = self._goal.back.block(sums[source], block.source, block.box)
            data /= views
            yield self._checked(data, block)
        for squares in self._moments.squares:
            deviation = np.sqrt(squares[source] / views)
            yield self._checked(self._goal.back.block(deviation, block.source, block.box), block)

    def _checked(self, data: np.ndarray, block: OutputBlock) -> np.ndarray:
        if self._failure is not None and not np.isfinite(data).all():
            raise self._failure(block.source, None)
        return data


class Kept(NamedTuple):
    """What of a network's output over a piece goes where.

    Attributes
    ----------
    part : tuple of slice
        What is kept of (D, Y, X) of the output, which covers `piece.kept`: all but the padding.
    place : tuple of slice
        Where it belongs in the upright volume.
    weights : list of ndarray, float32
        What to multiply it with, (D, 1, 1), (Y, 1) and (X,); none where each voxel is kept by one tile alone.
    """

    part: tuple[slice, ...]
    place: tuple[slice, ...]
    weights: list[np.ndarray]

    @classmethod
    def of(cls, view: Job, piece: Tile) -> Kept:
        """What is kept of a piece of a tile of `view`."""
        grid = view.grid
        kept = [span.clip(axis.inside) for span, axis in zip(piece.kept, grid.axes, strict=True)]
        part = tuple(span.shift(-whole.start).slice for span, whole in zip(kept, piece.kept, strict=True))
        place = tuple(span.slice for span in view.place_of(piece))
        weights = []
        if not grid.exact:
            for i, (axis, span) in enumerate(zip(grid.axes, kept, strict=True)):
                # The weights are those of the whole tile: a piece of a split tile takes its share of them.
                start = axis.kept(piece.index[i]).start
                along = np.asarray(axis.weights(piece.index[i])[span.start - start : span.stop - start], np.float32)
                weights.append(along.reshape(-1, *(1,) * (2 - i)))
        return cls(part, place, weights)
