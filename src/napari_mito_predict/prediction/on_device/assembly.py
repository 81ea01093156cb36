"""From what the networks give to blocks on the grid of the image, on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from napari_mito_predict.prediction.assembly import HostAssembly, Kept
from napari_mito_predict.prediction.memory import is_out_of_memory
from napari_mito_predict.prediction.moments import Moments
from napari_mito_predict.prediction.on_device.resample import resampled_block
from napari_mito_predict.prediction.on_device.transfers import sent
from napari_mito_predict.prediction.on_device.volume import oriented
from napari_mito_predict.prediction.tiles import Span, per_axis

if TYPE_CHECKING:
    from napari_mito_predict.prediction.assembly import Failure, Goal, WaitingBlocks
    from napari_mito_predict.prediction.blocks import OutputBlock
    from napari_mito_predict.prediction.compute import Pieces
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.on_device.transfers import Download, Transfers
    from napari_mito_predict.prediction.result import Block
    from napari_mito_predict.prediction.tiles import Tile

T = TypeVar("T")


class AssemblyOnDevice:
    """An `Assembly` on a device: what completes a block is begun at once, and the block is waited for when it is used.

    Parameters
    ----------
    goal : Goal
        What to make.
    waiting : WaitingBlocks
        In which parts.
    transfers : Transfers
        Fetches the blocks.
    failure : callable
        Makes the errors.
    """

    def __init__(self, goal: Goal, waiting: WaitingBlocks, transfers: Transfers, failure: Failure) -> None:
        self._goal = goal
        self._waiting = waiting
        self._transfers = transfers
        self._failure = failure
        self._in_memory: HostAssembly | None = None
        self._moments = Moments.zero(goal.job, self._zeros)

    def _zeros(self, shape: tuple[int, ...]) -> Tensor:
        return torch.zeros(shape, dtype=torch.float32, device=self._transfers.device)

    def leave(self) -> HostAssembly:
        """Go on in main memory, from what was summed up so far."""
        if self._in_memory is None:
            moments = Moments(self._moments.sums.cpu().numpy(), self._moments.squares.cpu().numpy())
            self._in_memory = HostAssembly(self._goal, self._waiting, moments=moments, failure=self._failure)
            del self._moments
        return self._in_memory

    def add(self, view: Job, pieces: Pieces, done: int, total: int) -> Iterator[Block]:
        """See `Assembly`."""
        with torch.inference_mode():
            for i, (piece, output) in enumerate(pieces):
                if self._in_memory is not None or not self._tried(self._sum_up, view, piece, output):
                    left = [(other, values.cpu()) for other, values in pieces[i:]]
                    return self.leave().add(view, left, done, total)
            complete = self._waiting.completed(view, pieces)
            begun = self._tried(lambda: [(block, self._begin(block)) for block in complete])
            if begun is None:
                return self.leave().blocks(complete, done, total)
        return self._fetched(begun, done, total)

    def _sum_up(self, view: Job, piece: Tile, output: Tensor) -> bool:
        """Add what is kept of a piece where it belongs."""
        kept = Kept.of(view, piece)
        values = output[:, *kept.part]
        for weights in kept.weights:
            values = values * sent(weights, values.device)
        self._moments.add(view, kept.place, oriented(values, view.orientation.inverse))
        return True

    def _tried(self, work: Callable[..., T], *arguments: Any) -> T | None:
        """What `work` gives; None where the device's memory does not suffice."""
        try:
            return work(*arguments)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise self._failure(per_axis(Span(0, size) for size in self._goal.job.shape), error) from error
        return None

    def _begin(self, block: OutputBlock) -> list[Download]:
        """Begin to make and fetch a block, one download for each output."""
        source = tuple(span.slice for span in block.source)
        views = len(self._goal.job.views)
        downloads = []
        for sums in self._moments.sums:
            values = resampled_block(sums[source], block.source, block.box, self._goal.back)
            downloads.append(self._transfers.download(values / views))
        for squares in self._moments.squares:
            deviation = torch.sqrt(squares[source] / views)
            values = resampled_block(deviation, block.source, block.box, self._goal.back)
            downloads.append(self._transfers.download(values))
        return downloads

    def _fetched(self, begun: list[tuple[OutputBlock, list[Download]]], done: int, total: int) -> Iterator[Block]:
        for block, downloads in begun:
            channels = []
            for download in downloads:
                try:
                    values = download.wait()
                except RuntimeError as error:  # what went wrong on a GPU is only known when somebody waits for it
                    raise self._failure(block.source, error) from error
                if values is None:
                    raise self._failure(block.source, None)
                channels.append(values)
            yield from self._goal.blocks(block.box, channels, done, total)
