"""What docks say of a traffic light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_mito_predict.image import Level
from napari_mito_predict.prediction.traffic_light import Colour

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_mito_predict.prediction.traffic_light import TrafficLight

_WORDS: Final = {Colour.GREEN: "fits", Colour.AMBER: "with care", Colour.RED: "do not believe"}
_IMPOSSIBLE = "impossible"
_EXPLANATIONS: Final = {
    Colour.GREEN: "The image is like those that the model was trained on, as far as was looked.",
    Colour.AMBER: "The prediction is to be taken with care.",
    Colour.RED: "The prediction is not to be believed.",
}
DISCLAIMED: Final = "simulated-model"
"""A finding whose message is the disclaimer of a model, which goes with every showing of what it predicts."""
_WORST_FIRST: Final = (Colour.RED, Colour.AMBER, Colour.GREEN)


def is_impossible(light: TrafficLight) -> bool:
    """Whether nothing can be predicted at all."""
    return any(reason.level is Level.ERROR for reason in light.reasons)


def word_of(light: TrafficLight) -> str:
    """A light in a word or three."""
    if is_impossible(light):
        return _IMPOSSIBLE
    return _WORDS[light.colour]


def explanation_of(light: TrafficLight) -> str:
    """What the colour of a light means, as a tooltip."""
    if is_impossible(light):
        return "Nothing can be predicted."
    return _EXPLANATIONS[light.colour]


def worst(lights: Iterable[TrafficLight]) -> TrafficLight | None:
    """The light to mind first; None of none."""

    def badness(light: TrafficLight) -> tuple[bool, int]:
        return not is_impossible(light), _WORST_FIRST.index(light.colour)

    return min(lights, key=badness, default=None)


def doubt_of(light: TrafficLight | None) -> str:
    """Why a prediction is not to be believed as it is, in a sentence; empty where its light is green or not known.

    Its disclaimer is left out, which is said anyway.
    """
    if light is None:
        return ""
    reason = next((reason for reason in light.reasons if reason.code != DISCLAIMED), None)
    if reason is None:
        return ""
    return f"{str(light.colour).capitalize()} light: {reason.message}"


def light_sentences(lights: Iterable[TrafficLight]) -> list[str]:
    """A sentence for each colour but green: which models, and the first reason of the first of them."""
    sentences = []
    by_colour: dict[Colour, list[TrafficLight]] = {}
    for light in lights:
        by_colour.setdefault(light.colour, []).append(light)
    for colour in _WORST_FIRST:
        found = by_colour.get(colour, [])
        if found and colour is not Colour.GREEN:
            names = ", ".join(light.model for light in found)
            sentences.append(f"{str(colour).capitalize()} light, {names}: {found[0].reasons[0].message}")
    return sentences
