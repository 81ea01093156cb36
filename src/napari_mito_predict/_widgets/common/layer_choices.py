"""What an image leaves open, as lists to choose from: its scene, what its planes are, which channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from napari.layers import Image
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import Combo
from napari_mito_predict._widgets.common.image_layers import axes_of, possible_axes, values_of

if TYPE_CHECKING:
    from qtpy.QtWidgets import QComboBox

_ASKED = "choose…"


class SceneCombo(Combo):
    """The scenes of a file."""

    def offer(self, scenes: Sequence[str], current: int) -> None:
        """Offer scenes by name; `current` is the position of the one that is open."""
        if [self.itemText(i) for i in range(self.count())] != list(scenes):
            self.clear()
            self.addItems(scenes)
        self.setCurrentIndex(current)


class AxesCombo(Combo):
    """What the planes of a layer are; the data of its entries are letters of ``TCZYX``, None for the question."""

    def offer(self, layer: object) -> bool:
        """Offer what a layer leaves open; whether it is anything."""
        is_open = isinstance(layer, Image) and axes_of(layer) is None
        choices = possible_axes(layer) if is_open else {}
        if _data_of(self) != list(choices):
            _fill(self, choices)
        return is_open

    def axes_of(self, layer: Image) -> str | None:
        """Letters from ``TCZYX`` for a layer's axes, by its labels or else by what is chosen; None where nothing is."""
        return axes_of(layer) or self.currentData()


class ChannelCombo(Combo):
    """Which channel of a layer that holds several; the data of its entries are indices, None for the question."""

    def offer(self, layer: object, axes: str | None) -> bool:
        """Offer the channels of a layer with these axes; whether there is a choice."""
        channels = 0
        if isinstance(layer, Image) and axes is not None and "C" in axes:
            channels = values_of(layer).shape[axes.index("C")]
        if len(_data_of(self)) != channels:
            _fill(self, {i: f"channel {i}" for i in range(channels)})
            with signals_blocked(self):
                self.setCurrentIndex(1 if channels == 1 else 0)
        return channels > 1


def _data_of(combo: QComboBox) -> list[object]:
    """What the entries after the question stand for."""
    return [combo.itemData(i) for i in range(1, combo.count())]


def _fill(combo: QComboBox, choices: Mapping[str, str] | Mapping[int, str]) -> None:
    with signals_blocked(combo):
        combo.clear()
        combo.addItem(_ASKED, None)
        for value, text in choices.items():
            combo.addItem(text, value)
