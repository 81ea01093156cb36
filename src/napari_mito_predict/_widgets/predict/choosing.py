"""What is chosen to predict from, by itself or by the user; and when a file that napari opened is a new choice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from superqt.utils import QSignalDebouncer

from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.image_layers import file_of, is_input, role_of, values_of
from napari_mito_predict.image import ChannelRole

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_mito_predict._widgets.predict.output_layers import Grid
    from napari_mito_predict.image import ImageSource

_BURST_MS = 20
"""The layers of one file come one after the other."""


@dataclass(frozen=True)
class Input:
    """What the user chose to predict from.

    Attributes
    ----------
    source : ImageSource
        The image.
    channel : int
        Index of the transmitted-light channel in it.
    layer : Image
        The layer that shows this channel.
    grid : Grid
        Where it lies in the viewer.
    voxel_size_um : tuple of float or None, optional
        Typed by the user; None where the image knows.
    """

    source: ImageSource
    channel: int
    layer: Image
    grid: Grid
    voxel_size_um: tuple[float | None, float | None, float | None] | None


def newest_transmitted(layers: Iterable[Layer]) -> Layer | None:
    """Find the last of these layers that shows transmitted light, as far as one can tell."""
    found = [layer for layer in layers if is_input(layer) and role_of(layer)[0] is ChannelRole.TRANSMITTED]
    return next(reversed(found), None)


def truth_beside(light: Image, role: ChannelRole, layers: Sequence[Layer]) -> Layer | None:
    """Find the newest real fluorescence of a role in the field of a transmitted light.

    Layers of its own file come first; those of another file never count, whose field is another one.
    """
    shape, file = values_of(light).shape, file_of(light)
    own, foreign = [], []
    for layer in layers:
        if not is_input(layer) or role_of(layer)[0] is not role or values_of(layer).shape != shape:
            continue
        if file_of(layer) == file:
            own.append(layer)
        elif file is None or file_of(layer) is None:
            foreign.append(layer)
    return next(reversed(own or foreign), None)


class NapariFiles(QObject):
    """Tells of layers that come into the viewer: those of a file that napari opened together, others one by one.

    Parameters
    ----------
    viewer : Viewer
        Whose layers.
    parent : QWidget
        It ends with this widget.
    """

    file_opened = Signal(list)
    """With the layers of the file."""
    layer_added = Signal(object)
    """With a layer that no file was opened for."""

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._opened: list[Layer] = []
        self._burst = QSignalDebouncer(parent=self)
        self._burst.setTimeout(_BURST_MS)
        self._burst.triggered.connect(self._tell)
        follow(parent, viewer.layers.events.inserted, self._inserted)

    def _inserted(self, event: Any) -> None:
        layer = event.value
        # Duplicates and parts of a layer name its file too, but have a parent.
        if layer.source.path is not None and layer.source.parent is None and is_input(layer):
            self._opened.append(layer)
            self._burst.throttle()
        else:
            self.layer_added.emit(layer)

    def _tell(self) -> None:
        layers = [layer for layer in self._opened if layer in self._viewer.layers]
        self._opened = []
        if layers:
            self.file_opened.emit(layers)
