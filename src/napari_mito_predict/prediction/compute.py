"""The networks at work: tile by tile or strip by strip, in smaller parts where memory runs out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import InsufficientMemoryError, PredictionCancelled, PredictionError
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.prediction.context import FieldContexts, core_within, in_parts
from napari_mito_predict.prediction.device import Device, choose_device
from napari_mito_predict.prediction.forward import Forward
from napari_mito_predict.prediction.prefetch import prefetch
from napari_mito_predict.prediction.tiles import Tile, voxels

if TYPE_CHECKING:
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.prepare import Prepared

Pieces = list[tuple[Tile, np.ndarray]]
"""Tiles with the network's output (targets, D, Y, X) over what they keep."""


class Computation:
    """The networks of one run, what is known of the memory they need, and how far they are.

    Parameters
    ----------
    device : Device
        Where to compute.
    image_name : str
        For messages.
    total : int
        Tiles to be computed, as far as is known before.
    note : callable
        Takes findings made on the way.
    computed : callable
        Takes a job and the device that computed a part of it.
    report : callable
        Takes a message when something was done.
    should_stop : callable
        Asked before every layer.

    Attributes
    ----------
    done, total : int
        Tiles that are computed, and tiles in all; more of them where memory runs out.
    """

    def __init__(
        self,
        device: Device,
        image_name: str,
        total: int,
        note: Callable[[Finding], None],
        computed: Callable[[Job, Device], None],
        report: Callable[[str], None],
        should_stop: Callable[[], bool],
    ) -> None:
        self.done = 0
        self.total = total
        self._device = device
        self._image_name = image_name
        self._note = note
        self._computed = computed
        self._report = report
        self._should_stop = should_stop
        self._networks: dict[str, Forward] = {}  # by the names of their models, shared by all views of a job
        self._fallen_back_from = ""  # name of the device whose memory was too small
        # Nothing is known to be too large, until something does not fit into memory.
        self._too_large: float = inf  # voxels of a window
        self._too_large_strips: float = inf  # voxels that strips hold, see `TileGrid.held`

    def close(self) -> None:
        """Release all networks and what they hold on the device."""
        for network in self._networks.values():
            network.close()
        self._networks.clear()

    def check_cancelled(self) -> None:
        """Raise `PredictionCancelled` if the run should stop."""
        if self._should_stop():
            raise PredictionCancelled("Cancelled; nothing was written.")

    def tiles(self, job: Job, prepared: Prepared) -> Generator[Pieces]:
        """All tiles of a volume in the order of the grid, each in one or more pieces."""
        predict = self._predictor(job, prepared)
        for band in job.grid.bands():
            left = band
            if job.grid.streamed is not None and job.grid.held < self._too_large_strips:
                for strip in self._strips(job, prepared, band, job.grid.streamed):
                    yield [strip]
                    left = left[1:]
            for tile in left:  # all of them, or those for which memory did not suffice
                yield list(self._pieces(job, job.grid.alone(tile), predict))

    def extra_tile(self, job: Job, prepared: Prepared, tile: Tile) -> Pieces:
        """A tile by itself, beside those of the grid."""
        self.total += 1
        return list(self._pieces(job, tile, self._predictor(job, prepared)))

    def _predictor(self, job: Job, prepared: Prepared) -> Callable[[Tile], np.ndarray | None]:
        """What predicts a piece of this volume: output (targets, D, Y, X) of what it keeps; None without memory."""
        contexts = FieldContexts(job.grid, flat=job.flat, needed=job.model.network.contexts)

        def predict(piece: Tile) -> np.ndarray | None:
            if contexts.wanted(piece):
                self._take_averages(job, piece, prepared, contexts)
            window = prepared.window(job.grid, piece.read)
            return self._apply(job, piece, lambda: self._network(job)(window, piece.kept_of_read, contexts.of(piece)))

        return predict

    def _take_averages(self, job: Job, piece: Tile, prepared: Prepared, contexts: FieldContexts) -> None:
        """Take the averages that the network needs of the field around `piece`, which it does not see."""

        def contribution(part: Tile) -> np.ndarray | None:
            core, given = core_within(part, job.flat), contexts.of(part)
            window = prepared.window(job.grid, part.read)
            return self._apply(job, part, lambda: self._network(job).context(window, core, given))

        for tiles, average in contexts.passes(piece):
            if not job.in_parts:  # it was to be done in one piece, but memory ran out
                self.total += len(tiles)
            for tile in tiles:
                for part, context in self._pieces(job, tile, contribution):
                    average.add(part, context)

    def _strips(self, job: Job, prepared: Prepared, band: list[Tile], axis: int) -> Iterator[tuple[Tile, np.ndarray]]:
        """Strips of one band when they are complete, which is later than they are read.

        Ends early when memory runs out: the strips that were not given by then are left to do in another way.
        """
        # Across the streamed axis a band keeps a part of what it reads; along that axis all rows are kept.
        kept = [span.slice for span in band[0].kept_of_read]
        kept[axis] = slice(None)
        unfinished = _UnfinishedStrips(band, axis)
        push = self._network(job).strips(axis)
        # The next window is prepared while the network is at work on this one.
        with closing(prefetch(prepared.window(job.grid, tile.read) for tile in band)) as windows:
            for tile, window in zip(band, windows, strict=True):
                rows = self._apply(job, tile, partial(push, window, tile is band[-1]))
                if rows is None:
                    self._too_large_strips = job.grid.held
                    self._note_smaller(job)
                    return
                for strip in unfinished.add(rows[:, *kept]):
                    self._count(job)
                    yield strip

    def _pieces(
        self, job: Job, tile: Tile, compute: Callable[[Tile], np.ndarray | None]
    ) -> Iterator[tuple[Tile, np.ndarray]]:
        """What `compute` makes of `tile`: in one piece, or in several where memory ran out and it gave None."""
        left = [tile]  # a stack: halves are put on it in reverse, and so come in order
        while left:
            piece = left.pop()
            output = self._attempt(piece, compute)
            if output is not None:
                self._count(job)
                yield piece, output
                continue
            halves = job.grid.split(piece)
            if halves is not None:
                left += reversed(halves)
                self.total += 1
                self._note_smaller(job)
                if job.model.network.contexts is None:
                    self._note(in_parts(job.model.name))
            else:
                self._fall_back(job)
                left.append(piece)

    def _attempt(self, piece: Tile, compute: Callable[[Tile], np.ndarray | None]) -> np.ndarray | None:
        """Output for `piece`, or None where its window is too large for the memory, as is known or found out now."""
        size = voxels(piece.read)
        if size >= self._too_large:
            return None
        output = compute(piece)
        if output is None:
            self._too_large = size
        return output

    def _apply(self, job: Job, piece: Tile, compute: Callable[[], np.ndarray | None]) -> np.ndarray | None:
        """What `compute` gives; its errors say where in the image they happened."""
        self.check_cancelled()
        try:
            return compute()
        except PredictionError as error:
            place = ", ".join(f"{axis} {span.start}" for axis, span in zip("zyx", job.place_of(piece), strict=True))
            message = f"{error} It happened in the part of {self._image_name} that begins at {place}."
            raise type(error)(message) from error.__cause__

    def _network(self, job: Job) -> Forward:
        """The network of `job` on the device of now; made when it is first asked for."""
        name = job.model.name
        if name not in self._networks:
            self._networks[name] = Forward(job.model.network, self._device, self._should_stop, name=name)
        return self._networks[name]

    def _count(self, job: Job) -> None:
        """One more tile or strip is done: say so, and with what."""
        self.done += 1
        self._computed(job, self._device)
        if self._fallen_back_from:
            message = (
                f"Memory of {self._fallen_back_from} is too small even for the smallest part: going on with the "
                "processor, more slowly."
            )
            fix = "Close other programs that use the GPU."
            self._note(Finding(Level.WARNING, "processor-instead", message, fix, model=job.model.name))
        self._report(f"{', '.join(job.model.targets)} ({job.model.name})")

    def _note_smaller(self, job: Job) -> None:
        message = f"Memory on {self._device.name} ran out: going on in smaller parts, which takes longer."
        fix = "Close other programs that use memory."
        self._note(Finding(Level.WARNING, "smaller-parts", message, fix, model=job.model.name))
        self._report(message)

    def _fall_back(self, job: Job) -> None:
        """Go from a GPU to the processor, when even the smallest part does not fit."""
        if self._device.kind == "cpu":
            raise InsufficientMemoryError(
                f"{job.model.name} needs more memory than is free, even in the smallest parts. Close other programs, "
                "crop the image, or use a smaller model."
            )
        self.close()
        lost = self._device.name
        self._fallen_back_from = lost
        self._too_large = self._too_large_strips = inf  # what was known was about the GPU
        # Single precision stays single; any other was the GPU's, and the processor may be good at another, or at none.
        precision = "32" if self._device.precision == "32" else "auto"
        chosen = choose_device("cpu", precision)
        self._device = replace(chosen, reason=f"memory of {lost} ran out")
        self._report(f"Memory of {lost} is too small: going on with the processor, more slowly.")


class _UnfinishedStrips:
    """Rows of output as they come, put together into the strips of a band: these end elsewhere.

    Parameters
    ----------
    band : list of Tile
        The strips, in order.
    axis : int
        Of (D, Y, X), along which they follow each other.
    """

    def __init__(self, band: list[Tile], axis: int) -> None:
        self._band = deque(band)
        self._axis = axis
        self._rows = np.empty(0, np.float32)

    def add(self, rows: np.ndarray) -> Iterator[tuple[Tile, np.ndarray]]:
        """Take the next rows (targets, D, Y, X), maybe none; give the strips that are complete now."""
        dim = self._axis + 1  # behind the targets
        if self._rows.size:
            rows = np.concatenate((self._rows, rows), dim)
        self._rows = rows
        while self._band and self._band[0].kept[self._axis].size <= self._rows.shape[dim]:
            tile = self._band.popleft()
            output, self._rows = np.split(self._rows, [tile.kept[self._axis].size], dim)
            yield tile, output
