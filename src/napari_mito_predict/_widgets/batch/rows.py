"""What the table says of an image, in words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_mito_predict._widgets.batch.queue import Doing, Stage
from napari_mito_predict._widgets.common.light_words import explanation_of, worst
from napari_mito_predict._widgets.common.model_words import target_title
from napari_mito_predict.errors import (
    AmbiguousChannelError,
    ChannelNotFoundError,
    IncompleteImageError,
    MetadataError,
    MitoPredictError,
    OutputExistsError,
    UnknownAxesError,
    UnknownModelError,
)
from napari_mito_predict.image.names import image_stem
from napari_mito_predict.prediction.batch.outcome import Outcome, State

if TYPE_CHECKING:
    from napari_mito_predict.prediction.batch.inputs import Entry
    from napari_mito_predict.prediction.traffic_light import TrafficLight

WAITING: Final = "waiting"
_SHORT: Final = {"Mitochondria": "mito"}
_LINES: Final = 2
"""Of a row."""
_TOLD: Final = "See below: what the files do not say."
_HELP: Final[tuple[tuple[type[MitoPredictError], str], ...]] = (
    (ChannelNotFoundError, _TOLD),
    (AmbiguousChannelError, _TOLD),
    (MetadataError, _TOLD),
    (OutputExistsError, "Or choose below to predict again what is there: that replaces it."),
    (UnknownModelError, "Choose models below."),
    (UnknownAxesError, "The dock Mito Predict asks for them."),
    (IncompleteImageError, "The dock Mito Predict predicts parts of images."),
)
_ICONS: Final = {
    State.DONE: "ok",
    State.THERE_ALREADY: "ok",
    State.LEFT_OUT: "info",
    State.FAILED: "error",
}


@dataclass
class Row:
    """An image, what is done with it now, and what became of it; neither while it waits."""

    entry: Entry
    doing: Doing | None = None
    outcome: Outcome | None = None

    @property
    def state(self) -> State | None:
        """What became of it, if it has ended."""
        return None if self.outcome is None else self.outcome.state

    @property
    def name(self) -> str:
        """Of the file, found out without asking a disk."""
        return image_stem(self.entry.path)

    @property
    def scene(self) -> str:
        """Of the file, or field of the plate; empty where it has one."""
        if self.outcome is not None and self.outcome.scene:
            return self.outcome.scene
        return self.entry.scene_name

    @property
    def light(self) -> TrafficLight | None:
        """The light to mind first."""
        if self.outcome is None:
            return None
        return worst(self.outcome.lights.values())

    @property
    def icon(self) -> str:
        """What stands before its state, as `StateIcon` calls it."""
        if self.doing is not None:
            return "looking"
        if self.outcome is None:
            return "idle"
        if self.light is not None:
            return str(self.light.colour)
        return _ICONS[self.outcome.state]

    @property
    def state_words(self) -> str:
        """Where it stands, and on a second line how far it is, or its light."""
        if self.doing is not None:
            if self.doing.stage is Stage.PREDICTING:
                return f"{self.doing.stage}\n{100 * self.doing.fraction:.0f} %"
            return f"{self.doing.stage}"
        if self.outcome is None:
            return WAITING
        if self.light is not None:
            return f"{self.outcome.state}\n{self.light.colour}"
        return str(self.outcome.state).replace(" ", "\n")

    @property
    def scores(self) -> str:
        """Correlation with the truth, a line for each target."""
        if self.outcome is None:
            return ""
        pcc = self.outcome.pcc
        if len(pcc) == 1:
            return f"{next(iter(pcc.values())):.2f}"
        lines = [f"{_short(key)} {value:.2f}" for key, value in pcc.items()]
        if len(lines) > _LINES:
            lines[_LINES - 1 :] = [f"{len(lines) - _LINES + 1} more"]
        return "\n".join(lines)

    @property
    def scores_in_full(self) -> str:
        """The same with more digits, and all of it."""
        if self.outcome is None:
            return ""
        return "\n".join(f"{target_title(key)}: PCC {value:.3f}" for key, value in self.outcome.pcc.items())

    @property
    def reasons(self) -> str:
        """Why there is no prediction, or why to be careful with it."""
        if self.outcome is None:
            return ""
        if self.outcome.error is not None:
            return f"{self.outcome.reason} {_help_with(self.outcome.error)}".rstrip()
        said = _said_of(self.outcome.lights.values())
        if self.light is not None:
            said.insert(0, explanation_of(self.light))
        return "\n".join(said)


def _help_with(error: MitoPredictError) -> str:
    """Where this dock, or another one, has what the error asks for."""
    return next((text for kind, text in _HELP if isinstance(error, kind)), "")


def _said_of(lights: Collection[TrafficLight]) -> list[str]:
    """The reasons of lights, each once; with the models that it is about, if it is not about all and does not say."""
    models: dict[str, list[str]] = {}
    for light in lights:
        for reason in light.reasons:
            models.setdefault(reason.message, []).append(light.model)
    said = []
    for message, names in models.items():
        is_clear = len(names) == len(lights) or all(name in message for name in names)
        said.append(message if is_clear else f"{', '.join(names)}: {message}")
    return said


def _short(key: str) -> str:
    title = target_title(key)
    return _SHORT.get(title, title)
