"""What we know of a layer that we made: written into its metadata once, read from there by everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ValidationError

from napari_mito_predict.image import ChannelRole
from napari_mito_predict.models.record import PredictionRecord

if TYPE_CHECKING:
    from napari.layers import Layer

KEY = "napari-mito-predict"
"""Where in the metadata of a layer its facts are, as a plain dictionary: napari copies it, users look at it."""


@dataclass(frozen=True)
class InputFacts:
    """A channel of a file, as `image_layers.file_layers` opened it: file, scene, channel, what it shows and why."""

    kind: ClassVar[str] = "input"
    path: str
    scene: int
    channel: int
    role: ChannelRole
    reason: str


@dataclass(frozen=True)
class PredictionFacts:
    """A prediction made here.

    Attributes
    ----------
    target, model : str
        Names of the structure and of the model.
    key : str
        Of the output in its plan.
    input_layer : str
        Name of the layer that was predicted from.
    record : PredictionRecord
        How it was made; as planned, until it is complete.
    complete : bool
        Whether all of it is painted.
    """

    kind: ClassVar[str] = "prediction"
    target: str = ""
    model: str = ""
    key: str = ""
    input_layer: str = ""
    record: PredictionRecord = field(default_factory=PredictionRecord)
    complete: bool = True


@dataclass(frozen=True)
class PreviewFacts:
    """Something shown for a while, neither an input nor a prediction: of which output, layer or run."""

    kind: ClassVar[str] = "preview"
    key: str = ""
    made_from: str = ""
    run: str = ""


Facts = InputFacts | PredictionFacts | PreviewFacts
_KINDS: dict[str, type[InputFacts] | type[PredictionFacts] | type[PreviewFacts]] = {
    kind.kind: kind for kind in (InputFacts, PredictionFacts, PreviewFacts)
}


def metadata_of(facts: Facts) -> dict[str, Any]:
    """Metadata for a layer that these facts are about."""
    # Field by field, not `asdict`: the record stays one frozen object.
    known = {each.name: getattr(facts, each.name) for each in fields(facts)}
    return {KEY: {"kind": facts.kind} | known}


def facts_of(layer: Layer | None) -> Facts | None:
    """What was written into a layer that we made; None for all others, and where it cannot be understood."""
    if layer is None:
        return None
    given = layer.metadata.get(KEY)
    if not isinstance(given, Mapping) or given.get("kind") not in _KINDS:
        return None
    kind = _KINDS[given["kind"]]
    known = {each.name: given[each.name] for each in fields(kind) if each.name in given}
    try:
        if "record" in known:
            known["record"] = PredictionRecord.model_validate(known["record"] or {})
        if "role" in known:
            known["role"] = ChannelRole(known["role"])
        return kind(**known)
    except (TypeError, ValueError, ValidationError):
        return None


def input_facts(layer: Layer | None) -> InputFacts | None:
    """The facts of a layer that shows a channel of a file; None for all others."""
    facts = facts_of(layer)
    return facts if isinstance(facts, InputFacts) else None


def prediction_facts(layer: Layer | None) -> PredictionFacts | None:
    """The facts of a layer that shows a prediction; None for all others."""
    facts = facts_of(layer)
    return facts if isinstance(facts, PredictionFacts) else None
