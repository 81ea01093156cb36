"""What pytorch_fnet wrote beside a model of how its images were prepared: read by pattern, never evaluated."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from napari_mito_predict.models.card import Normalisation

FILE: Final = "train_options.json"
_LARGEST_BYTES: Final = 1 << 20
_MOST_TRANSFORMS: Final = 20
_KEY = "transform_signal"
_HOLDERS: Final = ("dataset_train_kwargs", "dataset_kwargs")
"""Where later versions keep what release_1 has at the top."""

_MODULE = r"(?:fnet\.)?(?:transforms\.)?"
_NUMBER = r"\s*(\d{1,4}(?:\.\d{0,12})?)\s*"
_Z_SCORE: Final = re.compile(rf"{_MODULE}(?:normalize|Normalize\(\))")
_CENTRE_Z_SCORE: Final = re.compile(rf"{_MODULE}norm_around_center")
_RESIZER: Final = re.compile(rf"{_MODULE}Resizer\(\s*[(\[]{_NUMBER},{_NUMBER}(?:,{_NUMBER})?,?\s*[)\]]\s*\)")
_NO_VALUES_CHANGED: Final = re.compile(rf"{_MODULE}(?:do_nothing|(?:Propper|Cropper|Padder)\([^()]{{0,100}}\))")

CENTRE_NOTE: Final = (
    "In training the mean and standard deviation were those of the central 32 planes of a stack; here they are those "
    "of the whole stack."
)


@dataclass(frozen=True)
class TrainOptions:
    """How the images that a model was trained on were prepared.

    Attributes
    ----------
    normalisation : Normalisation or None
        None where that is not said, or not understood.
    factors : tuple of float or None
        By which images were scaled, (z, y, x) or (y, x); None where they were not, or that is not said.
    notes : tuple of str
        Sentences for the card.
    unclear : tuple of str
        What was not understood, for messages.
    """

    normalisation: Normalisation | None = None
    factors: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()


def read_train_options(model: Path) -> TrainOptions:
    """Read the options beside a model, or beside the folder of checkpoints it is in; what is unreadable says so."""
    folder = model.absolute().parent
    folders = [folder, folder.parent] if folder.name == "checkpoints" else [folder]
    path = next((folder / FILE for folder in folders if (folder / FILE).exists()), None)
    if path is None:
        return TrainOptions()
    try:
        options = _json(path)
    except (OSError, ValueError, RecursionError):
        return TrainOptions(unclear=(f"{FILE} beside it cannot be read",))
    return _understood(options)


def _json(path: Path) -> dict[str, Any]:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode) or state.st_size > _LARGEST_BYTES:
        raise ValueError("no file, or too large")
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _understood(options: dict[str, Any]) -> TrainOptions:
    """What is said of the input; of images that were not normalised, that their values are taken as they are."""
    holders = [options, *(options.get(name) for name in _HOLDERS)]
    transforms = next((holder[_KEY] for holder in holders if isinstance(holder, dict) and _KEY in holder), None)
    if transforms is None:
        return TrainOptions(unclear=(f"{FILE} beside it does not say how images were prepared",))
    if isinstance(transforms, str):
        transforms = [transforms]
    if not isinstance(transforms, list) or len(transforms) > _MOST_TRANSFORMS:
        return TrainOptions(unclear=(f"'{_KEY}' in {FILE} is not understood",))
    return _from_transforms([str(transform)[:200] if isinstance(transform, str) else "" for transform in transforms])


def _from_transforms(transforms: list[str]) -> TrainOptions:
    resized = [found for found in map(_RESIZER.fullmatch, transforms) if found]
    scored = [text for text in transforms if _Z_SCORE.fullmatch(text)]
    centred = [text for text in transforms if _CENTRE_Z_SCORE.fullmatch(text)]
    known = {*scored, *centred, *(found[0] for found in resized)}
    unclear = [text for text in transforms if text not in known and not _NO_VALUES_CHANGED.fullmatch(text)]
    factors = tuple(float(number) for number in resized[0].groups() if number) if len(resized) == 1 else None
    if unclear or len(resized) > 1 or len(scored) + len(centred) > 1:
        shown = ", ".join(f"{text!r}" for text in unclear or transforms)
        return TrainOptions(
            factors=factors, unclear=(f"{FILE} beside it names steps that are not understood: {shown}",)
        )
    if centred:
        return TrainOptions(Normalisation(clip_percentiles=None), factors, (CENTRE_NOTE,))
    if scored:
        return TrainOptions(Normalisation(clip_percentiles=None), factors)
    return TrainOptions(Normalisation(kind="fixed", offset=0, scale=1), factors)
