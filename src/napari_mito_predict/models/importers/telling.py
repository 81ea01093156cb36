"""What users say about a model of another program: completed from presets, and as a name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_mito_predict.errors import ForeignModelError
from napari_mito_predict.image.names import file_stem
from napari_mito_predict.models.card import Input, Normalisation
from napari_mito_predict.models.card_values import check_name
from napari_mito_predict.models.importers.foreign import Told

if TYPE_CHECKING:
    from pydantic import ValidationError

_LONGEST = 60
_NAMELESS: Final = "imported-model"


def with_preset(told: Told, presets: Mapping[str, Told], path: Path) -> Told:
    """Fill in what the user did not say from the preset that they named, in capitals or not.

    Raises
    ------
    ForeignModelError
        There is no such preset for this format.
    """
    if told.preset is None:
        return told
    name = next((name for name in presets if name.casefold() == told.preset.casefold()), None)
    if name is None:
        known = ", ".join(presets) or "none"
        raise ForeignModelError(
            f"there is no preset '{told.preset:.80}' for models of this format. Those there are: {known}.", file=path
        )
    told = dataclasses.replace(told, preset=name)
    preset = presets[name]
    names = [field.name for field in dataclasses.fields(Told)]
    filled_in = {name: getattr(preset, name) for name in names if getattr(told, name) is None}
    return dataclasses.replace(told, **filled_in)


def model_name(wanted: str) -> str:
    """Make a name for a model out of any text, such as the name of a file."""
    letters = "".join(letter for letter in wanted if letter.isprintable())
    start = next((index for index, letter in enumerate(letters) if letter.isalnum()), len(letters))
    name = file_stem(letters[start:][:_LONGEST])
    try:
        return check_name(name) if letters[start:] else _NAMELESS
    except ValueError:
        return _NAMELESS


def input_of(told: Told) -> Input:
    """What a model expects to see, as far as it was told; the step of z has no meaning for planes and time series."""
    z_um, *plane = told.voxel_size_um or (None, None, None)
    return Input(
        modality=told.modality or Input.model_fields["modality"].default,
        voxel_size_um=(z_um if "z" in (told.third_axes or ()) else None, plane[0], plane[1]),
        third_axes=told.third_axes or (),
        normalisation=told.normalisation or Normalisation(),
    )


def unsaid(missing: Mapping[str, str], program: str, hint: str, path: Path) -> ForeignModelError:
    """The error that lists what nobody said of a model: as `Told` names it -> in words, with how it could look."""
    error = ForeignModelError(
        f"this is a model of {program}, whose files do not hold all that has to be known. Still to be said: "
        f"{'; '.join(missing.values())}.{hint}",
        file=path,
    )
    error.missing = tuple(missing)
    return error


def impossible(error: ValidationError, path: Path) -> ForeignModelError:
    """The error for words of the user that no card can have: the first of them, with its place in the card."""
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    return ForeignModelError(f"what was said of this model cannot be: {problem['msg']} ({place}).", file=path)
