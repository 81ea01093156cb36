"""Does this model fit this image? Findings in plain words with the numbers; made without torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Literal, Protocol

from napari_mito_predict.image import Finding, Level, Modality
from napari_mito_predict.prediction.volumes import Layout, Subject, resampled_size

if TYPE_CHECKING:
    from napari_mito_predict.image import ChannelRole, ImageSource
    from napari_mito_predict.models.card import ModelCard

_FAR = 2.0  # a factor in voxel size beyond which structures look different, whatever the resampling
_NEAR_ESTIMATE = 1.5  # an estimated pixel size is not known any better
_TIME_TOLERANCE = 0.2
_WORTH_A_WARNING = 0.1
_MANY_VOXELS = 10**6
# Resampled to fewer pixels than this along a side, no cell is left to be seen.
_SMALLEST_PLANE = 16
_MOST_GROWTH = 100


class Described(Protocol):
    """A model, or an entry of the model list."""

    @property
    def name(self) -> str: ...
    @property
    def card(self) -> ModelCard: ...


def check_fit(
    image: ImageSource, model: Described, *, channel: int | str | ChannelRole | None = None, depth_stride: int = 1
) -> list[Finding]:
    """Compare what a model was trained for with what an image is.

    Parameters
    ----------
    image : ImageSource
        The image.
    model : Model or ModelInfo
        Anything with a name and a card.
    channel : int, str or ChannelRole, optional
        The transmitted-light channel; found by role when absent.
    depth_stride : int
        Planes the network works on at a time, ``model.network.stride[0]``, where it is known.

    Returns
    -------
    list of Finding
        Empty when everything fits. An error means that a prediction is impossible.
    """
    subject = Subject(image, image.channel(channel).index, image.voxel_size_um)
    return findings(subject, model, depth_stride)


def verdict(found: Iterable[Finding]) -> Literal["green", "amber", "red"]:
    """One colour for a list of findings: red when impossible, amber when to be taken with care."""
    levels = {finding.level for finding in found}
    if Level.ERROR in levels:
        return "red"
    return "amber" if Level.WARNING in levels else "green"


def findings(subject: Subject, model: Described, depth_stride: int = 1) -> list[Finding]:
    """Compare what a model was trained for with a subject; see `check_fit`."""
    found = [
        *_simulated(subject, model),
        *_unbeaten(model),
        *_modality(subject, model),
        *_third_axis(subject, model, depth_stride),
        *_unknown_sampling(subject, model),
        *_voxel_size(subject, model),
        *_time_step(subject, model),
    ]
    return [replace(finding, model=model.name) for finding in found]


def _simulated(subject: Subject, model: Described) -> Iterator[Finding]:
    if model.card.simulated and not subject.image.simulated:
        yield Finding(
            Level.WARNING,
            "simulated-model",
            f"{model.name}: {model.card.disclaimer}",
            "Compare with real fluorescence of your cells, or fine-tune the model on your own pairs.",
        )


def _unbeaten(model: Described) -> Iterator[Finding]:
    found = model.card.unbeaten
    if not found:
        return
    values: dict[str, float] = {}
    for one in found:
        if one.value is not None:
            values[f"{one.target}, {one.measure}"] = one.value
        values[f"{one.target}, {one.measure}, {one.baseline}"] = one.baseline_value
    yield Finding(
        Level.WARNING,
        "baseline-not-beaten",
        f"In its own test {model.name} was no better than what needs no network: {'; '.join(map(str, found))}. It may "
        "show where a cell is granular, not where the structure is.",
        "Train it longer or on more fields, or use another model.",
        values=values,
    )


def _modality(subject: Subject, model: Described) -> Iterator[Finding]:
    """Whether the image was seen as those of the training were; a model of any transmitted light takes all."""
    trained = model.card.input.modality
    channel = subject.image.channels[subject.channel]
    if trained not in set(Modality) or channel.modality == trained:
        return
    if channel.modality is None:
        yield Finding(
            Level.INFO,
            "modality-unknown",
            f"{model.name} was trained on {trained}; {subject.image.name} does not say what its light is.",
        )
        return
    yield Finding(
        Level.WARNING,
        "other-modality",
        f"{model.name} was trained on {trained}, and the light of '{channel.label}' is {channel.modality}: the same "
        "cells look different to it.",
        f"Record {trained}, or fine-tune the model on your own pairs.",
    )


def _third_axis(subject: Subject, model: Described, depth_stride: int) -> Iterator[Finding]:
    axes, sizes = model.card.input.third_axes, subject.image.sizes
    layout = subject.layout(model.card)
    depth = subject.volume_shape(layout)[0]
    if not axes:
        return
    wanted = " or ".join({"z": "z-stack", "t": "time series"}[axis] for axis in axes)
    if depth == 1:
        yield Finding(
            Level.ERROR,
            "single-plane",
            f"{model.name} needs a {wanted}, but {subject.image.name} is a single plane.",
            f"Record a {wanted}, or use a 2-D model.",
        )
        return
    if layout is Layout.SERIES and "t" not in axes:
        yield Finding(
            Level.WARNING,
            "frames-as-planes",
            f"{model.name} was trained on z-stacks, but {subject.image.name} is a time series: its {sizes['T']} time "
            "points are taken for Z steps, which they are not.",
            "Use a model for time series.",
        )
    if layout is Layout.STACKS and "z" not in axes and not subject.free_third_axis:
        yield Finding(
            Level.WARNING,
            "planes-as-frames",
            f"{model.name} was trained on time series, but {subject.image.name} is a z-stack: its {sizes['Z']} Z steps "
            "are taken for time points, which they are not.",
            "Use a model for z-stacks.",
        )
    planes = subject.model_shape(model.card)[0]
    what = "time points" if layout is Layout.SERIES else "Z steps"
    fewest = _planes_at_a_time(model.card)
    if planes < fewest:
        resampled = "" if planes == depth else f", which are {planes} at its voxel size"
        yield Finding(
            Level.ERROR,
            "too-few-planes",
            f"{model.name} needs at least {fewest} {what}, but {subject.image.name} has {depth}{resampled}.",
            f"Record at least {fewest} {what}, or use another model.",
        )
        return
    if planes < depth_stride:
        yield Finding(
            Level.WARNING,
            "thin-stack",
            f"{model.name} works on {depth_stride} {what} at a time, but has only {planes} here: they are mirrored to "
            "fill up, so the prediction rests on little.",
            f"Record at least {depth_stride} {what}.",
        )


def _planes_at_a_time(card: ModelCard) -> int:
    """Planes that a network takes together, no fewer: its card says so where their number is fixed."""
    given = card.architecture.arguments.get("in_stack_depth", 1)
    return given if isinstance(given, int) else 1


def _unknown_sampling(subject: Subject, model: Described) -> Iterator[Finding]:
    if model.card.input.sampling_known:
        return
    estimated = model.card.input.estimated_pixel_um
    ratio = _ratio_to(estimated, subject)
    values = {} if ratio is None else {"ratio": ratio}
    if estimated and ratio and max(ratio, 1 / ratio) > _NEAR_ESTIMATE:
        yield Finding(
            Level.WARNING,
            "other-sampling",
            f"Pixels are {_plane_um(subject)}, {model.name} was trained at about {estimated:g} um (estimated), and "
            "nothing is resampled for it: structures have another size than it learned.",
            f"Resample the image to about {estimated:g} um, or fine-tune the model on your own pairs.",
            values=values,
        )
        return
    about = f" (about {estimated:g} um, estimated)" if estimated else ""
    yield Finding(
        # Where both sizes are known, if only roughly, nobody has to look for anything.
        Level.WARNING if ratio is None else Level.INFO,
        "model-sampling-unknown",
        f"{model.name} was trained on images that do not know their voxel size{about}: {subject.image.name} is "
        "predicted pixel for pixel, without resampling.",
        "Use it on images of the same objective, zoom and camera settings as it was trained on.",
        values=values,
    )


def _ratio_to(estimated: float | None, subject: Subject) -> float | None:
    """Pixel size of the image in units of an estimated one, along the axis where they differ most; None: not known."""
    plane = [size for size in subject.voxel_size_um[1:] if size]
    if estimated is None or not plane:
        return None
    return max((size / estimated for size in plane), key=lambda ratio: max(ratio, 1 / ratio))


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
    if ratios:
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


def _other_voxel_size(subject: Subject, model: Described, ratios: dict[str, float]) -> Finding:
    """What the resampling is; `ratios` are the sizes of the image in units of the model's, by axis."""
    shape = subject.volume_shape(subject.layout(model.card))
    resampled = subject.model_shape(model.card)
    change = " x ".join(map(str, shape)) + " to " + " x ".join(map(str, resampled))
    factors = ", ".join(f"{ratio:.2f} times along {axis}" for axis, ratio in ratios.items())
    message = (
        f"Voxels are {_um(subject.voxel_size_um)}, {model.name} was trained at "
        f"{_um(model.card.input.voxel_size_um)} ({factors}): the image is resampled for it, from {change} voxels, and "
        "the prediction back."
    )
    level = Level.INFO
    if max(abs(ratio - 1) for ratio in ratios.values()) > _WORTH_A_WARNING:
        level = Level.WARNING
    if max(max(ratio, 1 / ratio) for ratio in ratios.values()) <= _FAR:
        return Finding(level, "different-voxel-size", message, values=ratios)
    message += " With such a difference the model sees structures it never learned."
    fix = "Use a model trained closer to this voxel size."
    return Finding(Level.WARNING, "very-different-voxel-size", message, fix, values=ratios)


def _time_step(subject: Subject, model: Described) -> Iterator[Finding]:
    step, have = model.card.input.third_axis_step.get("t"), subject.image.time_step_s
    if subject.layout(model.card) is not Layout.SERIES or "t" not in model.card.input.third_axes or step is None:
        return
    if have is None:
        yield Finding(
            Level.WARNING,
            "time-step-unknown",
            f"The time between images is unknown; {model.name} was trained at {step:g} s.",
            "Check that yours is similar: time is not resampled.",
        )
    elif abs(have / step - 1) > _TIME_TOLERANCE:
        yield Finding(
            Level.WARNING,
            "different-time-step",
            f"Images are {have:g} s apart, {model.name} was trained at {step:g} s ({have / step:.2f} times): motion "
            "looks faster or slower to it. Time is not resampled.",
            "Use a model trained at a similar interval.",
        )


def _um(sizes: tuple[float | None, ...]) -> str:
    return " x ".join("?" if size is None else f"{size:.3g}" for size in sizes) + " um (z, y, x)"
