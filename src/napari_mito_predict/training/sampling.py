"""The grid that all fields of a run are brought to, and which fields belong on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mito_predict.errors import ModelError, TrainingDataError
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.models import find_model, read_card

if TYPE_CHECKING:
    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.models.card import ModelCard, ThirdAxis
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.pairs import OpenField, VoxelSize

_KINDS = {"z": "a z-stack", "t": "a time series", None: "a single plane"}


@dataclass(frozen=True)
class Sampling:
    """The grid all fields are brought to.

    Attributes
    ----------
    voxel_size_um : tuple of float or None
        ``(z, y, x)``; z is None where no volume extends along z.
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
        Nobody knows it.
    """
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
        raise TrainingDataError(
            f"{first.field.name}: the file does not know its voxel size. Give it: `voxel_size_um: [z, y, x]` in the "
            "configuration, or in the widget under Advanced."
        )
    steps: dict[ThirdAxis, float] = {}
    if z:
        steps["z"] = z
    if "t" in axes and series is not None and series.time_step_s:
        steps["t"] = series.time_step_s
    return Sampling((z, y, x), axes, steps)


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
    """
    if not config.start_from:
        return None
    try:
        return read_card(find_model(config.start_from))
    except ModelError as error:
        raise TrainingDataError(f"The start model cannot be used. {error}") from error


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
