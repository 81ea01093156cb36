"""Deciding everything about a prediction before anything is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import (
    DoubtfulPredictionError,
    IncompleteImageError,
    MetadataError,
    ModelMismatchError,
    PredictionError,
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
from napari_mito_predict.models.record import Quantity
from napari_mito_predict.prediction.context import in_parts
from napari_mito_predict.prediction.device import Device, choose_device
from napari_mito_predict.prediction.disagreement import Disagreement, find_disagreements
from napari_mito_predict.prediction.fit import findings as fit_findings
from napari_mito_predict.prediction.given import models_of, subject_of
from napari_mito_predict.prediction.job import Job
from napari_mito_predict.prediction.memory import free_memory
from napari_mito_predict.prediction.orientations import TRANSPOSED
from napari_mito_predict.prediction.precision import checked
from napari_mito_predict.prediction.record import disagreement_record, make_record
from napari_mito_predict.prediction.result import Output, deviation_target
from napari_mito_predict.prediction.smoothing import check_smoothing, smoothing_bytes
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
_LONGEST_AXIS = 2**24
_LARGEST_STACK = 2**43
"""Voxels: ten terabytes in one z-stack."""


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
    disagreements : tuple of Disagreement
        The targets that several of them predict, where an uncertainty is wanted.
    """

    outputs: dict[str, Output]
    findings: tuple[Finding, ...]
    device: Device
    total: int
    estimate_bytes: int
    subject: Subject = field(repr=False)
    jobs: tuple[Job, ...] = field(repr=False)
    looked: bool = False
    disagreements: tuple[Disagreement, ...] = field(default=(), repr=False)

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

    @property
    def smooth_time(self) -> int:
        """Over how many time points the outputs are smoothed; 1 for none."""
        return next(iter(self.outputs.values())).smooth_time

    def job_of(self, key: str) -> Job:
        """The model that gives the output `key`."""
        return next(job for job in self.jobs if key in job.result_keys)

    def record(self, key: str) -> PredictionRecord:
        """How the output `key` will be made; see `Execution.record` for how it was made."""
        return self.record_with(key, lambda job: [self.device], self.findings)

    def record_with(
        self, key: str, devices: Callable[[Job], Sequence[Device]], findings: Sequence[Finding]
    ) -> PredictionRecord:
        """How the output `key` is made, with what is found, and with the devices that compute each job."""
        for each in self.disagreements:
            if each.output.key == key:
                members = [self.record_with(member, devices, findings) for member in each.members]
                return disagreement_record(each.output, members)
        job = self.job_of(key)
        return make_record(self.outputs[key], job, self.subject, devices(job), findings, looked=self.looked)

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
    uncertainty: bool = False,
    smooth_time: int = 1,
) -> PredictionPlan:
    """Decide how to predict, and say what is to be known about it.

    Parameters
    ----------
    image_or_array, model_or_models, channel, scene, times, planes, voxel_size_um, resample, device, precision, tile
        As in `napari_mito_predict.prediction.predict`, and so are `tta`, `uncertainty` and
        `smooth_time`.
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
    PredictionError
        A tile that is none; an uncertainty from tiles that shall have less context than the network looks at.
    SmoothingError
        See `check_smoothing`.
    """
    subject = subject_of(image_or_array, channel, scene, times, planes, voxel_size_um, resample=resample)
    models = models_of(model_or_models)
    return plan_subject(
        subject, models, device, precision, tile, halo, tta=tta, uncertainty=uncertainty, smooth_time=smooth_time
    )


def plan_subject(
    subject: Subject,
    models: list[Model],
    device: str = "auto",
    precision: str = "auto",
    tile: str | tuple[int, int, int] = "auto",
    halo: int | None = None,
    *,
    tta: bool = False,
    uncertainty: bool = False,
    smooth_time: int = 1,
) -> PredictionPlan:
    """Decide how to predict from what was found out already; takes and raises what `plan_prediction` does."""
    _refuse_endless(subject)
    found = _findings(subject, models)
    chosen = choose_device(device, precision)
    if precision == "auto":
        chosen, said = checked(chosen, models)
        found += said
    tiling = Tiling(tile, halo, chosen, free_memory(chosen))
    targets = Counter(chain.from_iterable(model.targets for model in models))
    jobs = [_job(model, subject, targets, tiling, tta=tta, uncertainty=uncertainty) for model in models]
    if not all(job.exact for job in jobs):
        if uncertainty:
            raise PredictionError(
                "With a halo smaller than the network's reach neighbouring tiles are blended, and differences between "
                "orientations would be averaged away: predict the uncertainty without a halo of your own."
            )
        found.append(
            Finding(
                Level.WARNING,
                "approximate",
                "The halo is smaller than the network's reach: the prediction is approximate.",
            )
        )
    found += [in_parts(job.model.name) for job in jobs if job.tile_dependent]
    outputs = dict(chain.from_iterable(_outputs(subject, job, smooth_time) for job in jobs))
    disagreements: tuple[Disagreement, ...] = ()
    if uncertainty:
        disagreements, said = find_disagreements(jobs, outputs)
        found += said
        outputs |= {each.output.key: each.output for each in disagreements}
    check_smoothing(smooth_time, outputs, subject.image.name)
    total = sum(job.tiles_per_volume * len(subject.volumes(job.layout)) for job in jobs)
    estimate = max(_peak_bytes(job, subject) for job in jobs)
    estimate += sum(each.bytes_held(subject) for each in disagreements)
    estimate += _result_bytes(outputs) + smoothing_bytes(smooth_time, outputs)
    return PredictionPlan(
        outputs, tuple(found), chosen, total, estimate, subject, tuple(jobs), disagreements=disagreements
    )


def _refuse_endless(subject: Subject) -> None:
    """Refuse sizes that no recording has before anything is made for each tile or plane of it.

    Raises
    ------
    UnsupportedImageError
        More voxels along an axis, in a stack, or more planes than are predicted.
    """
    sizes = subject.image.sizes
    stack = prod(sizes[axis] for axis in "ZYX")
    planes = prod(sizes[axis] for axis in "TCZ")
    if max(sizes.values()) > _LONGEST_AXIS or stack > _LARGEST_STACK or planes > _LONGEST_AXIS:
        declared = ", ".join(f"{axis} {size}" for axis, size in sizes.items())
        raise UnsupportedImageError(
            f"it declares {declared}. At most {_LONGEST_AXIS:,} voxels along an axis, as many planes, and "
            f"{_LARGEST_STACK:,} voxels in a stack are predicted. If it is not that large, it is damaged.",
            file=subject.image.path or subject.image.name,
        )


def _result_bytes(outputs: Mapping[str, Output]) -> int:
    """Size of these outputs, float32."""
    return sum(_BYTES_RESULT * prod(output.shape) for output in outputs.values())


def _job(model: Model, subject: Subject, targets: Counter[str], tiling: Tiling, *, tta: bool, uncertainty: bool) -> Job:
    """A model's share: `targets` are those of all models, by how many predict them."""
    shape = subject.model_shape(model.card)
    grid = tiling.grid(model, shape)
    needed = tiling.network_bytes(model, grid)
    turned_grid = None
    if tta or uncertainty:
        turned_grid = tiling.grid(model, TRANSPOSED.shape(shape))
        needed = max(needed, tiling.network_bytes(model, turned_grid))
    keys = _keys(model, targets)
    layout = subject.layout(model.card)
    return Job(model, keys, layout, shape, grid, needed, turned_grid, uncertainty=uncertainty)


def _keys(model: Model, targets: Counter[str]) -> tuple[str, ...]:
    """Keys of a model's outputs: their targets, with the model's name where several models predict one."""
    return tuple(f"{target}/{model.name}" if targets[target] > 1 else target for target in model.targets)


def _peak_bytes(job: Job, subject: Subject) -> int:
    """Memory for the volumes of a job and its network; what is taken over orientations is summed up in place."""
    given = _BYTES_RAW
    if job.shape != subject.volume_shape(job.layout):
        given += _BYTES_RESAMPLED
    volumes_at_once = min(len(subject.volumes(job.layout)), 2)  # the next one is read ahead
    held = prod(job.shape) * (given * volumes_at_once + _BYTES_RESULT * len(job.result_keys))
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


def _outputs(subject: Subject, job: Job, smooth_time: int) -> Iterator[tuple[str, Output]]:
    card = job.model.card
    shape, axes = subject.result_shape(), subject.result_axes(card)
    predictions = []
    for key, target in zip(job.keys, card.targets, strict=True):
        step = subject.image.time_step_s
        size = subject.voxel_size_um
        output = Output(key, target, card.name, shape, axes, size, step, card.disclaimer, smooth_time=smooth_time)
        predictions.append(output)
        yield key, output
    for key, output in zip(job.uncertainty_keys, predictions, strict=False):
        target = deviation_target(output.target)
        yield key, replace(output, key=key, target=target, quantity=Quantity.UNCERTAINTY)
