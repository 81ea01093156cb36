"""Does this model fit this image? Findings in plain words with the numbers; made without torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_mito_predict.image import Finding, Level, Modality
from napari_mito_predict.prediction.fit_sampling import Described, check_sampling
from napari_mito_predict.prediction.volumes import Layout, Subject

if TYPE_CHECKING:
    from napari_mito_predict.image import ChannelRole, ImageSource
    from napari_mito_predict.models.card import ModelCard

_ALIKE: Final = {Modality.BRIGHT_FIELD, Modality.CONFOCAL}
"""By reciprocity a scanning microscope with transmitted light images as one with a camera and the apertures swapped."""


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


def findings(subject: Subject, model: Described, depth_stride: int = 1) -> list[Finding]:
    """Compare what a model was trained for with a subject; see `check_fit`."""
    found = [
        *_simulated(subject, model),
        *_unbeaten(model),
        *_light(subject, model),
        *_third_axis(subject, model, depth_stride),
        *check_sampling(subject, model),
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


def _light(subject: Subject, model: Described) -> Iterator[Finding]:
    """Whether the image was seen as those of the training were."""
    trained = model.card.input.modality
    channel = subject.image.channels[subject.channel]
    if channel.modality == trained:
        return
    if trained not in set(Modality):
        # The light of our simulator is that of the models trained on it, and of nothing else.
        if not model.card.simulated:
            yield _unknown_light(model)
        return
    if channel.modality is None:
        yield Finding(
            Level.INFO,
            "modality-unknown",
            f"{model.name} was trained on {trained}; {subject.image.name} does not say what its light is.",
        )
        return
    what = f"{model.name} was trained on {trained}, and the light of '{channel.label}' is {channel.modality}: "
    fix = f"Record {trained}, or fine-tune the model on your own pairs."
    if {trained, channel.modality} <= _ALIKE:
        what += "the same cells look similar to it, but not the same, so that details may be wrong."
        yield Finding(Level.WARNING, "other-modality", what, fix)
        return
    what += "the same cells look different to it, so that what it predicts need not lie where the structure is."
    yield Finding(Level.SEVERE, "other-modality", what, fix)


def _unknown_light(model: Described) -> Finding:
    return Finding(
        Level.WARNING,
        "model-light-unknown",
        f"{model.name} does not say which kind of transmitted light it was trained on, only "
        f"'{model.card.input.modality}': in another kind the same cells look different to it, and a wrong prediction "
        "would go unnoticed.",
        "Compare with real fluorescence of your cells before you use it.",
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
            Level.SEVERE,
            "frames-as-planes",
            f"{model.name} was trained on z-stacks, but {subject.image.name} is a time series: its {sizes['T']} time "
            "points are taken for Z steps, which they are not. It reads structures from how light changes with "
            "depth, of which a time series holds nothing.",
            "Use a model for time series.",
        )
    if layout is Layout.STACKS and "z" not in axes and not subject.free_third_axis:
        yield Finding(
            Level.WARNING,
            "planes-as-frames",
            f"{model.name} was trained on time series, but {subject.image.name} is a z-stack: its {sizes['Z']} Z steps "
            "are taken for time points, which they are not. It expects that little changes from one to the next, and "
            "is less right.",
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
