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


def red_reason(light: TrafficLight | None) -> str:
    """Why a prediction is not to be believed; empty where its light is another one, or not known."""
    if light is None or light.colour is not Colour.RED:
        return ""
    return light.reasons[0].message


def light_sentences(lights: Iterable[TrafficLight]) -> list[str]:
    """What is to be said of results: of which models not to believe them, and why, and of which to be careful."""
    red: dict[str, list[str]] = {}
    careful = []
    for light in lights:
        if light.colour is Colour.RED:
            red.setdefault(red_reason(light), []).append(light.model)
        elif light.colour is Colour.AMBER:
            careful.append(light.model)
    sentences = [f"Red light, {', '.join(models)}: {reason}" for reason, models in red.items()]
    if careful:
        sentences.append(f"Amber light, {', '.join(careful)}: with care, see Models.")
    return sentences
