"""What is known of a chosen layer follows the layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from superqt.utils import QSignalThrottler

if TYPE_CHECKING:
    from napari.layers import Layer

PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Events of a layer that say where its pixels lie."""
_BURST_MS = 20
"""Whoever moves a layer says so several times over."""


class LayerFollower(QObject):
    """Tells when something about a layer changes, once for a burst of events.

    Parameters
    ----------
    parent : QObject
        It ends with this.
    events : sequence of str
        Names of the events to be followed.
    """

    changed = Signal()

    def __init__(self, parent: QObject, events: Sequence[str]) -> None:
        super().__init__(parent)
        self._events = tuple(events)
        self._layer: Layer | None = None
        self._burst = QSignalThrottler(QSignalThrottler.EmissionPolicy.Trailing, parent=self)
        self._burst.setTimeout(_BURST_MS)
        self._burst.triggered.connect(self.changed)

    def follow(self, layer: Layer | None) -> None:
        """Follow this layer instead of the one before; None follows none."""
        if layer == self._layer:
            return
        for name in self._events:
            if self._layer is not None:
                getattr(self._layer.events, name).disconnect(self._happened)
            if layer is not None:
                getattr(layer.events, name).connect(self._happened)
        self._layer = layer

    def _happened(self, event: object = None) -> None:
        self._burst.throttle()
