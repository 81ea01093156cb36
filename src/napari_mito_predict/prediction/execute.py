"""Running a plan: read once per volume, prepare once per kind of model, tile by tile, block by block.

Three things go on at the same time: the next volume is read while a volume is predicted, the next strip is prepared
while the network works, and what it gave is resampled and used while it works on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from napari_mito_predict.errors import ImageContentError, InsufficientMemoryError
from napari_mito_predict.image import Finding, Level, check_volume
from napari_mito_predict.prediction.ahead import ahead
from napari_mito_predict.prediction.assembly import Assembly
from napari_mito_predict.prediction.blocks import plan_blocks
from napari_mito_predict.prediction.compute import Computation
from napari_mito_predict.prediction.look import Look, tile_of
from napari_mito_predict.prediction.prepare import KnownStatistics, Prepared, measured, prepare
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.volumes import Layout, Subject, Volume

if TYPE_CHECKING:
    import numpy as np

    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.normalize import Statistics
    from napari_mito_predict.prediction.result import Block

OnProgress = Callable[[int, int, str], object]
Cancel = Callable[[], bool]
T = TypeVar("T")


@dataclass(frozen=True)
class Reading:
    """A volume as it was read, and the models that take it."""

    volume: Volume
    jobs: list[Job]
    raw: np.ndarray


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
        self._work = Computation(device, subject.image.name, total, note, self._report, self._cancelled)

    def blocks(self) -> Iterator[Block]:
        """All blocks of all outputs, after those that are looked at."""
        return self._released(self._all())

    def first(self) -> Iterator[Block]:
        """What is looked at, as soon as it can be; all of a volume that is small or cannot be had in parts."""
        return self._released(self._looked_at())

    def measure(self) -> None:
        """Find out the statistics of the volume that is looked at."""
        for _ in self._released(self._measured()):
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
        with closing(ahead(self._readings(), self._close)) as readings:
            for reading in readings:
                for jobs in _alike(reading.jobs):
                    prepared = self._prepare(reading, jobs[0])
                    for job in jobs:
                        yield from self._first(job, reading.volume, prepared)
                    if len(jobs) > 1:
                        prepared.resample_once(torch.get_num_threads())
                    for job in jobs:
                        yield from self._predict(job, reading.volume, prepared)

    def _looked_at(self) -> Iterator[Block]:
        for reading in self._readings(only_looked_at=True):
            for jobs in _alike(reading.jobs):
                prepared = self._prepare(reading, jobs[0])
                for job in jobs:
                    blocks = list(self._first(job, reading.volume, prepared))
                    yield from blocks or self._predict(job, reading.volume, prepared)

    def _measured(self) -> Iterator[Statistics]:
        for reading in self._readings(only_looked_at=True):
            for jobs in _alike(reading.jobs):
                yield measured(reading.raw, jobs[0], **self._preparing(reading))[0]

    def _readings(self, *, only_looked_at: bool = False) -> Generator[Reading]:
        """All volumes, the one that is looked at before the others; or no other."""
        for series in (False, True):
            jobs = [job for job in self._jobs if (job.layout is Layout.SERIES) == series]
            volumes = self._subject.volumes(jobs[0].layout) if jobs else []
            looked_at = [volume for volume in volumes if self._look and self._look.is_at(volume)]
            others = [] if only_looked_at else [volume for volume in volumes if volume not in looked_at]
            for volume in (*looked_at, *others):
                yield Reading(volume, jobs, self._read(volume, jobs, several=len(volumes) > 1))

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

    def _prepare(self, reading: Reading, job: Job) -> Prepared:
        """The volume as `job` takes it, and all that are alike."""
        return prepare(reading.raw, job, **self._preparing(reading))

    def _preparing(self, reading: Reading) -> dict[str, Any]:
        self._work.check_cancelled()
        self._report(f"Preparing {reading.volume.where}")
        where = f"{self._subject.image.name}, {reading.volume.where}"
        return {"where": where, "known": self._known, "threads": torch.get_num_threads()}

    def _first(self, job: Job, volume: Volume, prepared: Prepared) -> Iterator[Block]:
        """What is looked at; it comes again with its strip or tile."""
        back = Resampling.between(job.shape, self._subject.volume_shape(job.layout))
        first = tile_of(self._look, job, volume, back) if self._look and self._look.is_at(volume) else None
        if first is None:
            return
        assembly = Assembly(job, volume, self._subject, back)
        self._work.total += 1
        for piece, output in self._work.tile(job, prepared, first.tile):
            assembly.put(piece, output)
        yield from assembly.blocks(first.box, first.source, self._work)

    def _predict(self, job: Job, volume: Volume, prepared: Prepared) -> Iterator[Block]:
        back = Resampling.between(job.shape, self._subject.volume_shape(job.layout))
        assembly = Assembly(job, volume, self._subject, back)
        waiting = [(block, set(block.tiles)) for block in plan_blocks(job.grid, back)]
        with closing(ahead(self._work.tiles(job, prepared), self._close)) as computed:
            for pieces in computed:
                for piece, output in pieces:
                    assembly.put(piece, output)
                for _, missing in waiting:
                    missing.discard(pieces[0][0].index)
                ready = [block for block, missing in waiting if not missing]
                waiting = [entry for entry in waiting if entry[1]]
                for block in ready:
                    yield from assembly.blocks(block.box, block.source, self._work)

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
