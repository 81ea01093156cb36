"""Widgets follow what happens in napari, for as long as they live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from qtpy.QtCore import QObject, Signal
from superqt.utils import QSignalThrottler

from napari_mito_predict._widgets.common.destruction import on_destruction

if TYPE_CHECKING:
    from napari.layers import Layer

PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Events of a layer that say where its pixels lie."""
_BURST_MS = 20
"""Whoever moves a layer says so several times over."""


def follow(owner: QObject, emitter: Any, method: Callable[..., None]) -> None:
    """Call a bound method on a napari event for as long as `owner` lives."""
    emitter.connect(method, position="last")
    reference = WeakMethod(method)  # the method may be one of the owner

    def forget() -> None:
        # napari itself forgets the methods of objects that are gone.
        if (still_there := reference()) is not None:
            emitter.disconnect(still_there)

    on_destruction(owner, forget)


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
