"""What is a prediction and no recording: known from the record beside a file, from its marker, or from its words."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from napari_mito_predict.errors import ImageError
from napari_mito_predict.image.names import image_stem, record_path
from napari_mito_predict.image.record_within import LARGEST_RECORD_BYTES, is_of_another, record_within
from napari_mito_predict.image.signature import file_signature

_MODEL = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_MODELS = rf"{_MODEL}(?:\+{_MODEL})*"  # several made one disagreement
_MARKER = re.compile(rf"napari-mito-predict:prediction=({_MODELS}(?:,{_MODELS})*)")
# What all versions call a predicted channel, with what napari and ImageJ put behind the name of a copy.
# An uncertainty of "nm" is none of a model.
_WORDS = r"(?:predicted|(?:uncertainty|disagreement)(?= \([^)]{3}))"
_TITLE = re.compile(rf"\S.* {_WORDS} \(({_MODELS})\)(?: copy| \[\d+\]|-\d+)*$")
# Channels in text that was an OME-XML once: ImageJ keeps it as the "Info" of an image, Bio-Formats line by line.
_NAME_IN_TEXT = re.compile(
    r'<(?:\w+:)?Channel\b[^>]*?\bName="([^"]*)"|^[^=\n]*\bChannel\b.*\bName\b[^=\n]*=(.+)$', re.M
)
_SIMULATED = "Trained on simulated cells, not validated on real ones."
"""The disclaimer that versions before the marker wrote, into predictions only; whatever today's says, this stays."""
_OUR_KEYS = frozenset({"schema_version", "target", "stain", "input", "model", "channels", "parameters", "disclaimer"})


class Evidence(StrEnum):
    """What tells that a channel is a prediction."""

    RECORD = "record"
    """The record beside the file."""
    MARKER = "marker"
    """The marker in the file's description, see `describe_prediction`."""
    NAME = "name"
    """The name of the channel, such as ``TMRM predicted (mito-z)``."""
    DISCLAIMER = "disclaimer"
    """The disclaimer in the file's description, of a version that wrote no marker."""


@dataclass(frozen=True, slots=True)
class PredictionMark:
    """That a channel is a prediction: `Channel.prediction`, None for whatever a microscope recorded.

    The one notion of "is a prediction": who predicts, evaluates, trains or shows layers asks for it, nobody looks at
    files or names again. It is known from the record beside the file; from the marker that our writers put into its
    description, which survives copying and renaming; or, in files of older versions and those that another program
    saved again, from the name of the channel or the disclaimer. Where a file has channels of both kinds, each is
    judged by itself. In doubt it is no prediction.

    Attributes
    ----------
    model : str
        Name of the model; empty where that is not known.
    evidence : Evidence
        What tells.
    simulated : bool
        The model was trained on simulated cells: what is made from it inherits the disclaimer.
    """

    model: str
    evidence: Evidence
    simulated: bool = False

    @property
    def by(self) -> str:
        """Which model, for people."""
        return self.model or "an unknown model"

    @property
    def words(self) -> str:
        """For messages: "a prediction by mito-z"."""
        return f"a prediction by {self.by}"


Marks = tuple[PredictionMark | None, ...]


def describe_prediction(description: str, models: Sequence[str]) -> str:
    """The description of a file that holds predictions, with the marker: the name of the model of each channel.

    Parameters
    ----------
    description : str
        What else it says.
    models : sequence of str
        One for each channel; without any, the description stays as it is.
    """
    if not models:
        return description
    return f"{description} [napari-mito-predict:prediction={','.join(models)}]".strip()


def find_marks(path: Path | None, names: Sequence[str | None], text: str) -> Marks:
    """Tell for each channel of an image whether it is a prediction.

    Parameters
    ----------
    path : Path or None
        The file; None for arrays.
    names : sequence of str or None
        Of the channels.
    text : str
        What the file says about itself: description, ImageJ's info.
    """
    simulated = _SIMULATED in text
    by_name = tuple(_by_name(name, simulated) for name in names)
    if path is not None:
        if by_name == (None,) and not names[0]:  # napari saves a layer under its name, and no other word
            by_name = (_by_name(image_stem(path), simulated),)
        record = _read_record(path)
        if record is not None:
            return _merged(_by_record(record, len(names)), by_name)
    return _merged(_by_text(text, len(names), simulated), by_name)


def has_record(path: Path) -> bool:
    """Whether the record of a prediction lies beside a file that cannot be opened."""
    return _read_record(path) is not None


def _by_name(name: str | None, simulated: bool) -> PredictionMark | None:
    title = _TITLE.fullmatch((name or "").strip())
    if title is None:
        return None
    return PredictionMark(title[1], Evidence.NAME, simulated)


def _by_text(text: str, channels: int, simulated: bool) -> Marks:
    """Judge by what was written when the file was: it may have been merged with recordings since, or cut."""
    nothing: Marks = (None,) * channels
    marker = _MARKER.search(text)
    if marker is not None:
        return _spread(marker[1].split(","), Evidence.MARKER, channels, simulated)
    named = [(one or other).strip() for one, other in _NAME_IN_TEXT.findall(text)]
    found = [_by_name(name, simulated) for name in named]
    if len(found) == channels:
        return tuple(found)
    models = [mark.model for mark in found if mark is not None]
    if models and len(models) == len(found):
        return _spread(models, Evidence.NAME, channels, simulated)
    if simulated and channels == 1 and not found:
        return (PredictionMark("", Evidence.DISCLAIMER, simulated),)
    return nothing


def _spread(models: Sequence[str], evidence: Evidence, channels: int, simulated: bool) -> Marks:
    """Give each channel its model: some may have been taken away; where there are more, something was added."""
    if len(models) == channels:
        return tuple(PredictionMark(model, evidence, simulated) for model in models)
    if channels > len(models):
        return (None,) * channels
    return (PredictionMark(" or ".join(dict.fromkeys(models)), evidence, simulated),) * channels


def _merged(first: Marks, by_name: Marks) -> Marks:
    """The better evidence, but the name of a channel knows best which of several models it was."""
    marks = []
    for mark, named in zip(first, by_name, strict=True):
        if mark is None or (named is not None and " or " in mark.model):
            mark = named
        marks.append(mark)
    return tuple(marks)


def _read_record(image: Path) -> dict[str, Any] | None:
    """The record beside a prediction; empty where it is damaged, None where there is none or it is not this image's."""
    path = record_path(image)
    try:
        if not os.path.isfile(path):  # its name may be too long for one
            return None
        if path.stat().st_size > LARGEST_RECORD_BYTES:
            return {}
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(record, dict):
        return {}
    foreign = bool(record) and not _OUR_KEYS & record.keys()
    if foreign or _is_its_input(image, _part(record, "input")):
        return None
    within = record_within(image)
    if within is not None and is_of_another(record, within):
        return None
    return record


def _is_its_input(image: Path, source: dict[str, Any]) -> bool:
    """Whether the record of ``cells.ome.tif`` was found for ``cells.tif``, which was predicted from."""
    if source.get("name") != image.name or not source.get("sha256_ends"):
        return False
    try:
        return bool(file_signature(image)["sha256_ends"] == source["sha256_ends"])
    except ImageError:
        return False


def _by_record(record: dict[str, Any], channels: int) -> Marks:
    """Each channel's model; a record of another number of channels is not of this content."""
    listed = record.get("channels")
    parts = [record]
    if isinstance(listed, list) and listed:
        parts = [part if isinstance(part, dict) else {} for part in listed]
    if record and len(parts) != channels:
        return (None,) * channels
    marks = []
    for part in parts if record else parts * channels:
        model = _part(part, "model")
        simulated = model.get("simulated") is True or _SIMULATED in str(part.get("disclaimer"))
        marks.append(PredictionMark(str(model.get("name") or ""), Evidence.RECORD, simulated))
    return tuple(marks)


def _part(record: dict[str, Any], key: str) -> dict[str, Any]:
    part = record.get(key)
    return part if isinstance(part, dict) else {}
