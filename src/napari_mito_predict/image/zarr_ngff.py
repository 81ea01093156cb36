"""What NGFF metadata of 0.1 to 0.5 say: each part validated by `yaozarrs`, so that a fault in one costs no other.

Files in the wild break the specification in ways that leave the pixels certain: a scale of a wrong length, a channel
without colour, a unit that nobody knows. What is not understood is left out, with a note that says so. Older versions
are read as 0.4 with less in it: axes were names (0.3), or always t, c, z, y, x (0.1, 0.2).
"""

from __future__ import annotations

import math
import re
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from napari_mito_predict.errors import MetadataError, UnreadableImageError
from napari_mito_predict.image.metadata import knows_unit
from napari_mito_predict.image.names import as_text

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

_BEFORE_AXES = "tczyx"
"""The axes of NGFF 0.1 and 0.2, all of them."""
_LETTERS = {"t": "T", "time": "T", "c": "C", "channel": "C", "z": "Z", "y": "Y", "x": "X"}
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_NEWEST = (0, 5)
_LONGEST_TEXT = 200
_VALIDATING = threading.Lock()


@dataclass(frozen=True)
class Axis:
    """An axis as metadata describe it; `letter` is one of TCZYX, empty for any other."""

    name: str
    letter: str
    unit: str | None = None


@dataclass(frozen=True)
class Described:
    """What is said of one image.

    Attributes
    ----------
    axes : tuple of Axis or None
        None where they are not said, or not understood.
    why_no_axes : str
        In a sentence.
    steps : tuple of float or None
        One for each axis; None where they are not said, or not understood.
    labels : tuple of str or None
        One for each channel; empty where nothing is said.
    notes : tuple of str
        What was left out, because it is not understood.
    """

    axes: tuple[Axis, ...] | None
    why_no_axes: str = ""
    steps: tuple[float, ...] | None = None
    labels: tuple[str | None, ...] = ()
    notes: tuple[str, ...] = ()


def ome_metadata(attributes: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The part of a group's attributes that NGFF defines: all of them before 0.5, since then what is under ``ome``.

    Raises
    ------
    MetadataError
        It is no object.
    """
    found = attributes.get("ome", attributes)
    if not isinstance(found, dict):
        raise MetadataError(
            f"its OME metadata are not understood: expected an object, found {found!r:.40}.", file=folder
        )
    return found


def multiscales_of(metadata: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """The images of a group, one for each of its multiscales.

    Raises
    ------
    MetadataError
        They are no list of objects.
    """
    found = metadata.get("multiscales", [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise MetadataError(
            f"its multiscales metadata are not understood: expected a list of objects, found {found!r:.40}.",
            file=folder,
        )
    return found


def dataset_path(multiscale: dict[str, Any], folder: Path) -> str:
    """The path of the full resolution, relative to the group.

    Raises
    ------
    UnreadableImageError
        There is none.
    """
    try:
        path = multiscale["datasets"][0]["path"]
    except (LookupError, TypeError) as error:
        raise _without_path(folder) from error
    if not isinstance(path, str | int):
        raise _without_path(folder)
    return str(path)


def describe(metadata: dict[str, Any], multiscale: dict[str, Any], ndim: int) -> Described:
    """Read what is said of an image whose array has `ndim` axes."""
    version = multiscale.get("version", metadata.get("version"))
    if _is_newer(version):
        why = f"its metadata are of NGFF {clean_text(version)}; 0.1 to 0.5 are understood"
        return Described(None, why, notes=(f"{why}, so that nothing is known but the pixels.",))
    notes: list[str] = []
    axes, why = _axes(multiscale, ndim)
    steps = None
    try:
        steps = _steps(multiscale, ndim)
    except MetadataError as error:
        notes.append(
            f"The voxel size is not understood ({error}), and so counts as unknown: say it with --voxel-size or in the "
            "dock."
        )
    strange = {axis.unit for axis in axes or () if axis.unit and not knows_unit(axis.unit)}
    notes += [f"The unit {unit!r} is not understood; sizes in it count as unknown." for unit in sorted(strange)]
    if _has_finer(multiscale["datasets"]):
        notes.append("Its resolutions are not in order: another one is finer than the first, which is what is read.")
    return Described(axes, why, steps, _labels(metadata, notes), tuple(notes))


def describe_array(names: Sequence[str]) -> Described:
    """What is known of an array without metadata of an image: the names of its axes, or nothing."""
    if not names:
        return Described(None, "an array without metadata of an image, which does not say what its axes are")
    return Described(_axes_from_names(names))


def _axes_from_names(names: Sequence[str]) -> tuple[Axis, ...]:
    """Axes of which only the names are known."""
    return tuple(Axis(clean_text(name), _LETTERS.get(name.strip().lower(), "")) for name in names)


def validated(model: type[Model], value: object, what: str) -> Model:
    """Give foreign JSON as a model of `yaozarrs`.

    Raises
    ------
    MetadataError
        It does not follow the specification; one line says where.
    """
    from pydantic import ValidationError

    try:
        # What it warns of (characters in names, units) is judged here. Filters of warnings are global: one at a time.
        with _VALIDATING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join([what, *map(str, first["loc"])])
        raise MetadataError(clean_text(f"{place}: {first['msg']}")) from error


def _is_newer(version: object) -> bool:
    found = re.match(r"(\d{1,9})\.(\d{1,9})", str(version)) if isinstance(version, str | float) else None
    return found is not None and (int(found[1]), int(found[2])) > _NEWEST


def _axes(multiscale: dict[str, Any], ndim: int) -> tuple[tuple[Axis, ...] | None, str]:
    """The axes, or why they are not known."""
    if multiscale.get("axes") is None:
        if ndim == len(_BEFORE_AXES):
            return _axes_from_names(_BEFORE_AXES), ""
        return None, "its metadata do not say what the axes are"
    declared = multiscale["axes"]
    if not isinstance(declared, list) or not all(isinstance(axis, dict | str) for axis in declared):
        return None, f"its axes are not understood (expected a list, found {declared!r:.40})"
    try:
        axes = tuple(_axis(axis, f"axes.{number}") for number, axis in enumerate(declared))
    except MetadataError as error:
        return None, f"its axes are not understood ({error})"
    if len(axes) != ndim:
        return None, f"its metadata describe {len(axes)} axes ({_listed(axes)}), and its pixels have {ndim}"
    return axes, ""


def _axis(declared: dict[str, Any] | str, what: str) -> Axis:
    from yaozarrs.v04 import CustomAxis

    if isinstance(declared, str):
        return _axes_from_names([declared])[0]
    unit = declared.get("unit")
    found = validated(CustomAxis, {key: value for key, value in declared.items() if key != "unit"}, what)
    letter = _LETTERS.get(found.name.strip().lower(), "")
    if letter and found.type in _TYPES.values() and found.type != _TYPES[letter]:
        raise MetadataError(f"{what}: {clean_text(found.name)} is of type {found.type}")
    return Axis(clean_text(found.name), letter, None if unit is None else clean_text(unit))


def _steps(multiscale: dict[str, Any], ndim: int) -> tuple[float, ...] | None:
    """The step along each axis: what is said of the full resolution times what is said of all."""
    from yaozarrs.v04 import ScaleTransformation

    steps = None
    of_all = {"the image": multiscale, "the full resolution": multiscale["datasets"][0]}
    for what, part in of_all.items():
        transformations = part.get("coordinateTransformations") or []
        if not isinstance(transformations, list) or not all(isinstance(each, dict) for each in transformations):
            raise MetadataError(f"coordinateTransformations of {what}: expected a list of objects")
        for transformation in transformations:
            if transformation.get("type") in ("identity", "translation"):
                continue
            scale = validated(ScaleTransformation, transformation, f"scale of {what}").scale
            if len(scale) != ndim:
                raise MetadataError(f"scale of {what}: {len(scale)} numbers for {ndim} axes")
            before = steps or (1.0,) * ndim
            steps = tuple(step * factor for step, factor in zip(before, scale, strict=True))
    return steps


def _has_finer(datasets: Any) -> bool:
    """Whether a resolution behind the first, which has to be the full one, has smaller steps."""
    scales = [_scale_of(dataset) for dataset in datasets] if isinstance(datasets, list) else []
    if not scales or scales[0] is None:
        return False
    return any(scale is not None and math.prod(scale) < math.prod(scales[0]) for scale in scales[1:])


def _scale_of(dataset: Any) -> list[float] | None:
    from yaozarrs.v04 import ScaleTransformation

    try:
        return validated(ScaleTransformation, dataset["coordinateTransformations"][0], "scale").scale
    except (MetadataError, LookupError, TypeError):
        return None


def _labels(metadata: dict[str, Any], notes: list[str]) -> tuple[str | None, ...]:
    """Names of the channels; numbers are names as well, such as wavelengths."""
    omero = metadata.get("omero")
    if omero is None:
        return ()
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if channels is None and isinstance(omero, dict):
        return ()
    if not isinstance(channels, list) or not all(isinstance(channel, dict) for channel in channels):
        notes.append("What it says of its channels is not understood (omero.channels: expected a list of objects).")
        return ()
    return tuple(_label(channel.get("label")) for channel in channels)


def _label(value: object) -> str | None:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    return clean_text(value) or None


def _listed(axes: Sequence[Axis]) -> str:
    return ", ".join(axis.name for axis in axes)


def clean_text(value: object) -> str:
    """Foreign text on one line, of a length that can be shown, and of characters that can be written."""
    return as_text(" ".join(str(value).split())[:_LONGEST_TEXT])


def _without_path(folder: Path) -> UnreadableImageError:
    return UnreadableImageError(
        "its multiscales metadata do not say where the pixels are (no path of a dataset).", file=folder
    )
