"""Does the sampling of an image fit a model: its voxels, its Z step, its time step? Made without torch.

What is off along z, y and x is resampled. An image that is finer than a model knows loses nothing by that. One that is
coarser does not hold what the model looks at, which no resampling brings back: a factor of 2 halves the resolution, and
beyond it the prediction is not to be believed. Where nothing is resampled, structures of half or twice the size are
others to a network, in either direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Final, Protocol

from napari_mito_predict.image import Finding, Level
from napari_mito_predict.prediction.volumes import Layout, Subject, resampled_size

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard

_FAR: Final = 2.0
"""A factor beyond which an image is another one than the model knows, see above."""
_NEAR_ESTIMATE: Final = 1.5
"""An estimated pixel size is not known any better."""
_STEP_TOLERANCE: Final = 0.2
_WORTH_A_WARNING: Final = 0.1
_MANY_VOXELS: Final = 10**6
# Resampled to fewer pixels than this along a side, no cell is left to be seen.
_SMALLEST_PLANE: Final = 16
_MOST_GROWTH: Final = 100


class Described(Protocol):
    """A model, or an entry of the model list."""

    @property
    def name(self) -> str: ...
    @property
    def card(self) -> ModelCard: ...


def check_sampling(subject: Subject, model: Described) -> Iterator[Finding]:
    """Compare the voxel size, the Z step and the time step of an image with those of a model's training."""
    yield from _unknown_sampling(subject, model)
    yield from _voxel_size(subject, model)
    yield from _z_step(subject, model)
    yield from _time_step(subject, model)


def _unknown_sampling(subject: Subject, model: Described) -> Iterator[Finding]:
    if model.card.input.sampling_known:
        return
    estimated = model.card.input.estimated_pixel_um
    ratio = _ratio_to(estimated, subject)
    values = {} if ratio is None else {"ratio": ratio}
    if estimated and ratio and _factor(ratio) > _NEAR_ESTIMATE:
        yield Finding(
            _not_resampled_level(ratio),
            "other-sampling",
            f"Pixels are {_plane_um(subject)}, {model.name} was trained at about {estimated:g} um (estimated), and "
            f"nothing is resampled for it: structures are {1 / ratio:.2f} times as large as it learned, in pixels.",
            f"Resample the image to about {estimated:g} um, or fine-tune the model on your own pairs.",
            values=values,
        )
        return
    about = f" (about {estimated:g} um, estimated)" if estimated else ""
    yield Finding(
        Level.WARNING,
        "model-sampling-unknown",
        f"{model.name} was trained on images that do not know their voxel size{about}: {subject.image.name} is "
        "predicted pixel for pixel, without resampling. Whether structures have the size that it learned is not known.",
        "Use it on images of the same objective, zoom and camera settings as it was trained on.",
        values=values,
    )


def _factor(ratio: float) -> float:
    return max(ratio, 1 / ratio)


def _not_resampled_level(ratio: float) -> Level:
    return Level.SEVERE if _factor(ratio) > _FAR else Level.WARNING


def _ratio_to(estimated: float | None, subject: Subject) -> float | None:
    """Pixel size of the image in units of an estimated one, along the axis where they differ most; None: not known."""
    plane = [size for size in subject.voxel_size_um[1:] if size]
    if estimated is None or not plane:
        return None
    return max((size / estimated for size in plane), key=_factor)


def _plane_um(subject: Subject) -> str:
    return " x ".join(f"{size:.3g}" for size in subject.voxel_size_um[1:] if size) + " um"


def _voxel_size(subject: Subject, model: Described) -> Iterator[Finding]:
    trained = model.card.input.voxel_size_um
    along_z = subject.layout(model.card) is Layout.STACKS and "z" in model.card.input.third_axes
    sizes = [
        (axis, has, wants)
        for axis, has, wants in zip("zyx", subject.voxel_size_um, trained, strict=True)
        if wants and (axis != "z" or along_z)  # what stands in for z (time) is not resampled
    ]
    unknown = [axis for axis, has, _ in sizes if not has]
    if unknown:
        yield Finding(
            Level.WARNING,
            "voxel-size-unknown",
            f"The voxel size along {', '.join(unknown)} is unknown: it is taken to be that of {model.name}, "
            f"{_um(trained)}. If it is not, the prediction is meaningless.",
            "Give the voxel size.",
        )
    ratios = {axis: has / wants for axis, has, wants in sizes if has and _is_resampled(has, wants)}
    if ratios and not subject.resample:
        yield _not_resampled(subject, model, ratios)
    elif ratios:
        yield _impossible_resampling(subject, model) or _other_voxel_size(subject, model, ratios)


def _impossible_resampling(subject: Subject, model: Described) -> Finding | None:
    """A plan that leaves nothing to see, or makes most of what is seen up: the voxel size cannot be right."""
    shape = subject.volume_shape(subject.layout(model.card))
    resampled = subject.model_shape(model.card)
    too_small = min(resampled[1:]) < min(_SMALLEST_PLANE, *shape[1:])
    if not too_small and prod(resampled) <= _MOST_GROWTH * prod(shape):
        return None
    return Finding(
        Level.ERROR,
        "voxel-size-implausible",
        f"Voxels are {_um(subject.voxel_size_um)}, {model.name} was trained at {_um(model.card.input.voxel_size_um)}: "
        f"the image would be resampled from {' x '.join(map(str, shape))} to {' x '.join(map(str, resampled))} voxels, "
        "of which nothing can be predicted.",
        "Check the voxel size, and give the right one.",
    )


def _is_resampled(has: float, wants: float) -> bool:
    """Whether two sizes differ so much that even a very large image would get another number of voxels."""
    return resampled_size(_MANY_VOXELS, has, wants) != _MANY_VOXELS


def _other_voxel_size(subject: Subject, model: Described, ratios: Mapping[str, float]) -> Finding:
    """What the resampling is; `ratios` are the sizes of the image in units of the model's, by axis."""
    shape = subject.volume_shape(subject.layout(model.card))
    resampled = subject.model_shape(model.card)
    change = " x ".join(map(str, shape)) + " to " + " x ".join(map(str, resampled))
    message = (
        f"{_both_sizes(subject, model)}: the image is resampled by {_along(ratios)} for it, from {change} voxels, and "
        "the prediction back."
    )
    if max(ratios.values()) > _FAR:
        message += " So much coarser, it does not hold the fine structures that the model looks for: they are made up."
        fix = f"Record closer to {_um(model.card.input.voxel_size_um)}, or use a model trained at your voxel size."
        return Finding(Level.SEVERE, "very-different-voxel-size", message, fix, values=ratios)
    if max(map(_factor, ratios.values())) > _FAR:
        message += " It was recorded with another magnification than any image that the model knows."
        fix = "Use a model trained closer to this voxel size, or compare with real fluorescence of your cells."
        return Finding(Level.WARNING, "very-different-voxel-size", message, fix, values=ratios)
    if not _is_off(ratios):
        return Finding(Level.INFO, "different-voxel-size", message, values=ratios)
    message += " Noise and fine structures look a little different to the model after that."
    fix = f"Record closer to {_um(model.card.input.voxel_size_um)}, or use a model trained at your voxel size."
    return Finding(Level.WARNING, "different-voxel-size", message, fix, values=ratios)


def _not_resampled(subject: Subject, model: Described, ratios: Mapping[str, float]) -> Finding:
    message = (
        f"{_both_sizes(subject, model)}, and the image is not resampled for it, as you asked: it is off by "
        f"{_along(ratios)}, and structures have another size than the model learned."
    )
    level = Level.INFO
    if _is_off(ratios):
        level = max(map(_not_resampled_level, ratios.values()), key=list(Level).index)
    return Finding(level, "not-resampled", message, "Let the image be resampled.", values=ratios)


def _is_off(ratios: Mapping[str, float]) -> bool:
    return max(abs(ratio - 1) for ratio in ratios.values()) > _WORTH_A_WARNING


def _both_sizes(subject: Subject, model: Described) -> str:
    trained = _um(model.card.input.voxel_size_um)
    return f"Voxels are {_um(subject.voxel_size_um)}, {model.name} was trained at {trained}"


def _along(ratios: Mapping[str, float]) -> str:
    """Such as ``3.33 along z and 1.30 along y, x``."""
    axes: dict[str, list[str]] = {}
    for axis, ratio in ratios.items():
        axes.setdefault(f"{ratio:.2f}", []).append(axis)
    return " and ".join(f"{ratio} along {', '.join(along)}" for ratio, along in axes.items())


def _z_step(subject: Subject, model: Described) -> Iterator[Finding]:
    """Where the voxel size of a model is not known, but its Z step is: nothing is resampled for it."""
    step, have = model.card.input.third_axis_step.get("z"), subject.voxel_size_um[0]
    if subject.layout(model.card) is not Layout.STACKS or "z" not in model.card.input.third_axes or step is None:
        return
    if model.card.input.voxel_size_um[0] is not None:
        return
    if have is None:
        yield Finding(
            Level.WARNING,
            "z-step-unknown",
            f"The Z step is unknown; {model.name} was trained at {step:g} um, and nothing is resampled for it. If "
            "yours is another one, cells have another height than it learned.",
            "Give the voxel size.",
        )
    elif abs(have / step - 1) > _STEP_TOLERANCE:
        yield Finding(
            _not_resampled_level(have / step),
            "different-z-step",
            f"Planes are {have:g} um apart, {model.name} was trained at {step:g} um ({have / step:.2f} times), and "
            "nothing is resampled for it: cells have another height than it learned.",
            f"Record at a Z step of {step:g} um, or use another model.",
            values={"ratio": have / step},
        )


def _time_step(subject: Subject, model: Described) -> Iterator[Finding]:
    step, have = model.card.input.third_axis_step.get("t"), subject.image.time_step_s
    if subject.layout(model.card) is not Layout.SERIES or "t" not in model.card.input.third_axes or step is None:
        return
    if have is None:
        yield Finding(
            Level.WARNING,
            "time-step-unknown",
            f"The time between images is unknown; {model.name} was trained at {step:g} s. If yours is another one, "
            "motion looks faster or slower to it: time is not resampled.",
            "Check that yours is similar.",
        )
    elif abs(have / step - 1) > _STEP_TOLERANCE:
        yield Finding(
            Level.WARNING,
            "different-time-step",
            f"Images are {have:g} s apart, {model.name} was trained at {step:g} s ({have / step:.2f} times): motion "
            "looks faster or slower to it, so that what moves is predicted worse. Time is not resampled.",
            "Use a model trained at a similar interval.",
            values={"ratio": have / step},
        )


def _um(sizes: tuple[float | None, ...]) -> str:
    return " x ".join("?" if size is None else f"{size:.3g}" for size in sizes) + " um (z, y, x)"
