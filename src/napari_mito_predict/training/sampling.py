"""The grid that all fields of a run are brought to, and which fields belong on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mito_predict.errors import ModelError, TrainingDataError, TrainingError
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.models import find_model, read_card
from napari_mito_predict.training.config_parts import NETWORKS

if TYPE_CHECKING:
    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.models.card import ModelCard, ThirdAxis
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.pairs import OpenField, VoxelSize

_UNKNOWN: VoxelSize = (None, None, None)
_SHOWN = 3
_KINDS = {"z": "a z-stack", "t": "a time series", None: "a single plane"}


@dataclass(frozen=True)
class Sampling:
    """The grid all fields are brought to.

    Attributes
    ----------
    voxel_size_um : tuple of float or None
        ``(z, y, x)``; z is None where no volume extends along z. All None: nobody knows it, and nothing is resampled.
    third_axes : tuple of {"z", "t"}
        The axes volumes extend along: none for single planes, both for a model of stacks and series alike.
    steps : dict of {"z", "t"} to float
        Their steps, micrometres or seconds, where they are known.
    """

    voxel_size_um: VoxelSize
    third_axes: tuple[ThirdAxis, ...]
    steps: dict[ThirdAxis, float]

    @property
    def ndim(self) -> int:
        """Spatial dimensions of a volume."""
        return 3 if self.third_axes else 2


def choose_sampling(config: TrainingConfig, fields: Sequence[OpenField]) -> Sampling:
    """The sampling asked for, else that of the start model, else that of the first field of each kind.

    Parameters
    ----------
    config : TrainingConfig
    fields : sequence of OpenField
        At least one.

    Raises
    ------
    TrainingDataError
        Some fields know it, and others do not.
    """
    if config.voxel_size_um is None:
        _refuse_mixture(fields)
    first = fields[0]
    axes = config.third_axes or _axes_of(first)
    stack = _first_along(fields, "z")
    series = _first_along(fields, "t")
    known_size = config.voxel_size_um or _start_sampling(config) or (None, None, None)
    z = None
    if "z" in axes:
        z = known_size[0]
        if z is None and stack is not None:
            z = stack.voxel_size_um[0]
    y = known_size[1] or first.image.voxel_size_um[1]
    x = known_size[2] or first.image.voxel_size_um[2]
    if y is None or x is None:
        z = None
    steps: dict[ThirdAxis, float] = {}
    if z:
        steps["z"] = z
    if "t" in axes and series is not None and series.time_step_s:
        steps["t"] = series.time_step_s
    if y is None or x is None:
        return Sampling(_UNKNOWN, axes, steps)
    return Sampling((z, y, x), axes, steps)


def explain_sampling(config: TrainingConfig, fields: Sequence[OpenField], sampling: Sampling) -> tuple[Finding, ...]:
    """What is to be known of a sampling that nobody knows, or that is the start model's; once for all fields."""
    card = start_card(config)
    if sampling.voxel_size_um == _UNKNOWN:
        message = (
            "The images do not know their voxel size: the model learns in pixels, and will take images as they are, "
            "without resampling."
        )
        fix = "Give the voxel size if you know it; else use the model on images of the same microscope settings."
        return (Finding(Level.WARNING, "sampling-unknown", message, fix),)
    if card is None or config.voxel_size_um is not None:
        return ()
    if not card.input.sampling_known:
        message = (
            f"{card.name} was trained on images that do not know their voxel size; yours do, and the new model will be "
            f"for {_um(sampling.voxel_size_um)}."
        )
        return (Finding(Level.INFO, "start-sampling-unknown", message),)
    if knows_sampling(fields[0]):
        return ()
    message = (
        f"The images do not know their voxel size: it is taken to be that of {card.name}, "
        f"{_um(sampling.voxel_size_um)}. If it is not, structures have another size than the start model knows."
    )
    return (Finding(Level.WARNING, "sampling-assumed", message, "Give the voxel size."),)


def knows_sampling(field: OpenField) -> bool:
    """Whether a field knows the size of its pixels."""
    return None not in field.image.voxel_size_um[1:]


def other_kind(field: OpenField, config: TrainingConfig, first: OpenField) -> Finding | None:
    """What is wrong with a field that is of another kind than those trained on; the first field sets the kind."""
    if field.third_axis in (config.third_axes or (first.third_axis,)):
        return None
    mine = _KINDS[field.third_axis]
    if config.third_axes:
        wanted = " or ".join(_KINDS[axis] for axis in config.third_axes)
        message = f"{field.field.name}: {mine}, but `third_axes` asks for {wanted}."
    else:
        message = f"{field.field.name}: {mine}, but {first.field.name} is {_KINDS[first.third_axis]}."
    fix = "Train on one kind at a time: exclude the others."
    if field.third_axis and first.third_axis and not config.third_axes:
        fix = f"{fix[:-1]}, or ask for one model of both with `third_axes: [z, t]`."
    return Finding(Level.ERROR, "other-kind", message, fix, where=field.field.name)


def start_card(config: TrainingConfig) -> ModelCard | None:
    """The card of the model to start from.

    Raises
    ------
    TrainingDataError
        There is no such model, or it is damaged.
    TrainingError
        Its network is not one that is trained here.
    """
    if not config.start_from:
        return None
    try:
        card = read_card(find_model(config.start_from))
    except ModelError as error:
        raise TrainingDataError(f"The start model cannot be used. {error}") from error
    require_trainable(card)
    return card


def require_trainable(card: ModelCard) -> None:
    """Raise `TrainingError` if the network of a model is there for predicting only, as those of other programs are."""
    kind = card.architecture.kind
    if kind not in NETWORKS:
        raise TrainingError(
            f"{card.name} cannot be the start of a training: networks of its kind ({kind}) are there for predicting "
            f"only. Start from a model with one of {', '.join(NETWORKS)}, or from a new network."
        )


def _refuse_mixture(fields: Sequence[OpenField]) -> None:
    known = [field.field.name for field in fields if knows_sampling(field)]
    unknown = [field.field.name for field in fields if not knows_sampling(field)]
    if known and unknown:
        raise TrainingDataError(
            f"{_some(known)} know their voxel size, {_some(unknown)} do not: nobody can tell whether they show cells "
            "at one scale. Train on one kind at a time, or give the voxel size that holds for those without."
        )


def _some(names: Sequence[str]) -> str:
    """A few names, and how many more."""
    listed = ", ".join(names[:_SHOWN])
    if len(names) <= _SHOWN:
        return listed
    return f"{listed} and {len(names) - _SHOWN} more"


def _um(sizes: VoxelSize) -> str:
    return " x ".join(f"{size:g}" for size in sizes if size is not None) + " µm"


def _axes_of(field: OpenField) -> tuple[ThirdAxis, ...]:
    if field.third_axis is None:
        return ()
    return (field.third_axis,)


def _first_along(fields: Sequence[OpenField], axis: ThirdAxis) -> ImageSource | None:
    """The image of the first field whose volumes extend along `axis`."""
    return next((field.image for field in fields if field.third_axis == axis), None)


def _start_sampling(config: TrainingConfig) -> VoxelSize | None:
    card = start_card(config)
    if card is None:
        return None
    return card.input.voxel_size_um
