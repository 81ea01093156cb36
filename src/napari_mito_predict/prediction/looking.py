"""Is an image like those that a model was trained on? A look at a little of it before it is predicted.

Of each kind of volume (a stack, a series, planes) the one in the middle of the recording is looked at; what is read of
it, see `look_sample`, is brought to the model's voxel size and normalised as for a prediction, by statistics of the
sample. The rules are those of `look_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_mito_predict.errors import ImageContentError, PredictionCancelled
from napari_mito_predict.image import Finding, Level, check_volume
from napari_mito_predict.prediction.appearance import cut, distance, tile_features, tile_places, tile_size
from napari_mito_predict.prediction.fit import findings as fit_findings
from napari_mito_predict.prediction.given import models_of, subject_of
from napari_mito_predict.prediction.intensities import intensity_percentiles, relative_contrast
from napari_mito_predict.prediction.look_rules import Appearance, appearance_findings, noise_findings, order_findings
from napari_mito_predict.prediction.look_sample import VolumeSample, Window, sample_volume
from napari_mito_predict.prediction.normalize import Statistics, measure, normalise
from napari_mito_predict.prediction.plan import plan_subject
from napari_mito_predict.prediction.tiles import per_axis
from napari_mito_predict.prediction.tiling import planes_rows_columns
from napari_mito_predict.prediction.traffic_light import TrafficLight, traffic_light
from napari_mito_predict.prediction.volumes import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.image import ChannelRole, ImageSource
    from napari_mito_predict.models import Model
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.plan import PredictionPlan
    from napari_mito_predict.prediction.run_state import Cancel
    from napari_mito_predict.prediction.tiles import Box
    from napari_mito_predict.prediction.volumes import Subject

_MOST_NOISE_PATCHES: Final = 36
_LARGEST_SHARE: Final = 0.2
"""Of the voxels of a volume that tiles hold: encoding them is most of the work of predicting as many."""


def traffic_lights(
    image_or_array: ImageSource | str | Path | Any,
    model_or_models: Model | str | Path | Iterable[Model | str | Path],
    *,
    channel: int | str | ChannelRole | None = None,
    scene: int | str | None = None,
    times: range | None = None,
    planes: range | None = None,
    voxel_size_um: Sequence[float | None] | None = None,
    resample: bool = True,
    cancel: Cancel | None = None,
) -> dict[str, TrafficLight]:
    """Say whether the predictions of models for an image can be believed, before anything is predicted.

    Parameters
    ----------
    image_or_array, model_or_models, channel, scene, times, planes, voxel_size_um, resample, cancel
        See `napari_mito_predict.prediction.predict`.

    Returns
    -------
    dict of str to TrafficLight
        By name of the model: green, amber or red, with the reasons. A model that the image cannot be given to is red.

    Raises
    ------
    UnsupportedImageError, ImageError, ChannelNotFoundError, AmbiguousChannelError, PredictedInputError
        No model can predict anything from it.
    """
    subject = subject_of(image_or_array, channel, scene, times, planes, voxel_size_um, resample=resample)
    models = models_of(model_or_models)
    against = {model.name: _impossible(subject, model) for model in models}
    possible = [model for model in models if not against[model.name]]
    lights = {name: traffic_light(name, errors) for name, errors in against.items()}
    if possible:
        plan = plan_subject(subject, possible, device="cpu", precision="32")
        lights |= look(plan, cancel).lights
    return lights


def _impossible(subject: Subject, model: Model) -> list[Finding]:
    found = fit_findings(subject, model, planes_rows_columns(model.network.stride)[0])
    return [finding for finding in found if finding.level is Level.ERROR]


def look(plan: PredictionPlan, cancel: Cancel | None = None) -> PredictionPlan:
    """Look at a little of the image of a plan, and add what was found to its findings.

    Parameters
    ----------
    plan : PredictionPlan
        It stays as it is.
    cancel : callable, optional
        Asked between planes and tiles; True stops.

    Returns
    -------
    PredictionPlan
        With the findings; its `lights` rest on pixels too.

    Raises
    ------
    PredictionCancelled
        By `cancel`.
    UnreadableImageError, IncompleteImageError
        What is looked at cannot be read.
    """
    if plan.looked:
        return plan

    def check() -> None:
        if cancel is not None and cancel():
            raise PredictionCancelled("Cancelled; nothing was written.")

    found: dict[tuple[str, str], Finding] = {}
    for jobs in _looked_at_together(plan.jobs):
        for finding in _look_at(plan.subject, jobs, check):
            found.setdefault((finding.code, finding.model), finding)
    return replace(plan, findings=(*plan.findings, *found.values()), looked=True)


def _looked_at_together(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Jobs that take the same volumes prepared alike, and tiles of the same places."""
    alike: dict[object, list[Job]] = {}
    for job in jobs:
        normalisation = job.model.card.input.normalisation.model_dump_json()
        places = tuple(tile_places(job.shape, job.model.network))
        alike.setdefault((job.layout, job.shape, normalisation, places), []).append(job)
    yield from alike.values()


def _look_at(subject: Subject, jobs: Sequence[Job], check: Callable[[], None]) -> Iterator[Finding]:
    """What one sample of the image says to models that take it alike."""
    first = jobs[0]
    boxes: list[Box] = []
    if any(_knows_features(job) for job in jobs):
        boxes = tile_places(first.shape, first.model.network)
    sample = sample_volume(subject, first.layout, first.shape, boxes, check)
    unusable = _unusable(sample.patches, subject.image.name)
    if unusable is not None:
        yield unusable
        return
    recorded = [patch for patch in sample.patches if not patch.constant]
    yield from _saturation(recorded)
    looked_at = recorded[:: -(-len(recorded) // _MOST_NOISE_PATCHES)]
    yield from noise_findings(patch.raw[len(patch.raw) // 2] for patch in looked_at)
    if first.layout is Layout.STACKS and not subject.free_third_axis:
        recorded_tiles = (tile.raw for tile in sample.tiles if not tile.has_gap)
        yield from order_findings(recorded_tiles, subject.voxel_size_um[0])
    values = sample.recorded_values()
    try:
        statistics = measure(values.reshape(1, -1, 1), first.model.card.input.normalisation, only_recorded=False)
    except ImageContentError as error:
        yield Finding(Level.SEVERE, "no-contrast", f"{subject.image.name}: {error}")
        return
    percentiles = intensity_percentiles(normalise(values.reshape(1, -1, 1), statistics))
    contrast = relative_contrast(values)
    tiles = _tiles(sample, boxes, first, statistics)
    for job in jobs:
        known = job.model.training_images
        distances = np.zeros(0, np.float32)
        if known is not None and _knows_features(job) and tiles:
            distances = distance(known, tile_features(job.model.network, _checked(tiles, check)))
        seen = Appearance(percentiles, contrast, distances)
        for finding in appearance_findings(job.model.name, seen, known):
            yield replace(finding, model=job.model.name)


def _tiles(sample: VolumeSample, boxes: Sequence[Box], job: Job, statistics: Statistics) -> list[NDArray[Any]]:
    """The tiles that were recorded, as a network gets them.

    Fewer of a small volume, which would else take as long to look at as to predict.
    """
    read = [(tile, box) for tile, box in zip(sample.tiles, boxes, strict=True) if not tile.has_gap]
    wanted = int(_LARGEST_SHARE * prod(job.shape) / prod(tile_size(job.model.network)))
    count = min(max(wanted, 1), len(read))
    spread = [read[(2 * i + 1) * len(read) // (2 * count)] for i in range(count)]
    return [
        cut(normalise(tile.values, statistics), per_axis(span.shift(-span.start) for span in box))
        for tile, box in spread
    ]


def _knows_features(job: Job) -> bool:
    known = job.model.training_images
    return known is not None and len(known.mean) > 0


def _checked(tiles: Iterable[NDArray[Any]], check: Callable[[], None]) -> Iterator[NDArray[Any]]:
    for tile in tiles:
        check()
        yield tile


def _unusable(patches: Sequence[Window], image: str) -> Finding | None:
    """Why nothing can be said of an image by these patches, and nothing predicted from them."""
    if not all(np.isfinite(patch.raw).all() for patch in patches):
        message = f"{image}: some pixels are not numbers (NaN) or infinite."
        return Finding(Level.ERROR, "not-finite", message, "Replace them in the program that made this image.")
    if all(patch.constant for patch in patches):
        message = f"{image}: wherever it was looked at, all pixels are the same: nothing can be predicted from them."
        fix = "Check the channel, and whether the lamp was on."
        return Finding(Level.SEVERE, "no-contrast", message, fix)
    return None


def _saturation(patches: Sequence[Window]) -> list[Finding]:
    values = np.concatenate([patch.raw.ravel() for patch in patches])
    return [finding for finding in check_volume(values.reshape(1, 1, -1)) if finding.code == "saturated"]
