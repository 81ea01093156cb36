"""The record of a prediction: what was planned, what was found on the way, and what really computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from napari_mito_predict._versions import versions_of
from napari_mito_predict.errors import UnreadableImageError
from napari_mito_predict.image.names import as_text
from napari_mito_predict.image.zarr_plates import scene_signature
from napari_mito_predict.models.record import (
    ChannelReference,
    DeviceUse,
    InputRecord,
    ModelRecord,
    ParametersRecord,
    PredictionRecord,
    Quantity,
)
from napari_mito_predict.prediction.context import in_parts
from napari_mito_predict.prediction.traffic_light import Colour, traffic_light

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding
    from napari_mito_predict.models.card import ModelCard
    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.result import Output
    from napari_mito_predict.prediction.volumes import Subject

_COMPUTING = ("napari-mito-predict", "torch", "numpy", "scipy")
_VALUES = {
    Quantity.PREDICTION: "z-scores of the training truth: brightness is relative, not calibrated",
    Quantity.UNCERTAINTY: "standard deviation over the predictions of all orientations, in z-scores of the training "
    "truth: what the model makes of the same cell when it is flipped or turned, and not the error",
    Quantity.DISAGREEMENT: "standard deviation over the predictions of several models, in z-scores of the training "
    "truth: how far they disagree, and not the error",
}


def make_record(
    output: Output,
    job: Job,
    subject: Subject,
    devices: Iterable[Device],
    findings: Sequence[Finding],
    *,
    looked: bool,
) -> PredictionRecord:
    """Put together how one output is made.

    Parameters
    ----------
    output, job, subject
        What is predicted, by which model's share of the plan, from what.
    devices : iterable of Device
        What computed, in the order of use; the planned one where nothing was computed yet.
    findings : sequence of Finding
        About all models; those about others are left out.
    looked : bool
        Whether the pixels were looked at: a light is green only then.
    """
    card = job.model.card
    findings = [finding for finding in findings if finding.model in ("", job.model.name)]
    return PredictionRecord(
        target=output.target.name,
        stain=output.target.stain,
        disclaimer=card.disclaimer,
        quantity=output.quantity,
        values=_VALUES[output.quantity],
        input=_input(subject),
        model=_model(card),
        parameters=_parameters(output, job, subject, findings),
        computed_on=tuple(
            DeviceUse(device=device.kind, device_name=device.name, precision=device.precision) for device in devices
        ),
        findings=tuple(findings),
        light=_light(job.model.name, findings, looked=looked),
        versions=versions_of(_COMPUTING),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def disagreement_record(output: Output, members: Sequence[PredictionRecord]) -> PredictionRecord:
    """Put together how a disagreement is made, from how each of the predictions is that it compares."""
    return PredictionRecord(
        target=output.target.name,
        stain=output.target.stain,
        disclaimer=output.disclaimer,
        quantity=output.quantity,
        values=_VALUES[output.quantity],
        input=members[0].input,
        model=ModelRecord(name=output.model_name, simulated=any(member.model.simulated for member in members)),
        members=tuple(members),
        versions=members[0].versions,
        created=members[0].created,
    )


def composite_record(outputs: Sequence[Output], records: Sequence[PredictionRecord]) -> PredictionRecord:
    """One record for a file of several predictions: all disclaimers, then the record of each channel."""
    channels = [record.model_copy(update={"channel": o.title}) for o, record in zip(outputs, records, strict=True)]
    disclaimers = dict.fromkeys(output.disclaimer for output in outputs if output.disclaimer)
    return PredictionRecord(disclaimer=" ".join(disclaimers), channels=tuple(channels))


def _input(subject: Subject) -> InputRecord:
    image = subject.image
    file: dict[str, object] = {}
    if image.path is not None:
        file["path"] = as_text(image.path)
        with suppress(UnreadableImageError):  # gone since its pixels were read: what they were made from stays known
            file |= scene_signature(image.path, image.scenes[image.scene])
    channel = image.channels[subject.channel]
    return InputRecord.model_validate(
        {
            "name": image.name,
            **file,
            "scene": image.scenes[image.scene],
            "channel": ChannelReference(index=subject.channel, name=channel.name),
            "sizes": dict(image.sizes),
            "time_points": _first_and_last(image.info.times),
            "z_steps": _first_and_last(image.info.planes),
            "dtype": str(image.dtype),
            "voxel_size_um": subject.voxel_size_um,
            "time_step_s": image.time_step_s,
        }
    )


def _light(model: str, findings: Sequence[Finding], *, looked: bool) -> str:
    colour = traffic_light(model, findings).colour
    if colour is Colour.GREEN and not looked:
        return ""
    return colour.value


def _first_and_last(part: range | None) -> tuple[int, int] | None:
    if part is None:
        return None
    return part[0], part[-1]


def _model(card: ModelCard) -> ModelRecord:
    return ModelRecord(
        name=card.name,
        title=card.title,
        weights_sha256=card.weights.sha256,
        simulated=bool(card.simulated),
        licence=card.licence,
        attribution=card.attribution,
    )


def _parameters(output: Output, job: Job, subject: Subject, findings: Sequence[Finding]) -> ParametersRecord:
    card = job.model.card
    return ParametersRecord(
        third_axis=job.layout.value,
        voxel_size_um=card.input.voxel_size_um,
        shape_predicted=job.shape,
        resampled=job.shape != subject.volume_shape(job.layout),
        normalisation=card.input.normalisation.model_dump(mode="json"),
        tile=job.grid.core,
        halo=tuple(axis.halo for axis in job.grid.axes),
        tiling=_tiling(job, findings),
        orientations=len(job.views),
        smooth_time=output.smooth_time,
    )


def _tiling(job: Job, findings: Sequence[Finding]) -> str:
    if in_parts(job.model.name).code in {finding.code for finding in findings}:
        return "approximate: the network looks at the whole image, but was given it in parts"
    if job.exact:
        return "exact"
    return "approximate: the halo is smaller than the network's reach"
