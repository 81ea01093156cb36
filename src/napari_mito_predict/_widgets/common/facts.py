"""What we know of a layer that we made: written into its metadata once, read from there by everybody."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ValidationError

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.image import ChannelRole, ImageSource
from napari_mito_predict.image.zarr_plates import scene_folder
from napari_mito_predict.models.record import PredictionRecord, read_record
from napari_mito_predict.prediction.traffic_light import TrafficLight, traffic_light

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

    @property
    def light(self) -> TrafficLight | None:
        """Whether it can be believed; None where that was not recorded."""
        if not self.record.light:
            return None
        return traffic_light(self.record.model.name, self.record.findings)


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


_recognised: weakref.WeakKeyDictionary[Layer, PredictionFacts] = weakref.WeakKeyDictionary()


def mark_as_prediction(layer: Layer, facts: PredictionFacts) -> None:
    """Keep that a layer which somebody else made shows a prediction; the layer itself is not ours to write into."""
    _recognised[layer] = facts


def prediction_in(image: ImageSource, channel: int = 0) -> PredictionFacts | None:
    """Give the facts of a channel of a file that is a prediction; None for what was recorded. Reads its record."""
    mark = image.channels[channel].prediction
    if mark is None:
        return None
    record = None
    if image.path is not None:
        with suppress(EvaluationError):  # a record that cannot be read still says that there is a prediction
            record = read_record(scene_folder(image.path, image.scenes[image.scene]))
    record = record or PredictionRecord()
    if channel < len(record.channels):
        record = record.channels[channel]
    target = record.target or str(image.channels[channel].role)
    return PredictionFacts(target=target, model=mark.model, input_layer=record.input.name, record=record)


def facts_of(layer: Layer | None) -> Facts | None:
    """What is known of a layer that we made, or that shows a prediction; None for all others."""
    if layer is None:
        return None
    # Plugins are given proxies of layers.
    known = _recognised.get(getattr(layer, "__wrapped__", layer))
    if known is not None:
        return known
    given = layer.metadata.get(KEY)
    if not isinstance(given, Mapping) or given.get("kind") not in _KINDS:
        return None
    kind = _KINDS[given["kind"]]
    values = {each.name: given[each.name] for each in fields(kind) if each.name in given}
    try:
        if "record" in values:
            values["record"] = PredictionRecord.model_validate(values["record"] or {})
        if "role" in values:
            values["role"] = ChannelRole(values["role"])
        return kind(**values)
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
