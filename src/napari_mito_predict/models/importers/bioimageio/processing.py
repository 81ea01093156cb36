"""Pre- and postprocessing of a described model, as our normalisation and as steps beside the graph.

All statistics of preprocessing are those of the image as it was recorded: one step may need some, the first. What
cannot be done in just that way is refused by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_mito_predict.errors import ForeignModelError
from napari_mito_predict.models.card import Normalisation
from napari_mito_predict.models.graphs import Step

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import InputTensorDescr, OutputTensorDescr

_FLOATS = ("float32", "float64")
_LARGEST_EPS = 1e-3
"""Added to a divisor; our normalisation adds nothing."""
_FIXED_EPS = 1e-6
"""What the library adds to a fixed standard deviation."""


class Preprocessing(NamedTuple):
    """What happens to an image before a graph gets it."""

    normalisation: Normalisation
    before: tuple[Step, ...]
    dtype: str


def preprocessing(tensor: InputTensorDescr) -> Preprocessing:
    """Of an input.

    Raises
    ------
    ForeignModelError
        A step cannot be done here.
    """
    steps = [step for step in tensor.preprocessing if step.id != "ensure_dtype"]
    types = [str(step.kwargs.dtype) for step in tensor.preprocessing if step.id == "ensure_dtype"]
    # The first says what an image is; what comes after it is what the network takes.
    dtype = types[-1] if types else "float32"
    if dtype not in _FLOATS or any(kind not in _FLOATS for kind in types[1:]):
        raise ForeignModelError(f"its network takes values of the type {dtype}: only decimal numbers are given here.")
    normalisation = Normalisation(kind="fixed", offset=0.0, scale=1.0)
    if steps:
        first = _normalisation(steps[0], tensor)
        if first is not None:
            normalisation = first
            steps = steps[1:]
    return Preprocessing(normalisation, tuple(_step(step, tensor, "preprocessing") for step in steps), dtype)


def postprocessing(tensor: OutputTensorDescr) -> tuple[Step, ...]:
    """Of an output; raises what `preprocessing` does."""
    steps = []
    for step in tensor.postprocessing:
        if step.id == "ensure_dtype":
            if step.kwargs.dtype not in _FLOATS:
                raise ForeignModelError(
                    f"its output '{tensor.id}' is turned into whole numbers ({step.kwargs.dtype}): it is no image of "
                    "brightness."
                )
            continue
        steps.append(_step(step, tensor, "postprocessing"))
    return tuple(steps)


def _normalisation(step: Any, tensor: InputTensorDescr) -> Normalisation | None:
    """A step that needs statistics of the image, as our normalisation; None for others."""
    if step.id == "zero_mean_unit_variance":
        _require_whole(step, tensor)
        return Normalisation(kind="zscore", clip_percentiles=None)
    if step.id == "scale_range":
        _require_whole(step, tensor)
        if step.kwargs.reference_tensor not in (None, tensor.id):
            raise _refused(step, "preprocessing", "it takes its range from another tensor")
        percentiles = (float(step.kwargs.min_percentile), float(step.kwargs.max_percentile))
        return Normalisation(kind="range", percentiles=percentiles)
    return None


def _require_whole(step: Any, tensor: InputTensorDescr) -> None:
    """Refuse statistics of planes or rows; those of one image are meant whether the batch is named or not."""
    if step.kwargs.axes is not None:
        sizes = {str(axis.id): axis.size for axis in tensor.axes if axis.type not in ("batch", "channel")}
        needed = {name for name, size in sizes.items() if size != 1}
        left = sorted(needed - {str(axis) for axis in step.kwargs.axes})
        if left:
            raise _refused(step, "preprocessing", f"it is done for each {' and '.join(left)}, not for the whole image")
    if step.kwargs.eps > _LARGEST_EPS:
        raise _refused(step, "preprocessing", f"it adds {step.kwargs.eps:g} to its divisor")


def _step(step: Any, tensor: InputTensorDescr | OutputTensorDescr, where: str) -> Step:
    """A step voxel by voxel."""
    if step.id == "sigmoid":
        return Step(kind="sigmoid")
    if step.id == "softmax" and where == "postprocessing":
        axis = next(axis for axis in tensor.axes if axis.id == step.kwargs.axis)
        if axis.type == "channel":
            return Step(kind="softmax")
    if step.id == "clip":
        if step.kwargs.min_percentile is None and step.kwargs.max_percentile is None:
            return Step(kind="clip", low=step.kwargs.min, high=step.kwargs.max)
        raise _refused(step, where, "it clips at percentiles")
    if step.id == "scale_linear":
        return _linear(step, tensor, where, _numbers(step.kwargs.gain), _numbers(step.kwargs.offset))
    if step.id == "fixed_zero_mean_unit_variance":
        spreads = [spread + _FIXED_EPS for spread in _numbers(step.kwargs.std)]
        means = _numbers(step.kwargs.mean)
        offsets = [-mean / spread for mean, spread in zip(means, spreads, strict=True)]
        return _linear(step, tensor, where, [1 / spread for spread in spreads], offsets)
    if step.id in ("zero_mean_unit_variance", "scale_range"):
        raise _refused(step, where, "it needs statistics of what was processed before")
    raise _refused(step, where, "that is not done here")


def _linear(step: Any, tensor: Any, where: str, gain: Sequence[float], offset: Sequence[float]) -> Step:
    """``gain * value + offset``, one for all channels or one for each."""
    axis = getattr(step.kwargs, "axis", None)
    along = next((each.type for each in tensor.axes if each.id == axis), None)
    if axis is not None and along != "channel":
        raise _refused(step, where, f"it differs along the axis '{axis}'")
    count = max(len(gain), len(offset))
    channels = next((int(each.size) for each in tensor.axes if each.type == "channel"), 1)
    if count not in (1, channels):
        raise _refused(step, where, f"it has {count} values for {channels} channels")
    return Step(kind="linear", gain=tuple(gain), offset=tuple(offset))


def _numbers(value: float | Iterable[float]) -> list[float]:
    if isinstance(value, int | float):
        return [float(value)]
    return [float(number) for number in value]


def _refused(step: Any, where: str, reason: str) -> ForeignModelError:
    return ForeignModelError(f"its {where} '{step.id}' cannot be done just as it is meant: {reason}.")
