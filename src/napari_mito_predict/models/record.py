"""How a prediction was made: the document beside each result, and in the layers that show one."""

from __future__ import annotations

import json
import os
import uuid
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.image.names import has_no_image, record_path
from napari_mito_predict.image.record_within import LARGEST_RECORD_BYTES, record_within

SCHEMA_VERSION = 3
"""Version 1 had no such field: notes were sentences, and one device was named, the planned one. Version 2 had no light,
and no findings that are severe."""


class Quantity(StrEnum):
    """What the numbers of a result are."""

    PREDICTION = "prediction"
    """A predicted fluorescence."""
    UNCERTAINTY = "uncertainty"
    """How far the predictions of one model for all orientations of an image scatter."""
    DISAGREEMENT = "disagreement"
    """How far the predictions of several models scatter."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ChannelReference(_Part):
    """The channel that was predicted from: its index, from 0, and its name."""

    index: int
    name: str | None = None


class InputRecord(_Part):
    """What was predicted from, so that it can be found and recognised again; sizes in voxels by axis."""

    name: str = ""
    path: str | None = None
    size_bytes: int | None = None
    modified: str | None = None
    sha256_ends: str | None = None
    sha256: str | None = None
    scene: str | None = None
    channel: ChannelReference | None = None
    sizes: dict[str, int] = Field(default_factory=dict)
    time_points: tuple[int, int] | None = None
    """First and last, counted from 0, where only some were predicted from."""
    z_steps: tuple[int, int] | None = None
    """In the same way."""
    dtype: str | None = None
    voxel_size_um: tuple[float | None, ...] = ()
    time_step_s: float | None = None


class ModelRecord(_Part):
    """Which model predicted, by its name and the fingerprint of its weights; whose it is, on what terms.

    The licence is that of the model, not of what it predicted.
    """

    name: str = ""
    title: str = ""
    weights_sha256: str = ""
    simulated: bool = False
    licence: str = ""
    attribution: str = ""


class DeviceUse(_Part):
    """A device that computed, and in which precision: ``32``, ``bf16`` or ``16``."""

    device: str
    device_name: str = ""
    precision: str = "32"


class ParametersRecord(_Part):
    """How the network was applied; sizes in voxels (z, y, x) at the model's voxel size in micrometres.

    `orientations` counts the flips and quarter turns in y, x that the prediction is the mean of: 8 with test-time
    augmentation, 1 without. `smooth_time` counts the time points that each one of a series is smoothed over, by a
    Gaussian of a quarter of that, 1 for none.
    """

    third_axis: str | None = None
    voxel_size_um: tuple[float | None, ...] = ()
    shape_predicted: tuple[int, ...] = ()
    resampled: bool = False
    normalisation: dict[str, Any] = Field(default_factory=dict)
    tile: tuple[int, ...] = ()
    halo: tuple[int, ...] = ()
    tiling: str = ""
    orientations: int = 1
    smooth_time: int = 1


class PredictionRecord(_Part):
    """How one prediction was made; or how each channel of a file of several was.

    Everything has a default: records of earlier versions are read too, and people edit them.

    Attributes
    ----------
    schema_version : int
        See `SCHEMA_VERSION`.
    image_id : str
        Of the image that it was written for, which holds the same record. Empty in those of versions before that.
    channel : str
        Title of the channel, in a file of several.
    target, stain : str
        What was predicted.
    disclaimer : str
        What has to be said with every showing of it; empty for models of real cells.
    quantity : Quantity
        Whether this is the prediction itself, or how far several scatter.
    values : str
        What the numbers mean.
    input, model, parameters
        From what, by what, and how.
    computed_on : tuple of DeviceUse
        What really computed, in the order of use: several where memory ran out on the first.
    findings : tuple of Finding
        What has to be known of this image with this model.
    light : {"green", "amber", "red", ""}
        The worst of the findings as a colour; empty where it would be green, but nobody looked at the pixels.
    versions : dict of str to str
        Of the packages that computed.
    created : str
        ISO time, UTC.
    channels : tuple of PredictionRecord
        Of a file of several predictions: one record for each of its channels.
    members : tuple of PredictionRecord
        Of a disagreement: how each of the predictions was made that it compares.
    """

    schema_version: int = SCHEMA_VERSION
    image_id: str = ""
    channel: str = ""
    target: str = ""
    stain: str = ""
    disclaimer: str = ""
    quantity: Quantity = Quantity.PREDICTION
    values: str = ""
    input: InputRecord = InputRecord()
    model: ModelRecord = ModelRecord()
    parameters: ParametersRecord = ParametersRecord()
    computed_on: tuple[DeviceUse, ...] = ()
    findings: tuple[Finding, ...] = ()
    light: Literal["green", "amber", "red", ""] = ""
    versions: dict[str, str] = Field(default_factory=dict)
    created: str = ""
    channels: tuple[PredictionRecord, ...] = ()
    members: tuple[PredictionRecord, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_version_1(cls, given: Any) -> Any:
        """Bring a record of version 1 into today's form: notes become findings, its one device what computed."""
        if not isinstance(given, dict) or "schema_version" in given:
            return given
        record = dict(given)
        parameters = record.get("parameters")
        if isinstance(parameters, dict) and parameters.get("device"):
            used = {key: parameters[key] for key in ("device", "device_name", "precision") if parameters.get(key)}
            record.setdefault("computed_on", parameters.get("computed_on") or [used])
        notes = record.pop("notes", ())
        if isinstance(notes, list | tuple):
            record.setdefault("findings", [Finding(Level.INFO, "note", str(note)) for note in notes])
        return record

    @field_validator("schema_version")
    @classmethod
    def _not_newer(cls, version: int) -> int:
        if version > SCHEMA_VERSION:
            raise ValueError(f"written by a newer version (schema {version}, known are 1 to {SCHEMA_VERSION})")
        return version

    @property
    def is_known(self) -> bool:
        """Whether any field was recorded: a record that was never written has defaults only."""
        return bool(self.model_fields_set)

    @property
    def notes(self) -> tuple[str, ...]:
        """The findings as sentences."""
        return tuple(finding.advice for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready data, without fields that nobody set."""
        return {"schema_version": self.schema_version} | self.model_dump(mode="json", exclude_unset=True)

    def to_json(self) -> str:
        """The record as indented JSON text, as it stands in the file beside a prediction."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def of_new_image(self) -> PredictionRecord:
        """The record of an image that is about to be written: the same with an id that no other image has."""
        return self.model_copy(update={"image_id": uuid.uuid4().hex})

    def within_image(self) -> dict[str, Any]:
        """As it goes into the image itself, which may be passed on: without the path of what was predicted from."""
        anywhere = self.input.model_copy(update={"path": None})
        return self.model_copy(update={"input": anywhere}).to_dict()

    def write(self, image: Path) -> None:
        """Write the record of the prediction at `image` beside it, completely or not at all."""
        atomic_write_text(record_path(image), self.to_json())


def find_record(image: Path) -> Path | None:
    """Where the record of the prediction at `image` is; None where there is none."""
    path = record_path(image)
    if os.path.isfile(path):
        return path
    return None


def read_record(image: Path) -> PredictionRecord | None:
    """Read the record of a prediction, beside it, such as ``cells.prediction.json`` for ``cells.ome.tif``, or within.

    That within was written with the pixels. That beside may have been edited, and is believed where it was written for
    this image: whoever is killed while an image is replaced may leave the record of the one before.

    Returns
    -------
    PredictionRecord or None
        None where there is none.

    Raises
    ------
    EvaluationError
        There is a record beside, but it cannot be read; or it is of another image, and there is none within.
    """
    within, beside = _read_within(image), read_record_beside(image)
    if beside is None:
        return within
    if beside.image_id == (within.image_id if within is not None else ""):
        return beside
    if within is None:
        raise EvaluationError(
            f"this record was written for another image of this name: {image.name} has none of its own. "
            "Predict anew, or remove it to go on without.",
            file=record_path(image),
        )
    return within


def read_record_beside(image: Path) -> PredictionRecord | None:
    """Read the record beside an image, of whatever image it is; None where there is none.

    Raises
    ------
    EvaluationError
        It cannot be read.
    """
    path = find_record(image)
    if path is None:
        return None
    try:
        if path.stat().st_size > LARGEST_RECORD_BYTES:
            raise ValueError("it is far too large")
        return PredictionRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            raise EvaluationError(
                f"the record of {image.name} cannot be read ({first['msg']}). Remove it to go on without.", file=path
            ) from error
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise EvaluationError(
            f"this is no record of a prediction ({where}: {first['msg']}). Remove it to go on without.", file=path
        ) from error
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"the record of {image.name} cannot be read ({error}). Remove it to go on without.", file=path
        ) from error


def is_left_over(image: Path) -> bool:
    """Whether the record of `image` is one without any image: that was never written to the end, or is gone."""
    if not has_no_image(record_path(image)):
        return False
    try:
        return read_record_beside(image) is not None
    except EvaluationError:  # of that name, but no record of ours
        return False


def _read_within(image: Path) -> PredictionRecord | None:
    """The record within an image; None where it is none, or says nothing that is understood."""
    record = record_within(image)
    if record is None:
        return None
    try:
        return PredictionRecord.model_validate(record)
    except ValidationError:
        return None
