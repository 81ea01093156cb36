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
from napari_mito_predict.prediction.ahead import ahead
from napari_mito_predict.prediction.context import FieldContexts, core_within, in_parts
from napari_mito_predict.prediction.device import Device, choose_device
from napari_mito_predict.prediction.forward import Forward
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
    cancelled : callable
        Asked before every layer.
    """

    def __init__(
        self,
        device: Device,
        image_name: str,
        total: int,
        note: Callable[[Finding], None],
        computed: Callable[[Job, Device], None],
        report: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self.done, self.total = 0, total
        self._device = device
        self._image_name = image_name
        self._note = note
        self._computed = computed
        self._report = report
        self._cancelled = cancelled
        self._networks: dict[int, Forward] = {}
        self._fallen_back_from = ""  # name of the device whose memory was too small
        self._too_large: float = inf  # voxels of a window that did not fit into memory
        self._too_large_held: float = inf  # the same of strips, with what waits between them

    def close(self) -> None:
        """Release all networks and what they hold on the device."""
        for network in self._networks.values():
            network.close()
        self._networks.clear()

    def check_cancelled(self) -> None:
        """Raise `PredictionCancelled` if so."""
        if self._cancelled():
            raise PredictionCancelled("Cancelled; nothing was written.")

    def tiles(self, job: Job, prepared: Prepared) -> Generator[Pieces]:
        """All tiles of a volume in the order of the grid, each in one or more pieces."""
        compute = self._computing(job, prepared)
        for band in job.grid.bands():
            left = band
            if job.grid.streamed is not None and job.grid.held < self._too_large_held:
                for strip in self._strips(job, prepared, band, job.grid.streamed):
                    yield [strip]
                    left = left[1:]
            for tile in left:  # all of them, or those for which memory did not suffice
                yield list(self._pieces(job, job.grid.alone(tile), compute))

    def tile(self, job: Job, prepared: Prepared, tile: Tile) -> Pieces:
        """A tile by itself."""
        return list(self._pieces(job, tile, self._computing(job, prepared)))

    def _computing(self, job: Job, prepared: Prepared) -> Callable[[Tile], np.ndarray | None]:
        contexts = FieldContexts(job.grid, flat=job.flat, needed=job.model.network.contexts)

        def compute(piece: Tile) -> np.ndarray | None:
            if contexts.wanted(piece):
                self._look_around(job, piece, prepared, contexts)
            window = prepared.window(job.grid, piece.read)
            return self._apply(job, piece, lambda: self._network(job)(window, piece.kept_of_read, contexts.of(piece)))

        return compute

    def _look_around(self, job: Job, piece: Tile, prepared: Prepared, contexts: FieldContexts) -> None:
        """Take the averages that the network needs of the field around `piece`, which it does not see."""

        def held(part: Tile) -> np.ndarray | None:
            core, given = core_within(part, job.flat), contexts.of(part)
            window = prepared.window(job.grid, part.read)
            return self._apply(job, part, lambda: self._network(job).context(window, core, given))

        for tiles, average in contexts.passes(piece):
            if not job.in_parts:  # it was to be done in one piece, but memory ran out
                self.total += len(tiles)
            for tile in tiles:
                for part, context in self._pieces(job, tile, held):
                    average.add(part, context)

    def _strips(self, job: Job, prepared: Prepared, band: list[Tile], axis: int) -> Iterator[tuple[Tile, np.ndarray]]:
        """Strips when they are complete, which is later than they are read; ends early when memory runs out."""
        waiting, rows = deque(band), np.empty(0, np.float32)
        kept = [slice(None) if a == axis else span.slice for a, span in enumerate(band[0].kept_of_read)]
        push = self._network(job).strips(axis)
        with closing(ahead(prepared.window(job.grid, tile.read) for tile in band)) as windows:
            for tile, window in zip(band, windows, strict=True):
                output = self._apply(job, tile, partial(push, window, tile is band[-1]))
                if output is None:
                    self._too_large_held = job.grid.held
                    self._note_smaller(job)
                    return
                output = output[:, *kept]
                rows = np.concatenate((rows, output), axis + 1) if rows.size else output
                while waiting and waiting[0].kept[axis].size <= rows.shape[axis + 1]:
                    complete = waiting.popleft()
                    given, rows = np.split(rows, [complete.kept[axis].size], axis + 1)
                    self._did(job)
                    yield complete, given

    def _pieces(
        self, job: Job, tile: Tile, compute: Callable[[Tile], np.ndarray | None]
    ) -> Iterator[tuple[Tile, np.ndarray]]:
        """What `compute` makes of `tile`: in one piece, or in several where memory ran out and it gave None."""
        left = [tile]
        while left:
            piece = left.pop()
            if voxels(piece.read) < self._too_large:
                output = compute(piece)
                if output is not None:
                    self._did(job)
                    yield piece, output
                    continue
                self._too_large = voxels(piece.read)
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

    def _apply(self, job: Job, piece: Tile, compute: Callable[[], np.ndarray | None]) -> np.ndarray | None:
        self.check_cancelled()
        try:
            return compute()
        except PredictionError as error:
            first = [max(0, span.start - axis.before) for span, axis in zip(piece.kept, job.grid.axes, strict=True)]
            place = ", ".join(f"{axis} {start}" for axis, start in zip("zyx", first, strict=True))
            message = f"{error} It happened in the part of {self._image_name} that begins at {place}."
            raise type(error)(message) from error.__cause__

    def _network(self, job: Job) -> Forward:
        if id(job) not in self._networks:
            made = Forward(job.model.network, self._device, self._cancelled, name=job.model.name)
            self._networks[id(job)] = made
        return self._networks[id(job)]

    def _did(self, job: Job) -> None:
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
        """From a GPU to the processor, when even the smallest part does not fit."""
        if self._device.kind == "cpu":
            raise InsufficientMemoryError(
                f"{job.model.name} needs more memory than is free, even in the smallest parts. Close other programs, "
                "crop the image, or use a smaller model."
            )
        self.close()
        lost, self._too_large, self._too_large_held = self._device.name, inf, inf
        self._fallen_back_from = lost
        chosen = choose_device("cpu", "32" if self._device.precision == "32" else "auto")
        self._device = replace(chosen, reason=f"memory of {lost} ran out")
        self._report(f"Memory of {lost} is too small: going on with the processor, more slowly.")
