"""The networks at work: tile by tile or strip by strip, in smaller parts where memory runs out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_mito_predict.errors import InsufficientMemoryError, PredictionError
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.prediction.context import FieldContexts, core_within, in_parts
from napari_mito_predict.prediction.device import Device, choose_device
from napari_mito_predict.prediction.forward import Forward
from napari_mito_predict.prediction.prefetch import prefetch
from napari_mito_predict.prediction.tiles import Box, Tile, voxels

if TYPE_CHECKING:
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.on_device import DeviceStore
    from napari_mito_predict.prediction.prepare import PreparedVolume
    from napari_mito_predict.prediction.run_state import RunState

Pieces = list[tuple[Tile, Tensor]]
"""Tiles with the network's output (targets, D, Y, X), float32, over what they keep; see `Computation.tiles`."""


class Computation:
    """The networks of one run, and what is known of the memory they need.

    Parameters
    ----------
    device : Device
        Where to compute.
    image_name : str
        For messages.
    state : RunState
        Told what was computed and found; says whether to stop.
    store : DeviceStore
        What lies on the device beside the networks, and makes room where memory runs out.
    """

    def __init__(self, device: Device, image_name: str, state: RunState, store: DeviceStore) -> None:
        self._device = device
        self._image_name = image_name
        self._state = state
        self._store = store
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

    def tiles(self, job: Job, prepared: PreparedVolume) -> Generator[Pieces]:
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

    def extra_tile(self, job: Job, prepared: PreparedVolume, tile: Tile) -> Pieces:
        """A tile by itself, beside those of the grid."""
        self._state.total += 1
        return list(self._pieces(job, tile, self._predictor(job, prepared)))

    def _predictor(self, job: Job, prepared: PreparedVolume) -> Callable[[Tile], Tensor | None]:
        """What predicts a piece of this volume: output (targets, D, Y, X) of what it keeps; None without memory."""
        contexts = FieldContexts(job.grid, flat=job.flat, needed=job.model.network.contexts)

        def predict(piece: Tile) -> Tensor | None:
            if contexts.wanted(piece):
                self._take_averages(job, piece, prepared, contexts)
            window = prepared.window(job.grid, piece.read)
            compute = partial(self._network(job), window, piece.kept_of_read, contexts.of(piece))
            return self._apply(job, piece, compute, stays=prepared.on_device)

        return predict

    def _take_averages(self, job: Job, piece: Tile, prepared: PreparedVolume, contexts: FieldContexts) -> None:
        """Take the averages that the network needs of the field around `piece`, which it does not see."""

        def contribution(part: Tile) -> Tensor | None:
            core, given = core_within(part, job.flat), contexts.of(part)
            window = prepared.window(job.grid, part.read)
            # The average is summed up in main memory, wherever the volume lies.
            return self._apply(job, part, partial(self._network(job).context, window, core, given), stays=False)

        for tiles, average in contexts.passes(piece):
            if not job.in_parts:  # it was to be done in one piece, but memory ran out
                self._state.total += len(tiles)
            for tile in tiles:
                for part, context in self._pieces(job, tile, contribution):
                    average.add(part, context.numpy())

    def _strips(self, job: Job, prepared: PreparedVolume, band: list[Tile], axis: int) -> Iterator[tuple[Tile, Tensor]]:
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
                compute = partial(push, window, tile is band[-1])
                rows = self._apply(job, tile, compute, stays=prepared.on_device)
                if rows is None:
                    if not self._store.evict():  # or else there is more room for the strips of the next band
                        self._too_large_strips = job.grid.held
                    self._note_smaller(job)
                    return
                for strip in unfinished.add(rows[:, *kept]):
                    self._count(job)
                    yield strip

    def _pieces(self, job: Job, tile: Tile, compute: Callable[[Tile], Tensor | None]) -> Iterator[tuple[Tile, Tensor]]:
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
                self._state.total += 1
                self._note_smaller(job)
                if job.model.network.contexts is None:
                    self._state.note(in_parts(job.model.name))
            else:
                self._fall_back(job)
                left.append(piece)

    def _attempt(self, piece: Tile, compute: Callable[[Tile], Tensor | None]) -> Tensor | None:
        """Output for `piece`, or None where its window is too large for the memory, as is known or found out now."""
        size = voxels(piece.read)
        if size >= self._too_large:
            return None
        output = compute(piece)
        if output is None and self._store.evict():
            output = compute(piece)
        if output is None:
            self._too_large = size
        return output

    def _apply(self, job: Job, piece: Tile, compute: Callable[[], Tensor | None], *, stays: bool) -> Tensor | None:
        """What `compute` gives by the network of `job`; its errors say where in the image they happened.

        In main memory, and finite; or, if it `stays`, on the device, where it is checked when it is fetched.
        """
        self._state.check_cancelled()
        try:
            output = compute()
            if output is None or stays:
                return output
            return self._network(job).to_host(output)
        except PredictionError as error:
            raise self._located(error, job.place_of(piece)) from error.__cause__

    def failure(self, job: Job, box: Box, error: BaseException | None) -> PredictionError:
        """What torch complains of about the part `box` of the model's grid, or else that the output is not finite."""
        network = self._network(job)
        return self._located(network.not_finite() if error is None else network.explained(error), box)

    def _located(self, error: PredictionError, box: Box) -> PredictionError:
        """The same error, saying where it happened."""
        place = ", ".join(f"{axis} {span.start}" for axis, span in zip("zyx", box, strict=True))
        return type(error)(f"{error} It happened in the part of {self._image_name} that begins at {place}.")

    def _network(self, job: Job) -> Forward:
        """The network of `job` on the device of now; made when it is first asked for."""
        name = job.model.name
        if name not in self._networks:
            self._networks[name] = Forward(job.model.network, self._device, self._state.should_stop, name=name)
        return self._networks[name]

    def _count(self, job: Job) -> None:
        """One more tile or strip is done: say so, and with what."""
        self._state.count(job, self._device)
        if self._fallen_back_from:
            message = (
                f"Memory of {self._fallen_back_from} is too small even for the smallest part: going on with the "
                "processor, more slowly."
            )
            fix = "Close other programs that use the GPU."
            self._state.note(Finding(Level.WARNING, "processor-instead", message, fix, model=job.model.name))
        self._state.report(f"{', '.join(job.model.targets)} ({job.model.name})")

    def _note_smaller(self, job: Job) -> None:
        message = f"Memory on {self._device.name} ran out: going on in smaller parts, which takes longer."
        fix = "Close other programs that use memory."
        self._state.note(Finding(Level.WARNING, "smaller-parts", message, fix, model=job.model.name))
        self._state.report(message)

    def _fall_back(self, job: Job) -> None:
        """Go from a GPU to the processor, when even the smallest part does not fit."""
        if self._device.kind == "cpu":
            raise InsufficientMemoryError(
                f"{job.model.name} needs more memory than is free, even in the smallest parts. Close other programs, "
                "crop the image, or use a smaller model."
            )
        self._store.evict()
        self.close()
        lost = self._device.name
        self._fallen_back_from = lost
        self._too_large = self._too_large_strips = inf  # what was known was about the GPU
        # Single precision stays single; any other was the GPU's, and the processor may be good at another, or at none.
        precision = "32" if self._device.precision == "32" else "auto"
        chosen = choose_device("cpu", precision)
        self._device = replace(chosen, reason=f"memory of {lost} ran out")
        self._state.report(f"Memory of {lost} is too small: going on with the processor, more slowly.")


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
        self._rows: Tensor | None = None

    def add(self, rows: Tensor) -> Iterator[tuple[Tile, Tensor]]:
        """Take the next rows (targets, D, Y, X), maybe none; give the strips that are complete now."""
        dim = self._axis + 1  # behind the targets
        if self._rows is not None:
            rows = torch.cat((self._rows, rows), dim)
        while self._band and self._band[0].kept[self._axis].size <= rows.shape[dim]:
            tile = self._band.popleft()
            size = tile.kept[self._axis].size
            yield tile, rows.narrow(dim, 0, size)
            rows = rows.narrow(dim, size, rows.shape[dim] - size)
        self._rows = rows if rows.shape[dim] else None
