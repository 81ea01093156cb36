"""Running a plan: read once per volume, prepare once per kind of model, tile by tile, block by block.

Three things go on at the same time: the next volume is read and measured while a volume is predicted, the next strip is
prepared while the network works, and what it gave is resampled and used while it works on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch

from napari_mito_predict.errors import ImageContentError, InsufficientMemoryError
from napari_mito_predict.image import Finding, Level, check_volume
from napari_mito_predict.prediction.ahead import ahead
from napari_mito_predict.prediction.assembly import Assembly
from napari_mito_predict.prediction.blocks import plan_blocks
from napari_mito_predict.prediction.compute import Computation, Pieces
from napari_mito_predict.prediction.look import Look, tile_of
from napari_mito_predict.prediction.prepare import KnownStatistics, Prepared, prepare
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.volumes import Layout, Subject, Volume

if TYPE_CHECKING:
    import numpy as np

    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.result import Block

OnProgress = Callable[[int, int, str], object]
Cancel = Callable[[], bool]
T = TypeVar("T")


class Ready(NamedTuple):
    """A volume, prepared for the models that take it alike."""

    volume: Volume
    jobs: list[Job]
    prepared: Prepared


class Computed(NamedTuple):
    """What the network gave for a tile, where it goes, and how far everything was then."""

    assembly: Assembly
    pieces: Pieces
    done: int
    total: int

    def blocks(self) -> Iterator[Block]:
        """The blocks that are complete now."""
        return self.assembly.add(self.pieces, self.done, self.total)


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
    computed : callable
        Takes a job and the device that computed a part of it.
    on_progress, cancel : callable or None
        See `napari_mito_predict.prediction.predict`.
    look : Look or None
        What to predict first.
    known : KnownStatistics or None
        What need not be measured again.
    """

    def __init__(
        self,
        subject: Subject,
        jobs: list[Job],
        device: Device,
        note: Callable[[Finding], None],
        computed: Callable[[Job, Device], None],
        on_progress: OnProgress | None = None,
        cancel: Cancel | None = None,
        look: Look | None = None,
        known: KnownStatistics | None = None,
    ) -> None:
        self._subject = subject
        self._jobs = jobs
        self._note = note
        self._look = look
        self._known = known
        self._on_progress = on_progress or (lambda done, total, message: None)
        self._cancel = cancel or (lambda: False)
        self._closed = False
        total = sum(job.passes * len(job.grid) * len(subject.volumes(job.layout)) for job in jobs)
        self._work = Computation(device, subject.image.name, total, note, computed, self._report, self._cancelled)

    def blocks(self) -> Iterator[Block]:
        """All blocks of all outputs, after those that are looked at."""
        return self._released(self._all())

    def first(self) -> Iterator[Block]:
        """What is looked at and the planes around it; all of a volume that is small or cannot be had in parts."""
        return self._released(self._looked_at())

    def measure(self) -> None:
        """Find out the statistics of the volume that is looked at."""
        for _ in self._released(self._ready(only_looked_at=True)):
            pass

    def _released(self, made: Iterator[T]) -> Iterator[T]:
        """The same; releases everything when it ends, fails, or is closed early."""
        try:
            yield from made
        except MemoryError as error:  # of numpy: the image itself, not the network
            raise InsufficientMemoryError(
                f"{self._subject.image.name} is too large to prepare in the memory that is free ({error}). Crop it, or "
                "close other programs."
            ) from error
        finally:
            self._work.close()

    def _all(self) -> Iterator[Block]:
        with closing(ahead(self._computed(), self._close)) as computed:
            for each in computed:
                yield from each.blocks()

    def _looked_at(self) -> Iterator[Block]:
        for volume, jobs, prepared in self._ready(only_looked_at=True):
            for job in jobs:
                first = self._first(job, volume, prepared, deep=True)
                for each in [first] if first else self._tiles(job, volume, prepared):
                    yield from each.blocks()

    def _computed(self) -> Generator[Computed]:
        with closing(ahead(self._ready(), self._close)) as ready:
            for volume, jobs, prepared in ready:
                looked_at = (self._first(job, volume, prepared, deep=False) for job in jobs)
                yield from (each for each in looked_at if each)
                if len(jobs) > 1:
                    prepared.resample_once(torch.get_num_threads())
                for job in jobs:
                    yield from self._tiles(job, volume, prepared)

    def _ready(self, *, only_looked_at: bool = False) -> Generator[Ready]:
        """All volumes, the one that is looked at before the others; or no other."""
        for series in (False, True):
            jobs = [job for job in self._jobs if (job.layout is Layout.SERIES) == series]
            volumes = self._subject.volumes(jobs[0].layout) if jobs else []
            looked_at = [volume for volume in volumes if self._look and self._look.is_at(volume)]
            others = [] if only_looked_at else [volume for volume in volumes if volume not in looked_at]
            for volume in (*looked_at, *others):
                raw = self._read(volume, jobs, several=len(volumes) > 1)
                for alike in _alike(jobs):
                    yield Ready(volume, alike, self._prepare(raw, volume, alike[0]))

    def _read(self, volume: Volume, jobs: list[Job], *, several: bool) -> np.ndarray:
        self._work.check_cancelled()
        self._report(f"Reading {volume.where}")
        raw = volume.read(self._subject, self._work.check_cancelled)
        flat = all(job.layout is Layout.PLANES for job in jobs)
        for finding in check_volume(raw, where=volume.where if several else ""):
            if finding.level is Level.ERROR:
                raise ImageContentError(f"{self._subject.image.name}: {finding.message} {finding.fix}".rstrip())
            if not (flat and finding.code == "too-thin"):
                self._note(finding)
        return raw

    def _prepare(self, raw: np.ndarray, volume: Volume, job: Job) -> Prepared:
        """The volume as `job` takes it, and all that are alike."""
        self._work.check_cancelled()
        self._report(f"Preparing {volume.where}")
        where = f"{self._subject.image.name}, {volume.where}"
        return prepare(raw, job, where=where, known=self._known, threads=torch.get_num_threads())

    def _first(self, job: Job, volume: Volume, prepared: Prepared, *, deep: bool) -> Computed | None:
        """What is looked at; it comes again with its strip or tile."""
        if self._look is None or not self._look.is_at(volume):
            return None
        back = self._back(job)
        first = tile_of(self._look, job, volume, back, deep=deep)
        if first is None:
            return None
        self._work.total += 1
        pieces = self._work.tile(job, prepared, first.tile)
        assembly = Assembly(job, volume, self._subject, back, [first.block])
        return Computed(assembly, pieces, self._work.done, self._work.total)

    def _tiles(self, job: Job, volume: Volume, prepared: Prepared) -> Iterator[Computed]:
        back = self._back(job)
        assembly = Assembly(job, volume, self._subject, back, plan_blocks(job.grid, back))
        for pieces in self._work.tiles(job, prepared):
            yield Computed(assembly, pieces, self._work.done, self._work.total)

    def _back(self, job: Job) -> Resampling:
        """From the grid of `job` to that of the image."""
        return Resampling.between(job.shape, self._subject.volume_shape(job.layout))

    def _cancelled(self) -> bool:
        return self._closed or self._cancel()

    def _close(self) -> None:
        """Whoever took the blocks wants no more: let what is under way end."""
        self._closed = True

    def _report(self, message: str) -> None:
        self._on_progress(self._work.done, self._work.total, message)


def _alike(jobs: list[Job]) -> Iterator[list[Job]]:
    """Those together that take the same prepared input."""
    while jobs:
        alike = [job for job in jobs if job.prepared_like(jobs[0])]
        jobs = [job for job in jobs if not job.prepared_like(alike[0])]
        yield alike
