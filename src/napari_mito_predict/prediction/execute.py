"""Running a plan: read once per volume, prepare once per kind of model, tile by tile, block by block.

Three things go on at the same time: the next volume is read and measured while a volume is predicted, the next strip is
prepared while the network works, and what it gave is resampled and used while it works on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch

from napari_mito_predict.errors import ImageContentError, InsufficientMemoryError
from napari_mito_predict.image import Finding, Level, check_volume
from napari_mito_predict.prediction.assembly import Assembly
from napari_mito_predict.prediction.blocks import plan_blocks
from napari_mito_predict.prediction.compute import Computation, Pieces
from napari_mito_predict.prediction.prefetch import prefetch
from napari_mito_predict.prediction.prepare import KnownStatistics, Prepared, prepare
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.viewport import Viewport, first_block, tile_of
from napari_mito_predict.prediction.volumes import Layout, Subject, Volume

if TYPE_CHECKING:
    import numpy as np

    from napari_mito_predict.prediction.blocks import OutputBlock
    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.result import Block

OnProgress = Callable[[int, int, str], object]
"""Takes tiles done, tiles in all, and a message."""

Cancel = Callable[[], bool]
"""Says whether to stop."""

T = TypeVar("T")


class Ready(NamedTuple):
    """A volume, prepared for the models that take it alike."""

    volume: Volume
    jobs: list[Job]
    prepared: Prepared


class Computed(NamedTuple):
    """What the network gave for a tile, in which view, where it goes, and how far everything was then."""

    assembly: Assembly
    view: Job
    pieces: Pieces
    done: int
    total: int

    def blocks(self) -> Iterator[Block]:
        """The blocks that are complete now."""
        return self.assembly.add(self.view, self.pieces, self.done, self.total)


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
    viewport : Viewport or None
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
        viewport: Viewport | None = None,
        known: KnownStatistics | None = None,
    ) -> None:
        self._subject = subject
        self._jobs = jobs
        self._note = note
        self._viewport = viewport
        self._known = known
        self._on_progress = on_progress or (lambda done, total, message: None)
        self._cancel = cancel or (lambda: False)
        self._closed = False
        total = sum(job.tiles_per_volume * len(subject.volumes(job.layout)) for job in jobs)
        self._computation = Computation(
            device, subject.image.name, total, note, computed, self._report, self._should_stop
        )

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
        """Pass on what is `made`; release the networks when it ends, fails, or is closed early."""
        try:
            yield from made
        except MemoryError as error:  # of numpy: the image itself, not the network
            raise InsufficientMemoryError(
                f"{self._subject.image.name} is too large to prepare in the memory that is free ({error}). Crop it, or "
                "close other programs."
            ) from error
        finally:
            self._computation.close()

    def _all(self) -> Iterator[Block]:
        """Blocks, made of what was computed while the next tile is computed."""
        with closing(prefetch(self._computed(), self._close)) as computed:
            for each in computed:
                yield from each.blocks()

    def _looked_at(self) -> Iterator[Block]:
        """Blocks of what is looked at; of the whole volume where nothing is saved by a part."""
        for volume, jobs, prepared in self._ready(only_looked_at=True):
            for job in jobs:
                first = self._first(job, volume, prepared, all_planes=True)
                if first is None:
                    _resample_for_all(jobs, prepared)
                for computed in first or self._tiles(job, volume, prepared):
                    yield from computed.blocks()

    def _computed(self) -> Generator[Computed]:
        """All tiles, computed while the next volume is prepared; of each volume first what is looked at."""
        with closing(prefetch(self._ready(), self._close)) as ready:
            for volume, jobs, prepared in ready:
                for job in jobs:
                    yield from self._first(job, volume, prepared, all_planes=False) or ()
                _resample_for_all(jobs, prepared)
                for job in jobs:
                    yield from self._tiles(job, volume, prepared)

    def _ready(self, *, only_looked_at: bool = False) -> Generator[Ready]:
        """All volumes, the one that is looked at before the others; or no other."""
        # Stacks and planes are made of the same volumes, which are read once for both; series are made of others.
        for series in (False, True):
            jobs = [job for job in self._jobs if (job.layout is Layout.SERIES) == series]
            if not jobs:
                continue
            volumes = self._subject.volumes(jobs[0].layout)
            chosen = [volume for volume in volumes if self._is_looked_at(volume)]
            if not only_looked_at:
                chosen += [volume for volume in volumes if volume not in chosen]
            for volume in chosen:
                raw = self._read(volume, jobs, several=len(volumes) > 1)
                for alike in _alike(jobs):
                    yield Ready(volume, alike, self._prepare(raw, volume, alike[0]))

    def _is_looked_at(self, volume: Volume) -> bool:
        return self._viewport is not None and self._viewport.is_at(volume)

    def _read(self, volume: Volume, jobs: list[Job], *, several: bool) -> np.ndarray:
        """(D, Y, X) in the image's own dtype; what is wrong with it is noted, or raised."""
        self._computation.check_cancelled()
        self._report(f"Reading {volume.where}")
        raw = volume.read(self._subject, self._computation.check_cancelled)
        flat = all(job.layout is Layout.PLANES for job in jobs)
        where = volume.where if several else ""
        for finding in check_volume(raw, where=where):
            if finding.level is Level.ERROR:
                raise ImageContentError(f"{self._subject.image.name}: {finding.message} {finding.fix}".rstrip())
            if not (flat and finding.code == "too-thin"):  # of no matter where every plane is predicted by itself
                self._note(finding)
        return raw

    def _prepare(self, raw: np.ndarray, volume: Volume, job: Job) -> Prepared:
        """The volume as `job` takes it, and all that are alike."""
        self._computation.check_cancelled()
        self._report(f"Preparing {volume.where}")
        where = f"{self._subject.image.name}, {volume.where}"
        return prepare(raw, job, where=where, known=self._known, threads=torch.get_num_threads())

    def _first(self, job: Job, volume: Volume, prepared: Prepared, *, all_planes: bool) -> Iterator[Computed] | None:
        """What is looked at, if anything is saved by that; it comes again with its strip or tile."""
        if self._viewport is None or not self._viewport.is_at(volume):
            return None
        block = first_block(self._viewport, job, volume, self._back(job), all_planes=all_planes)
        if block is None:
            return None

        def pieces_of(view: Job, oriented: Prepared) -> Iterator[Pieces]:
            yield self._computation.extra_tile(view, oriented, tile_of(block, view))

        return self._views(job, volume, prepared, [block], pieces_of)

    def _tiles(self, job: Job, volume: Volume, prepared: Prepared) -> Iterator[Computed]:
        """All tiles of a volume, in the order of the grid."""
        blocks = plan_blocks(job.grid, self._back(job))
        return self._views(job, volume, prepared, blocks, self._computation.tiles)

    def _views(
        self,
        job: Job,
        volume: Volume,
        prepared: Prepared,
        blocks: list[OutputBlock],
        pieces_of: Callable[[Job, Prepared], Iterator[Pieces]],
    ) -> Iterator[Computed]:
        """What `pieces_of` makes of each view of a job and the volume oriented like it: together they make `blocks`."""
        assembly = Assembly(job, volume, self._subject, self._back(job), blocks)
        for view in job.views:
            for pieces in pieces_of(view, prepared.oriented(view.orientation)):
                yield Computed(assembly, view, pieces, self._computation.done, self._computation.total)

    def _back(self, job: Job) -> Resampling:
        """From the grid of `job` to that of the image."""
        return Resampling.between(job.shape, self._subject.volume_shape(job.layout))

    def _should_stop(self) -> bool:
        return self._closed or self._cancel()

    def _close(self) -> None:
        """Let what is under way end: whoever took the blocks wants no more."""
        self._closed = True

    def _report(self, message: str) -> None:
        self._on_progress(self._computation.done, self._computation.total, message)


def _resample_for_all(jobs: Sequence[Job], prepared: Prepared) -> None:
    """Resample a volume once, where more than one network, or orientation of it, is to have it."""
    if sum(len(job.views) for job in jobs) > 1:
        prepared.resample_once(torch.get_num_threads())


def _alike(jobs: list[Job]) -> Iterator[list[Job]]:
    """Jobs that take the same prepared input, together; in the order of the first of each."""
    while jobs:
        alike = [job for job in jobs if job.prepared_like(jobs[0])]
        jobs = [job for job in jobs if not job.prepared_like(alike[0])]
        yield alike
