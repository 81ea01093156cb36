"""Taking layers of ours away again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


def take_away(viewer: Viewer, layers: Iterable[Layer], *, others_follow: bool = True) -> None:
    """Remove those layers that are still there, and no others.

    Mesa's software renderer, which draws on virtual machines and remote desktops, crashes when layers are added after
    several were removed between two drawings. It crashes, too, when it draws at once after some removals. So each layer
    is gone from the canvas before the next one goes only where others take their places at once.

    Parameters
    ----------
    viewer : Viewer
    layers : iterable of Layer
    others_follow : bool
        Whether layers are added before napari draws by itself.
    """
    for layer in layers:
        if layer in viewer.layers:
            viewer.layers.remove(layer)
            if others_follow:
                _draw()


def _draw() -> None:
    """Let every canvas that is on screen draw at once."""
    for window in QApplication.topLevelWidgets():
        for canvas in window.findChildren(QOpenGLWidget):
            canvas.repaint()
