"""Taking layers of ours away again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


def take_away(viewer: Viewer, layers: Iterable[Layer]) -> None:
    """Remove those layers that are still there, and no others; each is gone from the canvas before the next one goes.

    Mesa's software renderer, which draws on virtual machines and remote desktops, crashes when layers are added after
    several were removed between two drawings.
    """
    for layer in layers:
        if layer in viewer.layers:
            viewer.layers.remove(layer)
            _draw()


def _draw() -> None:
    """Let every canvas that is on screen draw at once."""
    for window in QApplication.topLevelWidgets():
        for canvas in window.findChildren(QOpenGLWidget):
            canvas.repaint()
