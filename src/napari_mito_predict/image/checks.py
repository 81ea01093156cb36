"""What is wrong with these pixels, or with what the file says about them, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import PredictedInputError
from napari_mito_predict.image.blank import blank_area
from napari_mito_predict.image.channels import Channel, ChannelRole
from napari_mito_predict.image.metadata import (
    LARGEST_VOXEL_UM,
    SMALLEST_VOXEL_UM,
    describe_size,
    impossible_axes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.image.source import ImageSource

# A stack thinner than this gives a 3-D network almost nothing to look at above and below.
_THIN = 4
# Cameras have 8 to 16 bits; a value at the very top of their range is where light was cut off.
_TOPS = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
_SATURATED_FRACTION = 1e-3
# Never exposed: exact zeros over this much of a plane that is not dark elsewhere.
_GAP_FRACTION = 0.05
_NOT_RECORDED = "Nothing was recorded there, so nothing can be predicted there, and less well beside it."
_MANY_CHANNELS = 8


class Level(StrEnum):
    """How bad a finding is, from the mildest on."""

    INFO = "info"
    WARNING = "warning"
    """To be taken with care."""
    SEVERE = "severe"
    """What is predicted is not to be believed."""
    ERROR = "error"
    """Nothing can be predicted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the user should know.

    Attributes
    ----------
    level : Level
        How bad it is.
    code : str
        For programs, in kebab-case, such as "blank-planes".
    message : str
        What was found, with numbers.
    fix : str
        What to do about it; empty where nothing can be done.
    model : str
        Name of the only model that it is about; empty where it is about all.
    where : str
        What it is about, such as a field or "time point 3"; empty where that is the whole.
    values : mapping of str to float
        Numbers in the message, by name, for programs.
    """

    level: Level
    code: str
    message: str
    fix: str = ""
    _: KW_ONLY
    model: str = ""
    where: str = ""
    values: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def advice(self) -> str:
        """Message and fix, as one text."""
        return f"{self.message} {self.fix}".rstrip()


def check_volume(volume: NDArray[Any], *, where: str = "") -> list[Finding]:
    """Look at the pixels of one stack.

    Parameters
    ----------
    volume : numpy.ndarray
        ``(Z, Y, X)``, any dtype.
    where : str
        Put before every message, such as "time point 3".

    Returns
    -------
    list of Finding
        Errors: ``wrong-dtype``, ``empty``, ``not-finite``, ``no-contrast``. Warnings: ``blank-planes``,
        ``black-areas``, ``blank-area``, ``saturated``, ``too-thin``. Empty for a sound stack.
    """
    prefix = f"{where}: " if where else ""
    return [replace(finding, where=where) for finding in _look_at(volume, prefix)]


def _look_at(volume: NDArray[Any], prefix: str) -> list[Finding]:
    fatal = _unusable(volume, prefix)
    if fatal is not None:
        return [fatal]
    low, high = volume.min(axis=(1, 2)), volume.max(axis=(1, 2))
    if low.min() == high.max():
        message = f"{prefix}every pixel has the value {low.min()}; there is no contrast to predict from."
        return [Finding(Level.ERROR, "no-contrast", message, "Choose another channel or time point.")]
    blank = np.flatnonzero(low == high)
    found = []
    if blank.size:
        message = f"{prefix}{blank.size} of {len(volume)} Z steps are blank: {_numbers(blank)}. {_NOT_RECORDED}"
        found.append(Finding(Level.WARNING, "blank-planes", message, "Crop them away, or record the stack again."))
    found += _black_areas(volume, low, blank, prefix)
    if blank.size:
        volume = np.delete(volume, blank, axis=0)
    found += _blank_area(volume, prefix)
    found += _saturation(volume, high.max(), prefix)
    if len(volume) < _THIN:
        found.append(_too_thin(len(volume), prefix))
    return found


def _too_thin(planes: int, prefix: str) -> Finding:
    fix = f"Record at least {_THIN} Z steps for a 3-D model."
    if planes == 1:  # what a 2-D or time model wants
        return Finding(Level.INFO, "too-thin", f"{prefix}the stack has only 1 Z step.", fix)
    return Finding(Level.WARNING, "too-thin", f"{prefix}the stack has only {planes} Z steps.", fix)


def check_image(image: ImageSource, channel: int | str | ChannelRole | None = None) -> list[Finding]:
    """Look at what the file says, without reading pixels.

    Parameters
    ----------
    image : ImageSource
        The image.
    channel : int, str, ChannelRole or None
        The channel to predict from; None is the transmitted light.

    Returns
    -------
    list of Finding
        Errors: ``unsupported`` (colour, raw Airyscan), ``wrong-dtype``, ``incomplete``, ``voxel-size-impossible``.
        Severe: ``not-transmitted`` of a stain. Warnings: ``reader`` (what looked wrong when opening),
        ``voxel-size-unknown``, ``many-channels``, ``not-transmitted``. Info: ``time-step-unknown``.

    Raises
    ------
    PredictedInputError, ChannelNotFoundError, AmbiguousChannelError
        See `light_of`.
    """
    found = [Finding(Level.WARNING, "reader", warning) for warning in image.warnings]
    if image.unsupported:
        found.append(Finding(Level.ERROR, "unsupported", f"{image.name}: {image.unsupported}"))
        return found
    chosen = light_of(image, channel)
    reason = image.why_unsupported(chosen)
    if reason:
        found.append(Finding(Level.ERROR, "unsupported", f"{image.name}, {chosen.label}: {reason}"))
    found += _incomplete(image, chosen)
    if not _is_real(image.dtype):
        found.append(_wrong_dtype(image.dtype, ""))
    if chosen.role is not ChannelRole.TRANSMITTED:
        found.append(_not_transmitted(chosen))
    if image.sizes["C"] >= _MANY_CHANNELS and image.sizes["Z"] == 1:
        message = f"The image has {image.sizes['C']} channels and one Z step; are the channels really Z steps?"
        found.append(Finding(Level.WARNING, "many-channels", message, 'Say what the axes are, for example "ZYX".'))
    return found + _missing_sizes(image)


def _not_transmitted(channel: Channel) -> Finding:
    """About a channel that is no transmitted light for all we know; a stain is known to be none."""
    message = f"{channel.label} does not look like transmitted light. {channel.reason} A model has never seen the like."
    level = Level.WARNING if channel.role is ChannelRole.OTHER else Level.SEVERE
    return Finding(level, "not-transmitted", message, "Choose the transmitted-light channel.")


def unreadable_channels(image: ImageSource) -> list[Finding]:
    """Say why single channels cannot be read, of an image that can be otherwise: ``channel-unsupported``."""
    if image.unsupported:
        return []
    found = []
    for channel, reason in image.info.unsupported_channels.items():
        message = f"{image.channels[channel].label} cannot be read: {reason}"
        found.append(Finding(Level.INFO, "channel-unsupported", message))
    return found


def light_of(image: ImageSource, channel: int | str | ChannelRole | None = None) -> Channel:
    """The channel to predict from: None is the transmitted light.

    Raises
    ------
    PredictedInputError
        It is a prediction, or there is nothing else in the image.
    ChannelNotFoundError, AmbiguousChannelError
        See `ImageSource.channel`.
    """
    marks = [each.prediction for each in image.channels if each.prediction is not None]
    if len(marks) == len(image.channels):
        what = " and ".join(dict.fromkeys(mark.words for mark in marks))
    else:
        chosen = image.channel(channel)
        if chosen.prediction is None:
            return chosen
        what = f"{chosen.label}: {chosen.prediction.words}"
    raise PredictedInputError(
        f"this is no recording ({what}), and from a prediction nothing can be predicted. Choose the image with the "
        "recorded transmitted light.",
        file=image.path or image.name,
    )


def _unusable(volume: NDArray[Any], prefix: str) -> Finding | None:
    if not _is_real(volume.dtype):
        return _wrong_dtype(volume.dtype, prefix)
    if volume.size == 0:
        return Finding(Level.ERROR, "empty", f"{prefix}the stack is empty, its shape is {volume.shape}.")
    if volume.dtype.kind != "f":
        return None
    bad, first = 0, None
    for z, plane in enumerate(volume):
        finite = np.isfinite(plane)
        if not finite.all():
            bad += plane.size - int(finite.sum())
            first = first or (z, *(int(i) for i in np.unravel_index(int(np.argmin(finite)), plane.shape)))
    if not bad:
        return None
    message = f"{prefix}{bad} pixels are not numbers (NaN) or infinite, the first at (Z, Y, X) = {first}."
    return Finding(Level.ERROR, "not-finite", message, "Replace them in the program that made this image.")


def _black_areas(volume: NDArray[Any], low: NDArray[Any], blank: NDArray[Any], prefix: str) -> list[Finding]:
    """Find planes with exact zeros where the other planes have none: gaps in a mosaic, lost blocks.

    `low` is the smallest value of each plane, which tells most recordings: cameras add an offset.
    """
    zeros = np.zeros(len(volume))
    for z in np.flatnonzero(low <= 0):
        zeros[z] = 1 - np.count_nonzero(volume[z]) / volume[z].size
    zeros[blank] = 0
    usual = float(np.median(zeros))
    odd = np.flatnonzero(zeros > usual + _GAP_FRACTION)
    if not odd.size:
        return []
    worst = int(odd[np.argmax(zeros[odd])])
    message = (
        f"{prefix}{odd.size} Z steps have black areas that the others lack: {_numbers(odd)} "
        f"(Z {worst}: {100 * zeros[worst]:.0f} % of the pixels are 0)."
    )
    return [Finding(Level.WARNING, "black-areas", message, "Check that the recording and the file are complete.")]


def _blank_area(volume: NDArray[Any], prefix: str) -> list[Finding]:
    area = blank_area(volume)
    if area is None:
        return []
    share = float(area.mean())
    message = f"{prefix}{100 * share:.0f} % of the image are the same in every Z step. {_NOT_RECORDED}"
    fix = "Crop the image to what was recorded."
    return [Finding(Level.WARNING, "blank-area", message, fix, values={"share": share})]


def _saturation(volume: NDArray[Any], top: Any, prefix: str) -> list[Finding]:
    if volume.dtype.kind not in "iu" or int(top) not in _TOPS:
        return []
    fraction = sum(np.count_nonzero(plane == top) for plane in volume) / volume.size
    if fraction < _SATURATED_FRACTION:
        return []
    message = f"{prefix}{100 * fraction:.1f} % of the pixels are saturated (value {top})."
    return [Finding(Level.WARNING, "saturated", message, "Record with less light or gain.")]


def _missing_sizes(image: ImageSource) -> list[Finding]:
    found = _impossible_sizes(image)
    sizes = dict(zip("ZYX", image.voxel_size_um, strict=True))
    unknown = [axis for axis, size in sizes.items() if size is None and (axis != "Z" or image.sizes["Z"] > 1)]
    if unknown:
        message = f"The file does not say how large a voxel is ({', '.join(unknown)})."
        found.append(Finding(Level.WARNING, "voxel-size-unknown", message, "Give the voxel size in micrometres."))
    if image.sizes["T"] > 1 and image.time_step_s is None:
        message = "The file does not say how long the interval between time points is."
        found.append(Finding(Level.INFO, "time-step-unknown", message))
    return found


def _incomplete(image: ImageSource, channel: Channel) -> list[Finding]:
    """Say which stacks of a channel lack planes, and which time points can be used."""
    lacking = sorted({t for t, c, _ in image.missing if c == channel.index})
    if not lacking:
        return []
    message = (
        f"{len(lacking)} of {image.sizes['T']} time points of {channel.label} are incomplete: {_numbers(lacking)} "
        "(counted from 0). Planes of them were never recorded."
    )
    return [Finding(Level.ERROR, "incomplete", message, _what_is_complete(image, channel))]


def _what_is_complete(image: ImageSource, channel: Channel) -> str:
    """Advice: which time points, or else which Z steps, can be used."""
    complete = image.complete_times([channel])
    what = "time points"
    if not complete:
        complete, what = image.complete_planes([channel]), "Z steps"
    if not complete:
        return "Choose another channel."
    return f"Use the {what} {complete[0]} to {complete[-1]} (counted from 0), which are complete."


def _impossible_sizes(image: ImageSource) -> list[Finding]:
    impossible = [axis for axis in impossible_axes(image.voxel_size_um) if axis != "z" or image.sizes["Z"] > 1]
    if not impossible:
        return []
    message = (
        f"The file says that a voxel is {describe_size(image.voxel_size_um)}, which cannot be along "
        f"{', '.join(impossible)}: light microscopes have voxels of {SMALLEST_VOXEL_UM:g} to {LARGEST_VOXEL_UM:g} µm."
    )
    return [Finding(Level.ERROR, "voxel-size-impossible", message, "Give the voxel size in micrometres.")]


def _is_real(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biuf"


def _wrong_dtype(dtype: np.dtype[Any], prefix: str) -> Finding:
    message = f"{prefix}the pixels are of type {dtype}; only whole and real numbers can be predicted from."
    return Finding(Level.ERROR, "wrong-dtype", message, "Convert the image, for example to 16 bits.")


def _numbers(planes: Sequence[int] | NDArray[Any], most: int = 8) -> str:
    listed = ", ".join(str(int(plane)) for plane in planes[:most])
    if len(planes) <= most:
        return listed
    return f"{listed} and {len(planes) - most} more"
