"""Axes and sizes of a described model, as a graph needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import ForeignModelError
from napari_mito_predict.models.graphs import AxisSize

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import InputTensorDescr, OutputTensorDescr

    from napari_mito_predict.models.card import ThirdAxis

_MICROMETRES = {"nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3}
_SECONDS = {"millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0}


def input_letters(tensor: InputTensorDescr) -> str:
    """One letter for each axis, see `napari_mito_predict.models.graphs.GraphArguments`.

    Raises
    ------
    ForeignModelError
        It is no image of one channel.
    """
    if _channels(tensor.axes) != 1:
        raise ForeignModelError(
            f"it takes images of {_channels(tensor.axes)} channels; from one channel of transmitted light only one can "
            "be given."
        )
    return _letters(tensor.axes, "input")


def output_letters(tensor: OutputTensorDescr, given: InputTensorDescr) -> str:
    """The same of an output.

    Raises
    ------
    ForeignModelError
        It is no image on the grid of the input.
    """
    letters = _letters(tensor.axes, f"output '{tensor.id}'")
    inputs = {str(axis.id): axis for axis in given.axes}
    for axis, letter in zip(tensor.axes, letters, strict=True):
        if letter in "zyx" and not _same_grid(axis, inputs.get(str(axis.id)), given):
            raise ForeignModelError(
                f"its output '{tensor.id}' is not on the grid of its input, along the axis '{axis.id}': such models "
                "are not run here."
            )
    return letters


def channels(tensor: OutputTensorDescr) -> int:
    """How many images an output is."""
    return _channels(tensor.axes)


def channel_names(tensor: OutputTensorDescr) -> list[str]:
    """What they are called there; empty where there is no axis of channels."""
    for axis in tensor.axes:
        if axis.type == "channel":
            return [str(name) for name in axis.channel_names]
    return []


def sizes(given: InputTensorDescr, outputs: Sequence[OutputTensorDescr]) -> tuple[AxisSize, ...]:
    """Sizes along z (if there is one), y and x, with the largest halo of all outputs."""
    found = []
    for letter in "zyx":
        axis = _axis(given, letter)
        if axis is None:
            continue
        if not isinstance(axis.size, int) and not hasattr(axis.size, "step"):
            raise ForeignModelError(f"the size of its axis '{axis.id}' depends on another axis: this is not done.")
        halos = [_halo(output, str(axis.id)) for output in outputs]
        smallest, step = (axis.size, 0) if isinstance(axis.size, int) else (axis.size.min, axis.size.step)
        try:
            found.append(AxisSize(min=smallest, step=step, halo=max(halos)))
        except ValueError as error:
            raise ForeignModelError(f"the size of its axis '{axis.id}' cannot be ({smallest}, step {step}).") from error
    return tuple(found)


def third_axis(given: InputTensorDescr) -> ThirdAxis | None:
    """Whether there is a third axis, and which."""
    axis = _axis(given, "z")
    if axis is None:
        return None
    return "t" if axis.type == "time" else "z"


def voxel_size_um(given: InputTensorDescr) -> tuple[float | None, float | None, float | None]:
    """Sampling of z, y and x as far as it is said, all or nothing in the plane."""
    z = _scale(_axis(given, "z"), _MICROMETRES)
    y = _scale(_axis(given, "y"), _MICROMETRES)
    x = _scale(_axis(given, "x"), _MICROMETRES)
    if y is None or x is None:
        return None, None, None
    return z, y, x


def time_step_s(given: InputTensorDescr) -> float | None:
    """Step of a time axis, where it is said."""
    return _scale(_axis(given, "z"), _SECONDS)


def _letters(axes: Sequence[Any], what: str) -> str:
    letters = "".join(_letter(axis, what) for axis in axes)
    third = letters.count("z")
    if third > 1 or "y" not in letters or "x" not in letters:
        named = ", ".join(str(axis.id) for axis in axes)
        raise ForeignModelError(f"its {what} is no image: its axes are {named}.")
    return letters


def _letter(axis: Any, what: str) -> str:
    if axis.type == "batch":
        return "b"
    if axis.type == "channel":
        return "c"
    if axis.size == 1 and str(axis.id) not in ("y", "x"):
        return "1"
    if axis.type == "time":
        return "z"
    if axis.type == "space" and str(axis.id) in ("z", "y", "x"):
        return str(axis.id)
    raise ForeignModelError(f"the axis '{axis.id}' of its {what} is none of z, y, x and time.")


def _axis(tensor: Any, letter: str) -> Any:
    """The axis of a letter; None where there is none."""
    letters = _letters(tensor.axes, "input")
    return tensor.axes[letters.index(letter)] if letter in letters else None


def _channels(axes: Sequence[Any]) -> int:
    return next((int(axis.size) for axis in axes if axis.type == "channel"), 1)


def _same_grid(axis: Any, reference: Any, given: InputTensorDescr) -> bool:
    """Whether an axis of an output has the voxels of one of the input."""
    if reference is None:
        return False
    if isinstance(axis.size, int):
        return bool(axis.size == reference.size)
    size = axis.size
    scales: tuple[float, float] = (axis.scale, reference.scale)
    if str(size.tensor_id) != str(given.id) or str(size.axis_id) != str(axis.id):
        return False
    return size.offset == 0 and scales[0] == scales[1]


def _halo(output: OutputTensorDescr, name: str) -> int:
    return next((getattr(axis, "halo", 0) for axis in output.axes if str(axis.id) == name), 0)


def _scale(axis: Any, units: dict[str, float]) -> float | None:
    if axis is None or axis.unit not in units:
        return None
    return float(axis.scale) * units[axis.unit]
