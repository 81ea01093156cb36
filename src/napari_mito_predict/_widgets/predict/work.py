"""What runs in the worker thread: planning and predicting. Knows arrays and models, no layers and no Qt."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict._widgets.common.origins import as_shown
from napari_mito_predict._widgets.common.wording import duration
from napari_mito_predict._widgets.predict.canvas import Canvas
from napari_mito_predict.errors import MitoPredictError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict._widgets.predict.model_cache import ModelCache
    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.models.card import Target
    from napari_mito_predict.models.record import PredictionRecord
    from napari_mito_predict.prediction import PredictionPlan
    from napari_mito_predict.prediction.viewport import Viewport

_SHOWN_PERCENTILES = (0.5, 99.9)
_SAMPLED = 1 << 20


@dataclass(frozen=True)
class Request:
    """Everything a prediction depends on, fixed when it is asked for.

    Attributes
    ----------
    source : ImageSource
        What to predict from.
    channel : int
        Index of the transmitted-light channel.
    models : tuple of str
        Model names or paths.
    voxel_size_um : tuple of float or None, optional
        z, y, x typed by the user where the image does not say.
    device, precision, tile : str or tuple of int
        As for `napari_mito_predict.predict`.
    folder : Path, optional
        Where to save the predictions too.
    composite : bool
        Save them as the channels of one file.
    """

    source: ImageSource
    channel: int
    models: tuple[str, ...]
    voxel_size_um: tuple[float | None, float | None, float | None] | None = None
    device: str = "auto"
    precision: str = "auto"
    tile: str | tuple[int, int, int] = "auto"
    # Where to save makes no other plan.
    folder: Path | None = field(default=None, compare=False)
    composite: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Planned:
    """The plan, and what it will cost in one line."""

    plan: PredictionPlan
    cost: str


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
    """The plan, records as planned, the arrays that fill while the work goes on, and how far it is."""

    plan: PredictionPlan
    records: dict[str, PredictionRecord]
    arrays: dict[str, NDArray[np.float32]]
    live: Live


@dataclass(frozen=True)
class Finished:
    """The end: the plan and the records with all that was found on the way, display limits, seconds, files written."""

    plan: PredictionPlan
    records: dict[str, PredictionRecord]
    limits: dict[str, tuple[float, float]]
    seconds: float
    files: tuple[Path, ...]


def make_plan(request: Request, cache: ModelCache) -> PredictionPlan:
    """Decide everything, compute nothing."""
    from napari_mito_predict.prediction import plan_prediction

    return plan_prediction(
        as_shown(request.source),
        cache.get(request.models),
        channel=request.channel,
        voxel_size_um=request.voxel_size_um,
        device=request.device,
        precision=request.precision,
        tile=request.tile,
    )


def planning(request: Request, cache: ModelCache, viewport: Viewport) -> Work:
    """Work that yields the plan of `request`, and once more when it is known how long it will take.

    Meanwhile the volume that is looked at is measured, so that predicting it begins at once.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        plan = make_plan(request, cache)
        yield Planned(plan, cost_of(plan, None))
        with suppress(MitoPredictError), cache.turn(should_stop):  # said when it is to be predicted
            plan.measure(viewport, cache.known, cancel=should_stop)
        if not should_stop():
            yield Planned(plan, cost_of(plan, cache.seconds_per_voxel(request.models, plan)))

    return work


def predicting(request: Request, planned: PredictionPlan | None, cache: ModelCache, viewport: Viewport) -> Work:
    """Work that predicts, what is looked at before the rest: yields `Started`, and `Finished` at the end.

    The arrays of `Started` are painted here, block by block; whoever shows them only has to look again now and then.
    Its `Live` is yielded for the first block of each output, which nobody should wait for.

    Parameters
    ----------
    request : Request
        What to predict, and where to save it.
    planned : PredictionPlan or None
        The plan that was shown for `request`, which is kept as it is; None to plan now.
    cache : ModelCache
        Models and what was measured.
    viewport : Viewport
        What is looked at.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        start = time.monotonic()
        # Somebody may have written into the pixels since the plan was made.
        if planned is None or as_shown(request.source) is not request.source:
            plan = make_plan(request, cache)
        else:
            plan = planned.fresh()
        paths = _output_paths(plan, request)
        plan.check_memory()
        canvases = {key: Canvas(output, viewport) for key, output in plan.outputs.items()}
        arrays = {key: canvas.array for key, canvas in canvases.items()}
        live = Live(total=plan.total)
        yield Started(plan, _records(plan), arrays, live)
        # Wait for what is being measured: then it is known, and not measured a second time.
        with cache.turn(should_stop):
            pass
        with ThreadPoolExecutor(1, thread_name_prefix="blank") as pool:
            blanked = {key: pool.submit(canvas.blank, should_stop) for key, canvas in canvases.items()}
            for block in plan.run(on_progress=live.report, cancel=should_stop, viewport=viewport, known=cache.known):
                if not canvases[block.target].is_looked_at(block.slices):
                    blanked[block.target].result()
                arrays[block.target][block.slices] = block.data
                live.painted += 1
                if live.painted <= len(arrays):
                    yield live
        _save(plan, arrays, paths, composite=request.composite)
        limits = {key: display_limits(arrays[key], output.target) for key, output in plan.outputs.items()}
        yield Finished(plan, _records(plan), limits, time.monotonic() - start, tuple(paths.values()))

    return work


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


def cost_of(plan: PredictionPlan, seconds_per_voxel: float | None) -> str:
    """One line: device, time, memory."""
    precision = {"32": "float32"}.get(plan.device.precision, plan.device.precision)
    parts = [f"{plan.device.kind.upper()} ({precision})"]
    if seconds_per_voxel is not None:
        voxels = max(math.prod(output.shape) for output in plan.outputs.values())
        parts.append(f"about {duration(max(1.0, voxels * seconds_per_voxel))}")
    parts.append(f"{max(plan.estimate_bytes / 1e9, 0.1):.1f} GB")
    return " · ".join(parts)


def _output_paths(plan: PredictionPlan, request: Request) -> dict[str, Path]:
    """Where each result goes, found out before anything is computed."""
    from napari_mito_predict.image import check_output
    from napari_mito_predict.prediction.files import output_paths

    if request.folder is None:
        return {}
    paths = output_paths(request.folder, request.source, plan.outputs, ".ome.tif", composite=request.composite)
    for path in paths.values():
        check_output(path)
    return paths


def _save(
    plan: PredictionPlan, arrays: dict[str, NDArray[np.float32]], paths: dict[str, Path], *, composite: bool
) -> None:
    from napari_mito_predict.prediction import Prediction, save_composite

    predictions = {key: Prediction(arrays[key], output, plan.record(key)) for key, output in plan.outputs.items()}
    for key, path in paths.items():
        if composite:
            save_composite(list(predictions.values()), path)
        else:
            predictions[key].save(path)
