"""Whether transmitted light and truth of a field can be what they are given for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.evaluation import pcc
from napari_mito_predict.image import ChannelRole, Finding, Level
from napari_mito_predict.image.crops import centre_of, middle_plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.image import Channel, ImageSource
    from napari_mito_predict.training.pairs import OpenField, RawVolume

Predicted = Callable[["NDArray[np.float32]"], "Sequence[NDArray[np.float32] | None]"]

_LOOKED_AT = (8, 512, 512)
_COPY = 0.9999
"""Correlation of what was copied, in 8 bits perhaps; no fluorescence has it with transmitted light."""
_NEIGHBOURS = 0.2
_BLOCKS = 0.1
_BINNED = 4
"""Where neighbours correlate less than `_NEIGHBOURS`, and blocks of so many voxels less than `_BLOCKS`, is noise.
Real fluorescence, however dim, had 0.5 and more; four empty channels of a confocal microscope 0.1 and 0.05."""
_DARK_WITH_BRIGHT_SPOTS = 1.5
_EVEN = 0.8
"""Skewness between the 0.5 and 99.5 percentiles. Of 18 real pairs none looks swapped, and 16 do when exchanged:
fluorescence has 1.5 to 6 in most, transmitted light at most 0.5."""
_START_MODEL_KNOWS = 0.4
_START_MODEL_DOES_NOT = 0.2
_EXCHANGE = "Exchange the two."


def check_prediction(channel: Channel, *, allowed: bool) -> list[Finding]:
    """Whether a truth is a prediction itself: an error, or a warning where that was asked for by name."""
    if channel.prediction is None:
        return []
    name = channel.label
    message = f"{name}: the truth is itself {channel.prediction.words}, and no recording."
    if allowed:
        message += " The model learns what that model does, with its errors, and scores say how well."
        return [Finding(Level.WARNING, "prediction-as-truth", message, where=name)]
    return [Finding(Level.ERROR, "prediction-as-truth", message, "Choose the recorded fluorescence.", where=name)]


def check_channels(opened: OpenField) -> list[Finding]:
    """What names and places of the channels say: one channel as both, light and fluorescence exchanged."""
    found = []
    light = opened.input
    for image, truth in opened.truths:
        if _is_same(opened.image, light, image, truth):
            message = f"Transmitted light and truth are the same channel ({light.label}) of {opened.image.name}."
            fix = "Choose the channel of the fluorescence as the truth."
            found.append(Finding(Level.ERROR, "same-channel", message, fix))
            continue
        stained = light.role in (ChannelRole.MITOCHONDRIA, ChannelRole.DNA)
        bright = truth.role is ChannelRole.TRANSMITTED and _says_what_it_shows(image, truth)
        if stained and bright:
            message = (
                f"The transmitted light is {light.label}, the truth {truth.label}: they look swapped. {truth.reason}"
            )
            found.append(Finding(Level.WARNING, "swapped", message, _EXCHANGE))
        elif stained:
            message = f"The transmitted light, {light.label}, looks like fluorescence. {light.reason}"
            fix = "Choose the channel of the transmitted light."
            found.append(Finding(Level.WARNING, "input-is-fluorescence", message, fix))
        elif bright:
            message = f"The truth, {truth.label}, looks like transmitted light. {truth.reason}"
            fix = "Choose the channel of the fluorescence."
            found.append(Finding(Level.WARNING, "truth-is-light", message, fix))
    return found


def check_content(raw: RawVolume, stains: Sequence[str]) -> list[Finding]:
    """What the pixels of a volume say: one image as both, light and fluorescence exchanged, a truth of noise."""
    found = []
    light = _centre(raw.input)
    for name, array in zip(stains, raw.truths, strict=True):
        truth = _centre(array)
        if truth.std() == 0:  # said already, as an error
            continue
        found += _copies(name, raw.input, array)
        near, far = _correlation(truth), _correlation(_binned(truth))
        if near < _NEIGHBOURS and far < _BLOCKS:
            found.append(_noise(name, near))
        of_light, of_truth = _skewness(light), _skewness(truth)
        if of_light > _DARK_WITH_BRIGHT_SPOTS and of_truth < _EVEN:
            message = (
                "The transmitted light is dark with bright spots, the truth evenly bright (skewness "
                f"{of_light:.1f} and {of_truth:.1f}): they look swapped."
            )
            values = {"light": of_light, "truth": of_truth}
            found.append(Finding(Level.WARNING, "swapped", message, _EXCHANGE, values=values))
    return found


def check_direction(
    light: NDArray[np.float32], truth: NDArray[np.float32], target: int, as_given: float, predicted: Predicted
) -> list[Finding]:
    """What the start model says: whether it finds the light in the truth, but not the truth in the light.

    Parameters
    ----------
    light, truth : ndarray, float32, (D, Y, X) or (Y, X)
        The middle of a field.
    target : int
        Which of the outputs of `predicted` the truth belongs to.
    as_given : float
        Correlation of the truth with what is predicted from the light.
    predicted : callable
        The start model.
    """
    if as_given > _START_MODEL_DOES_NOT:
        return []
    other = predicted(truth)[target]
    if other is None:
        return []
    exchanged = pcc(other, light)
    if not exchanged > _START_MODEL_KNOWS:
        return []
    message = (
        f"What the start model predicts from the truth matches the transmitted light (correlation {exchanged:.2f}; "
        f"{as_given:.2f} the right way round): they look swapped."
    )
    return [Finding(Level.WARNING, "swapped", message, _EXCHANGE, values={"exchanged": exchanged, "given": as_given})]


def fingerprint(light: NDArray[Any]) -> NDArray[np.float32]:
    """Differences of neighbours in the centre of a volume, where noise rules: alike in copies only, whatever the dtype.

    Returns
    -------
    ndarray, float32
        At most 64 x 64 values of zero mean and unit length; all 0 where there is no contrast.
    """
    plane = middle_plane(light)
    centre = np.nan_to_num(plane[centre_of(plane.shape, (64, 65))].astype(np.float32), posinf=0, neginf=0)
    differences = np.diff(centre, axis=-1).ravel()
    differences -= differences.sum() / max(differences.size, 1)
    length = float(np.linalg.norm(differences))
    if length:
        differences /= length
    return differences


def _copies(name: str, light: NDArray[Any], truth: NDArray[Any]) -> list[Finding]:
    """One image as both: an error where it is so voxel by voxel, a warning where brightness was changed meanwhile."""
    if light.shape != truth.shape:
        return []
    fix = "One file was taken for both, or copied. Choose that of the fluorescence as the truth."
    if np.array_equal(light, truth):
        message = f"{name}: transmitted light and truth hold the same pixels."
        return [Finding(Level.ERROR, "same-pixels", message, fix, where=name)]
    correlation = pcc(_centre(light), _centre(truth))
    if not abs(correlation) > _COPY:
        return []
    message = f"{name}: transmitted light and truth are one image in other brightness (correlation {correlation:.4f})."
    return [Finding(Level.WARNING, "same-image", message, fix, where=name, values={"correlation": correlation})]


def _noise(name: str, correlation: float) -> Finding:
    message = (
        f"{name}: the truth has no structure; neighbouring voxels are hardly alike (correlation {correlation:.2f}), as "
        "in noise."
    )
    fix = "Choose the channel with the stain, or leave this field out."
    return Finding(Level.WARNING, "no-structure", message, fix, where=name, values={"correlation": correlation})


def _is_same(image: ImageSource, channel: Channel, other: ImageSource, other_channel: Channel) -> bool:
    if (image.scene, channel.index) != (other.scene, other_channel.index) or not image.path or not other.path:
        return False
    try:
        return image.path.samefile(other.path)
    except OSError:
        return image.path == other.path


def _says_what_it_shows(image: ImageSource, channel: Channel) -> bool:
    """The only channel of a file, without a name, is taken for transmitted light by default: nobody said so."""
    return channel.name is not None or len(image.channels) > 1


def _centre(volume: NDArray[Any]) -> NDArray[np.float64]:
    """The middle, enough for statistics; voxels that are not finite are an error of their own."""
    middle = volume[centre_of(volume.shape, _LOOKED_AT[-volume.ndim :])]
    return np.nan_to_num(middle.astype(np.float64), posinf=0, neginf=0)


def _binned(volume: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of blocks in y and x."""
    height, width = (max(size // _BINNED, 1) for size in volume.shape[-2:])
    cut = volume[..., : height * _BINNED, : width * _BINNED]
    blocks = cut.reshape(*cut.shape[:-2], height, -1, width, cut.shape[-1] // width)
    means: NDArray[np.float64] = blocks.mean(axis=(-3, -1))
    return means


def _correlation(volume: NDArray[np.float64]) -> float:
    """Mean correlation of neighbours along y and x; 1 where there are none, or no contrast."""
    centred = volume - volume.mean()
    variance = float((centred**2).mean())
    if not variance or min(volume.shape[-2:]) < 2:
        return 1.0
    along_y = float((centred[..., 1:, :] * centred[..., :-1, :]).mean())
    along_x = float((centred[..., 1:] * centred[..., :-1]).mean())
    return (along_y + along_x) / 2 / variance


def _skewness(volume: NDArray[np.float64]) -> float:
    """Third standardised moment of the values between the 0.5 and 99.5 percentiles; 0 without contrast."""
    inside = np.clip(volume, *np.percentile(volume, (0.5, 99.5)))
    deviation = float(inside.std())
    if not deviation:
        return 0.0
    return float((((inside - inside.mean()) / deviation) ** 3).mean())
