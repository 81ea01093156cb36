"""What runs in the worker thread once Predict is pressed. Knows arrays and models, no layers and no Qt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict._widgets.common.origins import as_shown
from napari_mito_predict._widgets.predict.canvas import Canvas
from napari_mito_predict._widgets.predict.planning import look_at_pixels, make_plan, why_too_large
from napari_mito_predict._widgets.predict.saving import Files, Taken
from napari_mito_predict.errors import MitoPredictError, OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict._widgets.predict.model_cache import ModelCache
    from napari_mito_predict._widgets.predict.planning import Planned, Request
    from napari_mito_predict.models.card import Target
    from napari_mito_predict.models.record import PredictionRecord
    from napari_mito_predict.prediction import Execution, PredictionPlan
    from napari_mito_predict.prediction.viewport import Viewport

_SHOWN_PERCENTILES = (0.5, 99.9)
_SAMPLED = 1 << 20
_PLANES = 8
"""Of a stack on disk, measured for its display range."""


@dataclass
class Live:
    """How far a run is; written by the worker, read by the GUI whenever it likes."""

    done: int = 0
    total: int = 0
    message: str = ""
    painted: int = 0
    started: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    def report(self, done: int, total: int, message: str) -> None:
        """Take the engine's word."""
        if done and not self.done:
            # The first tile also pays for reading, preparing and warming up: it is no measure for the others.
            self.started = self.last
        if done != self.done:
            self.last = time.monotonic()
        self.done = done
        self.total = total
        self.message = message

    def seconds_left(self) -> float | None:
        """From the time that tiles took so far; None before the first one."""
        if not self.done or not self.total:
            return None
        per_tile = (self.last - self.started) / self.done
        return max(0.0, per_tile * (self.total - self.done) - (time.monotonic() - self.last))


@dataclass(frozen=True)
class Started:
    """The plan, records as planned, the arrays that fill while the work goes on, and how far it is.

    There are no arrays where the results go to a disk.
    """

    plan: PredictionPlan
    records: dict[str, PredictionRecord]
    arrays: dict[str, NDArray[np.float32]]
    live: Live


@dataclass(frozen=True)
class Finished:
    """The end of a prediction.

    Attributes
    ----------
    plan : PredictionPlan
        With all that was found on the way, as have the records.
    records : dict of str to PredictionRecord
    arrays : dict of str to array
        The results; dask arrays of what was written to a disk.
    limits : dict of str to tuple of float
        Range of values to show.
    seconds : float
        How long it took.
    files : tuple of Path
        What was written.
    unsaved : MitoPredictError, optional
        Why the results are in memory only, although they were to be saved.
    """

    plan: PredictionPlan
    records: dict[str, PredictionRecord]
    arrays: dict[str, Any]
    limits: dict[str, tuple[float, float]]
    seconds: float
    files: tuple[Path, ...] = ()
    unsaved: MitoPredictError | None = None


def predicting(request: Request, planned: Planned | None, cache: ModelCache, viewport: Viewport) -> Work:
    """Work that predicts: yields `Started`, its `Live` for the first blocks, and `Finished` at the end.

    Where files of an earlier prediction are in the way it yields `Taken`, and no more. Nobody should wait for `Live`.

    Parameters
    ----------
    request : Request
        What to predict, and where to save it.
    planned : Planned or None
        The plan that was shown for `request`, which is kept as it is; None to plan now. Pixels that nobody has looked
        at yet are looked at first.
    cache : ModelCache
        Models and what was measured.
    viewport : Viewport
        What is looked at, and predicted before the rest where results are shown while they are computed.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        start = time.monotonic()
        # Somebody may have written into the pixels since the plan was made.
        if planned is None or as_shown(request.source) is not request.source:
            plan = look_at_pixels(make_plan(request, cache), should_stop)
        else:
            plan = look_at_pixels(planned.plan, should_stop)
        if request.destination is None:
            plan.check_memory()
            yield from _predict_to_memory(plan, None, start, cache, viewport, should_stop)
            return
        files = Files(plan, request.source, request.destination, on_disk=bool(why_too_large(plan)))
        if files.taken:
            yield Taken(files.taken)
        elif files.on_disk:
            yield from _predict_to_disk(plan, files, start, should_stop)
        else:
            files.check(plan)
            yield from _predict_to_memory(plan, files, start, cache, viewport, should_stop)

    return work


def _predict_to_memory(
    plan: PredictionPlan,
    files: Files | None,
    start: float,
    cache: ModelCache,
    viewport: Viewport,
    should_stop: Callable[[], bool],
) -> Iterator[object]:
    """Predict, what is looked at before the rest, and save at the end.

    The arrays of `Started` are painted here, block by block; whoever shows them only has to look again now and then.
    """
    from napari_mito_predict.prediction import RunContext, run

    canvases = {key: Canvas(output, viewport) for key, output in plan.outputs.items()}
    arrays = {key: canvas.array for key, canvas in canvases.items()}
    live = Live(total=plan.total)
    execution = run(plan, RunContext(live.report, should_stop, viewport=viewport, known=cache.known))
    yield Started(plan, _records(plan), arrays, live)
    # Wait for what is being measured: then it is known, and not measured a second time.
    with cache.turn(should_stop):
        pass
    with ThreadPoolExecutor(1, thread_name_prefix="blank") as pool:
        blanked = {key: pool.submit(canvas.blank, should_stop) for key, canvas in canvases.items()}
        for block in execution.blocks():
            if not canvases[block.target].is_looked_at(block.slices):
                blanked[block.target].result()
            arrays[block.target][block.slices] = block.data
            live.painted += 1
            if live.painted <= len(arrays):
                yield live
    unsaved: MitoPredictError | None = None
    written: tuple[Path, ...] = ()
    if files is not None:
        try:
            files.save(execution, arrays)
            written = tuple(files.paths.values())
        except OutputError as error:  # a full disk, or one that was taken away, costs no results
            unsaved = error
    limits = {key: display_limits(arrays[key], output.target) for key, output in plan.outputs.items()}
    yield _finished(execution, arrays, limits, start, written, unsaved)


def _predict_to_disk(
    plan: PredictionPlan, files: Files, start: float, should_stop: Callable[[], bool]
) -> Iterator[object]:
    """Predict into files; what they hold is shown when they are complete."""
    from napari_mito_predict.prediction import RunContext, run

    live = Live(total=plan.total)
    yield Started(plan, _records(plan), {}, live)
    execution = run(plan, RunContext(live.report, should_stop))
    arrays = files.predict(execution)
    limits = {}
    for key, output in plan.outputs.items():
        limits[key] = display_limits(_some_planes(arrays[key]), output.target)
    yield _finished(execution, arrays, limits, start, tuple(files.paths.values()))


def _finished(
    execution: Execution,
    arrays: dict[str, Any],
    limits: dict[str, tuple[float, float]],
    start: float,
    written: tuple[Path, ...],
    unsaved: MitoPredictError | None = None,
) -> Finished:
    """The end of a run that began at `start` (`time.monotonic`), with all that was found on the way."""
    plan = replace(execution.plan, findings=execution.findings)
    records = {key: execution.record(key) for key in plan.outputs}
    return Finished(plan, records, arrays, limits, time.monotonic() - start, written, unsaved)


def _some_planes(stack: Any) -> NDArray[np.float32]:
    """Read a few planes of a large stack, from all of it."""
    planes = stack.reshape((-1, *stack.shape[-2:]))
    return np.asarray(planes[:: max(1, len(planes) // _PLANES)])


def display_limits(values: NDArray[np.float32], target: Target) -> tuple[float, float]:
    """Range of values to show: all but the faintest and the brightest, and never less than the model's card says.

    Less would let a prediction of nothing glow. Of a large image a part of the voxels is measured.
    """
    sample = values.reshape(-1)[:: max(1, values.size // _SAMPLED)]
    low, high = (float(value) for value in np.percentile(sample, _SHOWN_PERCENTILES))
    return min(low, target.contrast_limits[0]), max(high, target.contrast_limits[1])


def _records(plan: PredictionPlan) -> dict[str, PredictionRecord]:
    """How each output is made. Here, not where layers are made: the ends of the file are read for it."""
    return {key: plan.record(key) for key in plan.outputs}
