"""What runs in the worker thread before anybody presses Predict: planning, looking, measuring. Knows no Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_mito_predict._widgets.common.origins import as_shown
from napari_mito_predict._widgets.common.wording import duration
from napari_mito_predict.errors import MitoPredictError, PredictionCancelled, ResultTooLargeError
from napari_mito_predict.image import Finding, Level

if TYPE_CHECKING:
    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict._widgets.predict.model_cache import ModelCache
    from napari_mito_predict._widgets.predict.saving import Destination
    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.prediction import PredictionPlan
    from napari_mito_predict.prediction.viewport import Viewport


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
    device, precision, tile, tta, uncertainty : str, tuple of int or bool
        As for `napari_mito_predict.predict`.
    destination : Destination, optional
        Where to save the predictions too; results that do not fit into memory are only written there.
    """

    source: ImageSource
    channel: int
    models: tuple[str, ...]
    voxel_size_um: tuple[float | None, float | None, float | None] | None = None
    device: str = "auto"
    precision: str = "auto"
    tile: str | tuple[int, int, int] = "auto"
    tta: bool = False
    uncertainty: bool = False
    # Where to save makes no other plan.
    destination: Destination | None = field(default=None, compare=False)

    @property
    def looked_at(self) -> object:
        """What the light of a model depends on, besides the model."""
        return self.source, self.channel, self.voxel_size_um


@dataclass(frozen=True)
class Planned:
    """A plan, and what else is known before it runs.

    Attributes
    ----------
    plan : PredictionPlan
    cost : str
        What it will cost, in one line.
    too_large : str
        Why its results have to go to a disk, where they do.
    """

    plan: PredictionPlan
    cost: str
    too_large: str = ""


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
        tta=request.tta,
        uncertainty=request.uncertainty,
    )


def look_at_pixels(plan: PredictionPlan, should_stop: Callable[[], bool]) -> PredictionPlan:
    """Add to a plan what little of the image shows; pixels that cannot be read are a finding, too.

    Raises
    ------
    PredictionCancelled
        `should_stop` said so.
    """
    from napari_mito_predict.prediction import look

    try:
        return look(plan, should_stop)
    except PredictionCancelled:
        raise
    except MitoPredictError as error:
        unseen = Finding(Level.WARNING, "not-looked-at", f"Nobody could look at the image: {error}")
        return replace(plan, findings=(*plan.findings, unseen), looked=True)


def planning(request: Request, cache: ModelCache, viewport: Viewport) -> Work:
    """Work that yields the plan of `request`, again with its lights, and at last with the time it will take.

    Before the last the volume that is looked at is measured, so that predicting it begins at once.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.prediction import RunContext, run

        plan = make_plan(request, cache)
        too_large = why_too_large(plan)
        yield Planned(plan, cost_of(plan, None), too_large)
        with suppress(PredictionCancelled):
            with cache.turn(should_stop):
                plan = look_at_pixels(plan, should_stop)
            yield Planned(plan, cost_of(plan, None), too_large)
        with suppress(MitoPredictError), cache.turn(should_stop):  # said when it is to be predicted
            run(plan, RunContext(cancel=should_stop, viewport=viewport, known=cache.known)).measure()
        if not should_stop():
            cost = cost_of(plan, cache.seconds_per_voxel(request.models, plan))
            yield Planned(plan, cost, too_large)

    return work


def why_too_large(plan: PredictionPlan) -> str:
    """Why the results of a plan do not fit into memory; empty where they do."""
    try:
        plan.check_memory()
    except ResultTooLargeError as error:
        return str(error)
    return ""


def cost_of(plan: PredictionPlan, seconds_per_voxel: float | None) -> str:
    """One line: device, time, memory."""
    precision = {"32": "float32"}.get(plan.device.precision, plan.device.precision)
    parts = [f"{plan.device.kind.upper()} ({precision})"]
    if seconds_per_voxel is not None:
        voxels = max(math.prod(output.shape) for output in plan.outputs.values())
        parts.append(f"about {duration(max(1.0, voxels * seconds_per_voxel))}")
    parts.append(f"{max(plan.estimate_bytes / 1e9, 0.1):.1f} GB")
    return " · ".join(parts)
