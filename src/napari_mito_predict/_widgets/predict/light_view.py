"""The traffic light beside a model: a shape, a colour and a word, and below them why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from napari_mito_predict._widgets.common.layouts import column, row
from napari_mito_predict._widgets.common.light_words import explanation_of, word_of
from napari_mito_predict._widgets.common.style import StateIcon
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.predict.reasons import Reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mito_predict.image import Finding
    from napari_mito_predict.prediction.traffic_light import TrafficLight

_BELOW = "see below"
LOOKING = "looking…"


class LightView(QWidget):
    """A model's traffic light; hidden while nothing is planned with that model."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model
        self._light: TrafficLight | None = None
        self._icon = StateIcon("looking", self, size=max(16, self.fontMetrics().height()))
        self._word = QLabel()
        self._word.setProperty("title", True)
        self._word.setTextFormat(Qt.TextFormat.PlainText)
        self._beside = Wrapped(quiet=True)
        self.reasons = Reasons()
        head = row()
        head.addWidget(self._icon)
        head.addWidget(self._word)
        head.addWidget(self._beside, 1)
        box = column(2)
        box.setContentsMargins(0, 3, 0, 0)
        box.addLayout(head)
        box.addWidget(self.reasons)
        self.setLayout(box)
        self.forget()

    @property
    def light(self) -> TrafficLight | None:
        """What it shows; None before it is known."""
        return self._light

    @property
    def is_looking(self) -> bool:
        """Whether it waits for its light."""
        return self._light is None and not self.isHidden()

    @property
    def word(self) -> str:
        """The light in words, also while it is looked for."""
        return self._word.text()

    def forget(self) -> None:
        """Show nothing."""
        self._light = None
        self.reasons.say(())
        self.hide()

    def look(self) -> None:
        """Say that somebody is looking; what was said before is gone, and the room that it took is kept."""
        self._light = None
        self._say("looking", LOOKING, "")
        self.reasons.wait()
        self.show()

    def show_reasons(self, reasons: Sequence[Finding], same_as: str = "") -> None:
        """Show what is known before the light is: from what the file says."""
        self._say("looking", LOOKING, _as_for(same_as))
        self.reasons.say(() if same_as else reasons)
        self.show()

    def show_light(self, light: TrafficLight, reasons: Sequence[Finding], same_as: str = "") -> None:
        """Show a light and its reasons.

        Parameters
        ----------
        light : TrafficLight
            What the colour and the word are taken from.
        reasons : sequence of Finding
            What is said here: not what is said once, below all models.
        same_as : str
            The model above for which the reasons are said, where they are the same.
        """
        self._light = light
        beside = _as_for(same_as)
        here = {reason.level for reason in reasons}
        if light.reasons and not same_as and light.reasons[0].level not in here:
            beside = _BELOW  # what decides about the colour is said there
        self._say(str(light.colour), word_of(light), beside)
        self.setToolTip(explanation_of(light))
        self.reasons.say(() if same_as else reasons)
        self.show()

    def _say(self, state: str, word: str, beside: str) -> None:
        self._icon.set_state(state)
        self._word.setText(word[0].upper() + word[1:])
        self._beside.say(beside)
        self.setToolTip("")
        self.setAccessibleName(f"{self._model}: {word} {beside}".rstrip())


def _as_for(model: str) -> str:
    if not model:
        return ""
    return f"as for {model}"
