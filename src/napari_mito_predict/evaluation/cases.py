"""A prediction and its truth, opened, and checked for whether the two can be compared at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field as default
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import (
    AmbiguousChannelError,
    ChannelNotFoundError,
    EvaluationError,
    ImageError,
    PredictedTruthError,
)
from napari_mito_predict.image import Channel, ChannelRole, ImageSource, open_image
from napari_mito_predict.image.zarr_plates import scene_signature
from napari_mito_predict.models import SIMULATED_DISCLAIMER
from napari_mito_predict.models.record import PredictionRecord, Quantity, read_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SAME_SIZE = 0.02
"""Voxel sizes that differ by less than this fraction are the same, rounded differently."""


@dataclass(frozen=True)
class Case:
    """One prediction and its truth, on one grid; nothing of either is read yet.

    Attributes
    ----------
    field : str
        Name of the field of view, the same for all models that predict it.
    target, model : str
        What was predicted, and by which model.
    prediction : ImageSource
        Its only channel holds the prediction.
    prediction_name : str
        File, or how it was made.
    truth : ImageSource
        With the fluorescence in `channel`.
    channel : Channel
        The truth's.
    light : ImageSource or None
        With the transmitted light in channel `light_channel`; None where it is not known.
    light_channel : int
        From 0.
    record : PredictionRecord
        How the prediction was made; empty where nobody wrote it down.
    disclaimer : str
        What has to be said with every showing of this prediction.
    notes : tuple of str
        What was noticed on the way.
    """

    field: str
    target: str
    model: str
    prediction: ImageSource
    prediction_name: str
    truth: ImageSource
    channel: Channel
    light: ImageSource | None = None
    light_channel: int = 0
    record: PredictionRecord = default(default_factory=PredictionRecord)
    disclaimer: str = ""
    notes: tuple[str, ...] = ()

    @property
    def about_truth(self) -> str:
        """What has to be said with every score where the truth is a prediction itself; else empty."""
        if self.channel.prediction is None:
            return ""
        return f"The truth is itself {self.channel.prediction.words}: scores say how far two predictions agree."

    @property
    def names(self) -> str:
        """Both files, for messages."""
        return f"{self.prediction_name} and {self.truth.path or self.truth.name}"


def open_case(
    prediction: Path,
    truth: Path,
    *,
    truth_channel: int | str | None = None,
    scene: int | str | None = None,
    allow_prediction_as_truth: bool = False,
) -> Case:
    """Open a prediction and its truth, and check that they lie on one grid.

    Parameters
    ----------
    prediction : Path
        As `mito-predict predict` writes it; its record beside it is used where there is one.
    truth : Path
        The image with the fluorescence.
    truth_channel : int, str or ChannelRole, optional
        Which channel; without it, the only one or the one of the predicted target.
    scene : int or str, optional
        Of the truth; without it, the one the record names, else the first.
    allow_prediction_as_truth : bool
        Compare two predictions; `Case.about_truth` says so.

    Raises
    ------
    PredictedTruthError
        The truth is a prediction itself, and `allow_prediction_as_truth` is not set.
    EvaluationError
        The two cannot be compared; says what to do. So it is where the first is an uncertainty or a disagreement.
    ImageError
        A file cannot be read, or it is not clear which channel is the truth.
    """
    record = read_record(prediction) or PredictionRecord()
    if record.quantity is not Quantity.PREDICTION:
        raise EvaluationError(
            f"this is the {record.quantity} of a prediction, and not the prediction: compare that with the truth.",
            file=prediction,
        )
    predicted = open_image(prediction)
    if scene is None:
        scene = _scene(truth, record)
    real = _same_part(open_image(truth, scene=scene), record)
    if truth_channel is None:
        channel = find_truth(predicted, real, record)
    else:
        channel = real.channel(truth_channel)
    if not allow_prediction_as_truth:
        refuse_predicted_truth(real, channel)
    made_from_it, note = _made_from(truth, record)
    check_grid(predicted, real, str(prediction), trust_size=made_from_it)
    light, light_channel = _light(real, record, made_from_it)
    return Case(
        field=field_name(real),
        target=record.target or str(predicted.channels[0].role),
        model=record.model.name or "unknown model",
        prediction=predicted,
        prediction_name=str(prediction),
        truth=real,
        channel=channel,
        light=light,
        light_channel=light_channel,
        record=record,
        disclaimer=record.disclaimer or _disclaimer_of(predicted),
        notes=(note,) if note else (),
    )


def refuse_predicted_truth(real: ImageSource, channel: Channel) -> None:
    """Refuse a truth that is a prediction: its score would be taken for agreement with what was recorded.

    Raises
    ------
    PredictedTruthError
        Says by which model, and what to do.
    """
    if channel.prediction is None:
        return
    raise PredictedTruthError(
        f"the truth ({channel.label}) is itself {channel.prediction.words}, and no recording: its score would only say "
        "how far two predictions agree, and a copy scores 1. Give the image with the recorded fluorescence as the last "
        "file, or its channel with --truth-channel. To compare two predictions, add --allow-prediction-as-truth.",
        file=real.path or real.name,
    )


def find_truth(predicted: ImageSource, real: ImageSource, record: PredictionRecord) -> Channel:
    """The truth channel that belongs to a prediction: the only one, the one of its target, or of its stain.

    Raises
    ------
    AmbiguousChannelError
        None or several could be meant; the message lists the channels.
    """
    if len(real.channels) == 1:
        return real.channels[0]
    wanted = [role for role in (record.target, predicted.channels[0].role) if role in _PREDICTED]
    try:
        if wanted:
            return real.channel(ChannelRole(wanted[0]))
        if record.stain:
            return real.channel(record.stain)
    except ChannelNotFoundError:
        pass
    names = ", ".join(f"{c.index}: {c.name or 'unnamed'}" for c in real.channels)
    raise AmbiguousChannelError(
        f"cannot tell which channel is the truth for '{predicted.channels[0].name}'. "
        f"Choose one with --truth-channel ({names}).",
        file=real.path,
    )


_PREDICTED = (ChannelRole.MITOCHONDRIA, ChannelRole.DNA)


def check_grid(predicted: ImageSource, real: ImageSource, prediction_name: str, *, trust_size: bool = False) -> None:
    """Refuse images that do not lie on one grid.

    Parameters
    ----------
    predicted, real : ImageSource
        Prediction and truth.
    prediction_name : str
        For messages.
    trust_size : bool
        The prediction was made from this very truth file, so that another voxel size is the user's correction.

    Raises
    ------
    EvaluationError
        Another number of dimensions, other sizes, or other voxel sizes.
    """
    both = f"{prediction_name} ({_sizes(predicted)}) and {real.path or real.name} ({_sizes(real)})"
    if any(predicted.sizes[axis] != real.sizes[axis] for axis in "TZYX"):
        flat = [image.sizes["Z"] == 1 and image.sizes["T"] == 1 for image in (predicted, real)]
        if flat[0] != flat[1]:
            raise EvaluationError(
                f"{both}: one is a single plane and the other is not. Predict the same planes as the truth has, or "
                "save the plane to compare as a file of its own."
            )
        raise EvaluationError(
            f"{both} have different sizes. Compare a prediction with the file, scene and region it was made from."
        )
    differing = differing_voxel_sizes(predicted, real)
    if differing and not trust_size:
        sizes = ", ".join(f"{axis} {size:.4g} and {other:.4g} um" for axis, (size, other) in differing.items())
        raise EvaluationError(
            f"{both} have different voxel sizes ({sizes}). They show different regions, or one size is wrong: predict "
            "again from the file of the truth (with --voxel-size where that file is wrong)."
        )


def differing_voxel_sizes(first: ImageSource, second: ImageSource) -> dict[str, tuple[float, float]]:
    """Give both sizes along each axis (z, y, x) where they differ, in micrometres; unknown sizes differ from none."""
    differing = {}
    for axis, size, other in zip("zyx", first.voxel_size_um, second.voxel_size_um, strict=True):
        if size and other and not math.isclose(size, other, rel_tol=_SAME_SIZE):
            differing[axis] = (size, other)
    return differing


def field_name(image: ImageSource) -> str:
    """The file's stem, and the scene where there are several."""
    if len(image.scenes) == 1:
        return image.name
    return f"{image.name}, {image.scenes[image.scene]}"


def distinct_models(cases: Sequence[Case]) -> list[str]:
    """A name for the model of each case that tells apart two folders of predictions by models of one name."""
    seen: dict[tuple[str, str, str], set[str]] = {}
    for case in cases:
        key = (case.field, case.target, case.model)
        seen.setdefault(key, set()).add(case.prediction_name)
    doubled = {model for (_, _, model), names in seen.items() if len(names) > 1}
    folders = {Path(case.prediction_name).parent for case in cases if case.model in doubled}
    by_folder = len({folder.name for folder in folders}) == len(folders) > 1
    names = []
    for case in cases:
        name = case.model
        if name in doubled:
            path = Path(case.prediction_name)
            name += f" ({path.parent.name if by_folder else path})"
        names.append(name)
    return names


def read_all(image: ImageSource, channel: int) -> NDArray[Any]:
    """All time points of a channel, ``(T, Z, Y, X)``."""
    return np.stack([image.read(t, channel) for t in range(image.sizes["T"])])


def _disclaimer_of(predicted: ImageSource) -> str:
    """The disclaimer that the file itself carries, for a prediction whose record was lost; else empty."""
    mark = predicted.channels[0].prediction
    return SIMULATED_DISCLAIMER if mark is not None and mark.simulated else ""


def _scene(truth: Path, record: PredictionRecord) -> str | None:
    """The scene the prediction was made from, if the truth has one of that name."""
    scenes = open_image(truth).scenes
    if len(scenes) > 1 and record.input.scene in scenes:
        return record.input.scene
    return None


def _same_part(real: ImageSource, record: PredictionRecord) -> ImageSource:
    """The time points and Z steps of a truth that were predicted, where only some of them were."""
    wanted = {}
    for axis, name, part in (("T", "times", record.input.time_points), ("Z", "planes", record.input.z_steps)):
        if part is not None and part[1] < real.sizes[axis]:  # else the truth was cropped before
            wanted[name] = range(part[0], part[1] + 1)
    return real.crop(**wanted) if wanted else real


def _made_from(truth: Path, record: PredictionRecord) -> tuple[bool, str]:
    """Whether the prediction was made from this very file, and a note if it was made from another of its name."""
    source = record.input
    if source.name != truth.name or source.sha256_ends is None:
        return False, ""
    now = scene_signature(truth, source.scene or "")
    if (now["sha256_ends"], now["size_bytes"]) == (source.sha256_ends, source.size_bytes):
        return True, ""
    # Folders of light and of fluorescence often hold files of the same names.
    if source.path and Path(source.path).exists() and not Path(source.path).samefile(truth):
        return False, ""
    return False, f"{truth.name} is not the file of that name that was predicted from: its content has changed since."


def _light(real: ImageSource, record: PredictionRecord, made_from_it: bool) -> tuple[ImageSource | None, int]:
    """Where the transmitted light is: in the truth's file, or in the file the record names."""
    source = record.input
    used = None if source.channel is None else source.channel.index
    if made_from_it and used is not None and used < len(real.channels):
        return real, used
    if len(real.channels) > 1:
        found = [c.index for c in real.channels if c.role is ChannelRole.TRANSMITTED]
        if len(found) == 1:
            return real, found[0]
    path = Path(source.path or "")
    if used is None or not path.name or not path.exists():
        return None, 0
    try:
        other = open_image(path)
        if source.scene in other.scenes:
            other = other.with_scene(source.scene)
        other = _same_part(other, record)
    except ImageError:
        return None, 0
    on_one_grid = all(other.sizes[axis] == real.sizes[axis] for axis in "TZYX")
    if used < len(other.channels) and on_one_grid:
        return other, used
    return None, 0


def _sizes(image: ImageSource) -> str:
    axes = [axis for axis in "TZYX" if axis in "YX" or image.sizes[axis] > 1]
    return f"{''.join(axes)} {' x '.join(str(image.sizes[axis]) for axis in axes)}"
