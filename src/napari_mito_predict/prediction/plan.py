"""Deciding everything about a prediction before anything is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import (
    DoubtfulPredictionError,
    IncompleteImageError,
    MetadataError,
    ModelMismatchError,
    ResultTooLargeError,
    UnsupportedImageError,
)
from napari_mito_predict.image import (
    ChannelRole,
    Finding,
    ImageSource,
    Level,
    check_image,
)
from napari_mito_predict.image.metadata import impossible_axes
from napari_mito_predict.prediction.context import in_parts
from napari_mito_predict.prediction.device import Device, choose_device
from napari_mito_predict.prediction.fit import findings as fit_findings
from napari_mito_predict.prediction.given import models_of, subject_of
from napari_mito_predict.prediction.job import Job
from napari_mito_predict.prediction.memory import free_memory
from napari_mito_predict.prediction.orientations import TRANSPOSED
from napari_mito_predict.prediction.precision import checked
from napari_mito_predict.prediction.record import make_record
from napari_mito_predict.prediction.result import Output
from napari_mito_predict.prediction.tiling import Tiling, planes_rows_columns
from napari_mito_predict.prediction.traffic_light import Colour, TrafficLight, traffic_light

if TYPE_CHECKING:
    from napari_mito_predict.models import Model
    from napari_mito_predict.models.record import PredictionRecord
    from napari_mito_predict.prediction.volumes import Subject

_ERRORS = {"incomplete": IncompleteImageError, "voxel-size-impossible": MetadataError}
# Bytes per voxel: the input as read (16 bit), the same resampled, and one result per target.
_BYTES_RAW = 2
_BYTES_RESAMPLED = 4
_BYTES_RESULT = 4


@dataclass(frozen=True)
class PredictionPlan:
    """Everything decided, nothing computed. Made by `plan_prediction`, run by `run`, as often as somebody likes.

    Attributes
    ----------
    outputs : dict of str to Output
        What there will be.
    findings : tuple of Finding
        About the image and how the models fit it.
    device : Device
        Where it will be computed, in which precision, and why.
    total : int
        Number of tiles, counted once for each pass over them.
    estimate_bytes : int
        Memory it will need at its peak, roughly.
    subject : Subject
        What is predicted from.
    jobs : tuple of Job
        The models, and how each is given the image.
    looked : bool
        Whether the pixels were looked at, see `look`, and what was found is among the findings.
    """

    outputs: dict[str, Output]
    findings: tuple[Finding, ...]
    device: Device
    total: int
    estimate_bytes: int
    subject: Subject = field(repr=False)
    jobs: tuple[Job, ...] = field(repr=False)
    looked: bool = False

    @property
    def lights(self) -> dict[str, TrafficLight]:
        """For each model, by name, whether its prediction can be believed; see `looked` for what that rests on."""
        return {job.model.name: traffic_light(job.model.name, self.findings) for job in self.jobs}

    @property
    def result_bytes(self) -> int:
        """Size of all outputs."""
        return _result_bytes(self.outputs)

    @property
    def orientations(self) -> int:
        """How many orientations of the image are predicted: 8 with test-time augmentation, 1 without."""
        return len(self.jobs[0].views)

    def job_of(self, key: str) -> Job:
        """The model that gives the output `key`."""
        return next(job for job in self.jobs if key in job.keys)

    def record(self, key: str) -> PredictionRecord:
        """How the output `key` will be made; see `Execution.record` for how it was made."""
        device, job = [self.device], self.job_of(key)
        return make_record(self.outputs[key], job, self.subject, device, self.findings, looked=self.looked)

    def check_lights(self) -> None:
        """Find out whether all lights are green.

        Raises
        ------
        DoubtfulPredictionError
            One is not; with all reasons.
        """
        doubted = [light for light in self.lights.values() if light.colour is not Colour.GREEN]
        if doubted:
            said = " ".join(f"{light.model}: {light.colour}. {light.advice}" for light in doubted)
            raise DoubtfulPredictionError(f"not predicted, since only green was asked for. {said}", file=self._file)

    @property
    def _file(self) -> Path | str:
        return self.subject.image.path or self.subject.image.name

    def check_memory(self) -> None:
        """Find out whether all outputs fit into memory: the operating system would promise it to anybody who asks.

        Raises
        ------
        ResultTooLargeError
            They do not; `predict_to_zarr` never holds them.
        """
        needed, free = self.result_bytes, free_memory(choose_device("cpu", "32"))
        if needed > free:
            raise ResultTooLargeError(
                f"the predictions need {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free. Write them "
                "into a folder while they are computed, as OME-Zarr.",
                file=self.subject.image.name,
            )


def plan_prediction(
    image_or_array: ImageSource | str | Path | Any,
    model_or_models: Model | str | Path | Iterable[Model | str | Path],
    *,
    channel: int | str | ChannelRole | None = None,
    scene: int | str | None = None,
    times: range | None = None,
    planes: range | None = None,
    voxel_size_um: Sequence[float | None] | None = None,
    resample: bool = True,
    device: str = "auto",
    precision: str = "auto",
    tile: str | tuple[int, int, int] = "auto",
    halo: int | None = None,
    tta: bool = False,
) -> PredictionPlan:
    """Decide how to predict, and say what is to be known about it.

    Parameters
    ----------
    image_or_array, model_or_models, channel, scene, times, planes, voxel_size_um, resample, device, precision, tile
        As in `napari_mito_predict.prediction.predict`, and so is `tta`.
    halo : int, optional
        Context around each tile in voxels, where it shall be smaller than the network's reach: faster, and
        approximate. Neighbouring tiles are blended and the record says so.

    Raises
    ------
    ModelMismatchError, UnsupportedImageError, ImageError, ChannelNotFoundError, AmbiguousChannelError
        No prediction is possible.
    PredictedInputError
        It is a prediction itself.
    DeviceUnavailableError
        See `choose_device`.
    """
    subject = subject_of(image_or_array, channel, scene, times, planes, voxel_size_um, resample=resample)
    models = models_of(model_or_models)
    return plan_subject(subject, models, device, precision, tile, halo, tta=tta)


def plan_subject(
    subject: Subject,
    models: list[Model],
    device: str = "auto",
    precision: str = "auto",
    tile: str | tuple[int, int, int] = "auto",
    halo: int | None = None,
    *,
    tta: bool = False,
) -> PredictionPlan:
    """Decide how to predict from what was found out already; takes and raises what `plan_prediction` does."""
    found = _findings(subject, models)
    chosen = choose_device(device, precision)
    if precision == "auto":
        chosen, said = checked(chosen, models)
        found += said
    tiling = Tiling(tile, halo, chosen, free_memory(chosen))
    targets = Counter(chain.from_iterable(model.targets for model in models))
    jobs = [_job(model, subject, targets, tiling, tta=tta) for model in models]
    if not all(job.exact for job in jobs):
        found.append(
            Finding(
                Level.WARNING,
                "approximate",
                "The halo is smaller than the network's reach: the prediction is approximate.",
            )
        )
    found += [in_parts(job.model.name) for job in jobs if job.tile_dependent]
    outputs = dict(chain.from_iterable(_outputs(subject, job) for job in jobs))
    total = sum(job.tiles_per_volume * len(subject.volumes(job.layout)) for job in jobs)
    estimate = max(_peak_bytes(job, subject) for job in jobs)
    estimate += _result_bytes(outputs)
    return PredictionPlan(outputs, tuple(found), chosen, total, estimate, subject, tuple(jobs))


def _result_bytes(outputs: Mapping[str, Output]) -> int:
    """Size of these outputs, float32."""
    return sum(_BYTES_RESULT * prod(output.shape) for output in outputs.values())


def _job(model: Model, subject: Subject, targets: Counter[str], tiling: Tiling, *, tta: bool) -> Job:
    """A model's share: `targets` are those of all models, by how many predict them."""
    shape = subject.model_shape(model.card)
    grid = tiling.grid(model, shape)
    needed = tiling.network_bytes(model, grid)
    turned_grid = None
    if tta:
        turned_grid = tiling.grid(model, TRANSPOSED.shape(shape))
        needed = max(needed, tiling.network_bytes(model, turned_grid))
    return Job(model, _keys(model, targets), subject.layout(model.card), shape, grid, needed, turned_grid)


def _keys(model: Model, targets: Counter[str]) -> tuple[str, ...]:
    """Keys of a model's outputs: their targets, with the model's name where several models predict one."""
    return tuple(f"{target}/{model.name}" if targets[target] > 1 else target for target in model.targets)


def _peak_bytes(job: Job, subject: Subject) -> int:
    """Memory for the volumes of a job and its network; the mean over orientations is summed up in its result."""
    given = _BYTES_RAW
    if job.shape != subject.volume_shape(job.layout):
        given += _BYTES_RESAMPLED
    volumes_at_once = min(len(subject.volumes(job.layout)), 2)  # the next one is read ahead
    held = prod(job.shape) * (given * volumes_at_once + _BYTES_RESULT * len(job.keys))
    return held + job.network_bytes


def _findings(subject: Subject, models: list[Model]) -> list[Finding]:
    """About image and fit; raises for those that make a prediction impossible."""
    of_array = subject.array_ndim is not None
    found = [
        finding
        for finding in check_image(subject.image, subject.channel)
        # Said below with what it means for the model, where it means something; an array has no channel names.
        if finding.code != "voxel-size-unknown"
        and not (of_array and finding.code in ("not-transmitted", "many-channels"))
        and not (finding.code == "voxel-size-impossible" and not impossible_axes(subject.voxel_size_um))
    ]
    for finding in found:
        if finding.level is Level.ERROR:
            raise _ERRORS.get(finding.code, UnsupportedImageError)(finding.advice)
    for model in models:
        for finding in fit_findings(subject, model, planes_rows_columns(model.network.stride)[0]):
            if finding.level is Level.ERROR:
                raise ModelMismatchError(finding.advice)
            found.append(finding)
    if any(finding.code == "time-step-unknown" and finding.level is Level.WARNING for finding in found):
        found = [f for f in found if f.code != "time-step-unknown" or f.level is Level.WARNING]
    return found


def _outputs(subject: Subject, job: Job) -> Iterator[tuple[str, Output]]:
    card = job.model.card
    shape, axes = subject.result_shape(), subject.result_axes(card)
    for key, target in zip(job.keys, card.targets, strict=True):
        step = subject.image.time_step_s
        yield key, Output(key, target, card.name, shape, axes, subject.voxel_size_um, step, card.disclaimer)
