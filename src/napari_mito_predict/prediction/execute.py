"""Running a plan: read once per volume, prepare once per kind of model, tile by tile, block by block.

Three things go on at the same time: the next volume is read and measured while a volume is predicted, the next strip is
prepared while the network works, and what it gave is resampled and used while it works on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch

from napari_mito_predict.errors import ImageContentError, InsufficientMemoryError
from napari_mito_predict.image import Level, check_volume
from napari_mito_predict.prediction.assembly import Assembly, Goal, HostAssembly, WaitingBlocks
from napari_mito_predict.prediction.blocks import plan_blocks
from napari_mito_predict.prediction.compute import Computation, Pieces
from napari_mito_predict.prediction.disagreement import Comparison
from napari_mito_predict.prediction.flicker import FlickerWatch
from napari_mito_predict.prediction.on_device import DeviceStore
from napari_mito_predict.prediction.prefetch import prefetch
from napari_mito_predict.prediction.prepare import prepare
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.result import Prediction
from napari_mito_predict.prediction.run_state import RunContext, RunState
from napari_mito_predict.prediction.smoothing import smoothed
from napari_mito_predict.prediction.traffic_light import TrafficLight, traffic_light
from napari_mito_predict.prediction.viewport import first_block, tile_of
from napari_mito_predict.prediction.volumes import Layout, Volume

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding
    from napari_mito_predict.models.record import PredictionRecord
    from napari_mito_predict.prediction.blocks import OutputBlock
    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.plan import PredictionPlan
    from napari_mito_predict.prediction.prepare import PreparedVolume
    from napari_mito_predict.prediction.result import Block

T = TypeVar("T")


class Ready(NamedTuple):
    """A volume, prepared for the models that take it alike."""

    volume: Volume
    jobs: list[Job]
    prepared: PreparedVolume


def run(plan: PredictionPlan, context: RunContext | None = None) -> Execution:
    """Begin to run a plan; nothing is computed before something of it is asked for.

    Parameters
    ----------
    plan : PredictionPlan
        From `plan_prediction`; it stays as it is.
    context : RunContext, optional
        What is to be told, asked and known on the way.
    """
    return Execution(plan, context or RunContext())


class Execution:
    """One run of a plan, made by `run`. Ask it once, for one of `predict`, `blocks`, `first_look` and `measure`.

    Parameters
    ----------
    plan : PredictionPlan
        What to compute.
    context : RunContext
        What is to be told, asked and known on the way.
    """

    def __init__(self, plan: PredictionPlan, context: RunContext) -> None:
        self.plan = plan
        self.context = context
        self._subject = plan.subject
        self._jobs = plan.jobs
        self._viewport = context.viewport
        self._known = context.known
        self._state = RunState(plan, context)
        self._flicker = FlickerWatch(plan.subject, plan.outputs if context.times is None else {})
        self._store = DeviceStore(plan.device, context.keep_on_device)
        self._computation = Computation(plan.device, self._subject.image.name, self._state, self._store)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the plan and those made on the way so far."""
        return tuple(self._state.findings)

    @property
    def lights(self) -> dict[str, TrafficLight]:
        """Those of the plan, with what was found on the way so far."""
        return {job.model.name: traffic_light(job.model.name, self.findings) for job in self._jobs}

    def record(self, key: str) -> PredictionRecord:
        """How the output `key` was made: what was found on the way and what really computed."""
        return self.plan.record_with(key, self._state.devices, self.findings)

    def devices(self, job: Job) -> list[Device]:
        """What computed the model of `job` so far; the planned device where nothing was computed yet."""
        return self._state.devices(job)

    def predict(self) -> dict[str, Prediction]:
        """Compute everything; see `napari_mito_predict.prediction.predict`."""
        self.plan.check_memory()
        data = {key: np.zeros(output.shape, np.float32) for key, output in self.plan.outputs.items()}
        for block in self.blocks():
            data[block.target][block.slices] = block.data
        return {key: Prediction(data[key], output, self.record(key)) for key, output in self.plan.outputs.items()}

    def blocks(self) -> Generator[Block]:
        """All blocks of all outputs, after those that are looked at; see `iter_predict`.

        A GPU copies them to page-locked memory, of which there should never be much: copy what is to be kept.
        """
        smooth = smoothed(self._all(), self.plan.outputs, self.plan.smooth_time)
        return self._released(self._watched(self._wanted(smooth)))

    def first_look(self) -> Generator[Block]:
        """What is looked at and the planes around it; all of a volume that is small or cannot be had in parts.

        It is not smoothed along time: its neighbours are not there.
        """
        return self._released(self._looked_at())

    def measure(self) -> None:
        """Find out the statistics of the volume that is looked at, so that other runs begin at once."""
        for _ in self._released(self._ready(only_looked_at=True)):
            pass

    def _released(self, made: Iterator[T]) -> Generator[T]:
        """Pass on what is `made`; release the networks when it ends, fails, or is closed early."""
        try:
            yield from made
        except MemoryError as error:  # of numpy: the image itself, not the network
            raise InsufficientMemoryError(
                f"{self._subject.image.name} is too large to prepare in the memory that is free ({error}). Crop it, or "
                "close other programs."
            ) from error
        finally:
            self._store.close()
            self._computation.close()

    def _watched(self, blocks: Generator[Block]) -> Iterator[Block]:
        """Pass blocks on, and say at the end whether the series flickers."""
        with closing(blocks):
            for block in blocks:
                self._flicker.see(block)
                yield block
        for finding in self._flicker.findings():
            self._state.note(finding)

    def _wanted(self, blocks: Generator[Block]) -> Generator[Block]:
        """Leave out time points that others smooth and give, of which only what they were computed for is needed."""
        times = self.context.times
        with closing(blocks):
            for block in blocks:
                if times is None or block.t in times:
                    yield block

    def _all(self) -> Generator[Block]:
        """Blocks, made of what was computed while the next tile is computed."""
        comparison = Comparison(self.plan.disagreements, self._subject)
        with closing(prefetch(self._computed(comparison), self._state.close)) as computed:
            for blocks in computed:
                for block in blocks:
                    comparison.take(block)
                    yield block

    def _looked_at(self) -> Iterator[Block]:
        """Blocks of what is looked at; of the whole volume where nothing is saved by a part."""
        for volume, jobs, prepared in self._ready(only_looked_at=True):
            for job in jobs:
                first = self._first(job, volume, prepared, all_planes=True)
                if first is None:
                    _resample_for_all(jobs, prepared)
                for blocks in first or self._tiles(job, volume, prepared):
                    yield from blocks

    def _computed(self, comparison: Comparison) -> Generator[Iterator[Block]]:
        """What each tile completes, computed while the next volume is prepared; of each first what is looked at."""
        with closing(prefetch(self._ready(), self._state.close)) as ready:
            for volume, jobs, prepared in ready:
                if self.plan.smooth_time == 1:  # else it would not be final
                    for job in jobs:
                        yield from self._first(job, volume, prepared, all_planes=False) or ()
                _resample_for_all(jobs, prepared)
                for job in jobs:
                    yield from self._tiles(job, volume, prepared)
                    yield comparison.completed(job, volume, self._state.done, self._state.total)

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
                chosen += [volume for volume in volumes if volume not in chosen and self._is_needed(volume)]
            for volume in chosen:
                raw = self._read(volume, jobs, several=len(volumes) > 1)
                for alike in _alike(jobs):
                    yield Ready(volume, alike, self._prepare(raw, volume, alike[0]))

    def _is_looked_at(self, volume: Volume) -> bool:
        return self._viewport is not None and self._viewport.is_at(volume)

    def _is_needed(self, volume: Volume) -> bool:
        """Whether it is of the time points that are wanted, or these are smoothed with it."""
        times = self.context.times
        if times is None:
            return True
        around = self.plan.smooth_time // 2
        return times.start - around <= volume.index < times.stop + around

    def _read(self, volume: Volume, jobs: list[Job], *, several: bool) -> np.ndarray:
        """(D, Y, X) in the image's own dtype; what is wrong with it is noted, or raised."""
        self._state.check_cancelled()
        self._state.report(f"Reading {volume.where}")
        raw = volume.read(self._subject, self._state.check_cancelled)
        flat = all(job.layout is Layout.PLANES for job in jobs)
        where = volume.where if several else ""
        for finding in check_volume(raw, where=where):
            if finding.level is Level.ERROR:
                raise ImageContentError(f"{self._subject.image.name}: {finding.message} {finding.fix}".rstrip())
            if not (flat and finding.code == "too-thin"):  # of no matter where every plane is predicted by itself
                self._state.note(finding)
        self._flicker.see_light(volume, raw)
        return raw

    def _prepare(self, raw: np.ndarray, volume: Volume, job: Job) -> PreparedVolume:
        """The volume as `job` takes it, and all that are alike."""
        self._state.check_cancelled()
        self._state.report(f"Preparing {volume.where}")
        where = f"{self._subject.image.name}, {volume.where}"
        on_device = self._store.prepare(raw, job, where)
        return on_device or prepare(raw, job, where=where, known=self._known, threads=torch.get_num_threads())

    def _first(
        self, job: Job, volume: Volume, prepared: PreparedVolume, *, all_planes: bool
    ) -> Iterator[Iterator[Block]] | None:
        """What is looked at, if anything is saved by that; it comes again with its strip or tile."""
        if self._viewport is None or not self._viewport.is_at(volume):
            return None
        block = first_block(self._viewport, job, volume, self._back(job), all_planes=all_planes)
        if block is None:
            return None

        def pieces_of(view: Job, oriented: PreparedVolume) -> Iterator[Pieces]:
            yield self._computation.extra_tile(view, oriented, tile_of(block, view))

        return self._views(job, volume, prepared, [block], pieces_of)

    def _tiles(self, job: Job, volume: Volume, prepared: PreparedVolume) -> Iterator[Iterator[Block]]:
        """All tiles of a volume, in the order of the grid."""
        blocks = plan_blocks(job.grid, self._back(job))
        return self._views(job, volume, prepared, blocks, self._computation.tiles)

    def _views(
        self,
        job: Job,
        volume: Volume,
        prepared: PreparedVolume,
        blocks: list[OutputBlock],
        pieces_of: Callable[[Job, PreparedVolume], Iterator[Pieces]],
    ) -> Iterator[Iterator[Block]]:
        """What `pieces_of` makes of each view of a job and the volume oriented like it: together they make `blocks`.

        Gives, for each tile, the blocks that it completes, which are put together when they are asked for.
        """
        assembly = self._assembly(Goal(job, volume, self._subject, self._back(job)), WaitingBlocks(blocks), prepared)
        for view in job.views:
            for pieces in pieces_of(view, prepared.oriented(view.orientation)):
                yield assembly.add(view, pieces, self._state.done, self._state.total)

    def _assembly(self, goal: Goal, waiting: WaitingBlocks, prepared: PreparedVolume) -> Assembly:
        """Where the result of a volume is put together: where the volume lies."""
        if prepared.on_device:
            assembly = self._store.assembly(goal, waiting, partial(self._computation.failure, goal.job))
            if assembly is not None:
                return assembly
            self._store.evict()
        return HostAssembly(goal, waiting)

    def _back(self, job: Job) -> Resampling:
        """From the grid of `job` to that of the image."""
        return Resampling.between(job.shape, self._subject.volume_shape(job.layout))


def _resample_for_all(jobs: Sequence[Job], prepared: PreparedVolume) -> None:
    """Resample a volume once, where more than one network, or orientation of it, is to have it."""
    if sum(len(job.views) for job in jobs) > 1:
        prepared.resample_once(torch.get_num_threads())


def _alike(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Jobs that take the same prepared input, together; in the order of the first of each."""
    while jobs:
        alike = [job for job in jobs if job.prepared_like(jobs[0])]
        jobs = [job for job in jobs if not job.prepared_like(alike[0])]
        yield alike
