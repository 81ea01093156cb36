"""Running a plan: read once per volume, prepare once per kind of model, tile by tile, block by block."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import ImageContentError, InsufficientMemoryError, PredictionCancelled, PredictionError
from napari_mito_predict.image import Finding, Level, check_volume
from napari_mito_predict.prediction.blocks import plan_blocks
from napari_mito_predict.prediction.context import FieldContexts, core_within, in_parts
from napari_mito_predict.prediction.device import Device, choose_device
from napari_mito_predict.prediction.forward import Forward
from napari_mito_predict.prediction.normalize import as_float, measure, normalise
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.result import Block
from napari_mito_predict.prediction.tiles import Tile, TileGrid, voxels
from napari_mito_predict.prediction.volumes import Layout, Subject, Volume
from napari_mito_predict.prediction.windows import put, window_of

if TYPE_CHECKING:
    from napari_mito_predict.models import Model

OnProgress = Callable[[int, int, str], object]
Cancel = Callable[[], bool]


@dataclass(frozen=True)
class Job:
    """One model's share of a plan.

    Attributes
    ----------
    model : Model
        What to apply.
    keys : tuple of str
        Keys of its outputs, in the order of the network's channels.
    layout : Layout
        How it takes the third axis.
    shape : tuple of int
        (D, Y, X) of its volumes at the model's voxel size.
    grid : TileGrid
        The tiles of each volume.
    """

    model: Model
    keys: tuple[str, ...]
    layout: Layout
    shape: tuple[int, int, int]
    grid: TileGrid

    @property
    def flat(self) -> bool:
        """Whether the network takes each plane by itself."""
        return self.model.network.ndim == 2

    @property
    def in_parts(self) -> bool:
        """Whether the network looks at the whole field, but gets tiles of it."""
        return self.model.network.contexts != 0 and any(axis.divided for axis in self.grid.axes[self.flat :])

    @property
    def passes(self) -> int:
        """How many times the tiles are gone through."""
        return 1 + (self.model.network.contexts or 0) if self.in_parts else 1

    def prepared_like(self, other: Job) -> bool:
        """Whether both take the same prepared input."""
        mine, others = self.model.card.input.normalisation, other.model.card.input.normalisation
        return self.shape == other.shape and mine == others


class Execution:
    """The state of one run.

    Parameters
    ----------
    subject : Subject
        What is predicted from.
    jobs : list of Job
        The models.
    device : Device
        Where.
    note : callable
        Takes findings made on the way.
    on_progress, cancel : callable or None
        See `napari_mito_predict.prediction.predict`.
    """

    def __init__(
        self,
        subject: Subject,
        jobs: list[Job],
        device: Device,
        note: Callable[[Finding], None],
        on_progress: OnProgress | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        self._subject = subject
        self._jobs = jobs
        self._device = device
        self._note = note
        self._on_progress = on_progress or (lambda done, total, message: None)
        self._cancelled = cancel or (lambda: False)
        self._networks: dict[int, Forward] = {}
        self._too_large: float = inf  # voxels of a window that did not fit into memory
        self._too_large_held: float = inf  # the same of strips, with what waits between them
        self._done = 0
        self._total = sum(job.passes * len(job.grid) * len(subject.volumes(job.layout)) for job in jobs)

    def blocks(self) -> Iterator[Block]:
        """All blocks of all outputs; releases everything when it ends, fails, or is closed early."""
        try:
            for volume, jobs in self._volumes():
                raw = self._read(volume, jobs)
                while jobs:
                    alike = [job for job in jobs if job.prepared_like(jobs[0])]
                    jobs = [job for job in jobs if not job.prepared_like(alike[0])]
                    prepared = self._prepare(raw, volume, alike[0])
                    for job in alike:
                        yield from self._predict(job, volume, prepared)
        except MemoryError as error:  # of numpy: the image itself, not the network
            raise InsufficientMemoryError(
                f"{self._subject.image.name} is too large to prepare in the memory that is free ({error}). Crop it, or "
                "close other programs."
            ) from error
        finally:
            for network in self._networks.values():
                network.close()
            self._networks.clear()

    def _volumes(self) -> Iterator[tuple[Volume, list[Job]]]:
        for series in (False, True):
            jobs = [job for job in self._jobs if (job.layout is Layout.SERIES) == series]
            if jobs:
                for volume in self._subject.volumes(jobs[0].layout):
                    yield volume, jobs

    def _read(self, volume: Volume, jobs: list[Job]) -> np.ndarray:
        self._check_cancelled()
        self._report(f"Reading {volume.where}")
        raw = volume.read(self._subject, self._check_cancelled)
        name = self._subject.image.name
        several = len(self._subject.volumes(jobs[0].layout)) > 1
        flat = all(job.layout is Layout.PLANES for job in jobs)
        for finding in check_volume(raw, where=volume.where if several else ""):
            if finding.level is Level.ERROR:
                raise ImageContentError(f"{name}: {finding.message} {finding.fix}".rstrip())
            if not (flat and finding.code == "too-thin"):
                self._note(finding)
        return raw

    def _prepare(self, raw: np.ndarray, volume: Volume, job: Job) -> np.ndarray:
        """At the model's voxel size, normalised by statistics of the whole volume: float32."""
        self._check_cancelled()
        self._report(f"Preparing {volume.where}")
        resampled = Resampling.between(raw.shape, job.shape).whole(as_float(raw))
        where = f"{self._subject.image.name}, {volume.where}"
        return normalise(resampled, measure(resampled, job.model.card.input.normalisation, where=where))

    def _predict(self, job: Job, volume: Volume, prepared: np.ndarray) -> Iterator[Block]:
        back = Resampling.between(job.shape, self._subject.volume_shape(job.layout))
        result = np.zeros((len(job.keys), *job.shape), np.float32)
        waiting = [(block, set(block.tiles)) for block in plan_blocks(job.grid, back)]
        contexts = FieldContexts(job.grid, flat=job.flat, needed=job.model.network.contexts)

        def predicted(piece: Tile) -> np.ndarray | None:
            if contexts.wanted(piece):
                self._look_around(job, piece, prepared, contexts)
            return self._apply(job, piece, prepared, lambda network, window: network(window, contexts.of(piece)))

        for pieces in self._in_order(job, prepared, predicted):
            for piece, output in pieces:
                put(result, job.grid, piece, output)
                self._did(job)
                index = piece.index
            for _, missing in waiting:
                missing.discard(index)
            ready = [block for block, missing in waiting if not missing]
            waiting = [entry for entry in waiting if entry[1]]
            for block in ready:
                source = tuple(span.slice for span in block.source)
                for key, channel in zip(job.keys, result, strict=True):
                    data = back.block(channel[source], block.source, block.box)
                    t, slices, data = volume.place(self._subject, block.box, data)
                    yield Block(key, t, slices, data, self._done, self._total)

    def _look_around(self, job: Job, piece: Tile, prepared: np.ndarray, contexts: FieldContexts) -> None:
        """Take the averages that the network needs of the field around `piece`, which it does not see."""

        def held(part: Tile) -> np.ndarray | None:
            core, given = core_within(part, job.flat), contexts.of(part)
            return self._apply(job, part, prepared, lambda network, window: network.context(window, core, given))

        for tiles, average in contexts.passes(piece):
            if not job.in_parts:  # it was to be done in one piece, but memory ran out
                self._total += len(tiles)
            for tile in tiles:
                for part, context in self._pieces(job, tile, held):
                    average.add(part, context)
                    self._did(job)

    def _in_order(
        self, job: Job, prepared: np.ndarray, compute: Callable[[Tile], np.ndarray | None]
    ) -> Iterator[Iterable[tuple[Tile, np.ndarray]]]:
        """All tiles of a volume, each in one or more pieces."""
        for band in job.grid.bands():
            left = band
            if job.grid.streamed is not None and job.grid.held < self._too_large_held:
                for tile, output in self._strips(job, band, prepared, job.grid.streamed):
                    yield [(tile, output)]
                    left = left[1:]
            for tile in left:  # all of them, or those for which memory did not suffice
                yield self._pieces(job, job.grid.alone(tile), compute)

    def _strips(self, job: Job, band: list[Tile], prepared: np.ndarray, axis: int) -> Iterator[tuple[Tile, np.ndarray]]:
        """Strips when they are complete, which is later than they are read; ends early when memory runs out."""
        waiting, rows = deque(band), np.empty(0, np.float32)
        push = self._network(job).strips(axis)

        def take(network: Forward, window: np.ndarray) -> np.ndarray | None:
            return push(window, tile is band[-1])

        for tile in band:
            output = self._apply(job, tile, prepared, take)
            if output is None:
                self._too_large_held = job.grid.held
                self._note_smaller()
                return
            rows = np.concatenate((rows, output), axis + 1) if rows.size else output
            while waiting and waiting[0].kept[axis].size <= rows.shape[axis + 1]:
                done = waiting.popleft()
                complete, rows = np.split(rows, [done.kept[axis].size], axis + 1)
                yield done, complete

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
                    yield piece, output
                    continue
                self._too_large = voxels(piece.read)
            halves = job.grid.split(piece)
            if halves is not None:
                left += reversed(halves)
                self._total += 1
                self._note_smaller()
                if job.model.network.contexts is None:
                    self._note(in_parts(job.model.name))
            else:
                self._fall_back(job)
                left.append(piece)

    def _apply(
        self, job: Job, piece: Tile, prepared: np.ndarray, ask: Callable[[Forward, np.ndarray], np.ndarray | None]
    ) -> np.ndarray | None:
        self._check_cancelled()
        try:
            return ask(self._network(job), window_of(prepared, job.grid, piece.read))
        except PredictionError as error:
            first = [max(0, span.start - axis.before) for span, axis in zip(piece.kept, job.grid.axes, strict=True)]
            place = ", ".join(f"{axis} {start}" for axis, start in zip("zyx", first, strict=True))
            message = f"{error} It happened in the part of {self._subject.image.name} that begins at {place}."
            raise type(error)(message) from error.__cause__

    def _network(self, job: Job) -> Forward:
        if id(job) not in self._networks:
            made = Forward(job.model.network, self._device, self._cancelled, name=job.model.name)
            self._networks[id(job)] = made
        return self._networks[id(job)]

    def _did(self, job: Job) -> None:
        self._done += 1
        self._report(f"{', '.join(job.model.targets)} ({job.model.name})")

    def _note_smaller(self) -> None:
        message = f"Memory on {self._device.name} ran out: going on in smaller parts, which takes longer."
        self._note(Finding(Level.WARNING, "smaller-parts", message, "Close other programs that use memory."))
        self._report(message)

    def _fall_back(self, job: Job) -> None:
        """From a GPU to the processor, when even the smallest part does not fit."""
        if self._device.kind == "cpu":
            raise InsufficientMemoryError(
                f"{job.model.name} needs more memory than is free, even in the smallest parts. Close other programs, "
                "crop the image, or use a smaller model."
            )
        for network in self._networks.values():
            network.close()
        self._networks.clear()
        lost, self._too_large, self._too_large_held = self._device.name, inf, inf
        chosen = choose_device("cpu", "32" if self._device.precision == "32" else "auto")
        self._device = replace(chosen, reason=f"memory of {lost} ran out")
        message = f"Memory of {lost} is too small even for the smallest part: going on with the processor, more slowly."
        self._note(Finding(Level.WARNING, "processor-instead", message, "Close other programs that use the GPU."))
        self._report(message)

    def _check_cancelled(self) -> None:
        if self._cancelled():
            raise PredictionCancelled("Cancelled; nothing was written.")

    def _report(self, message: str) -> None:
        self._on_progress(self._done, self._total, message)
