"""Taking layers of ours away again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qtpy.QtOpenGLWidgets import QOpenGLWidget

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


def take_away(viewer: Viewer, layers: Iterable[Layer]) -> None:
    """Remove those layers that are still there, and no others.

    While it removes a layer, napari deletes its textures and buffers in whatever OpenGL context is current. That is
    often not the one of its canvas but the one in which Qt composes the window. What was deleted elsewhere stays bound
    in the canvas, and Mesa's software renderer, which draws on virtual machines and remote desktops, crashes there at a
    later drawing. So the context of the canvas is made current before.

    Parameters
    ----------
    viewer : Viewer
    layers : iterable of Layer
    """
    for layer in layers:
        if layer in viewer.layers:
            _make_canvas_current(viewer)
            viewer.layers.remove(layer)


def _make_canvas_current(viewer: Viewer) -> None:
    """Let OpenGL calls act on the canvas of this viewer; nothing happens where it was never drawn."""
    window = getattr(viewer, "window", None)  # napari's model of a viewer has none
    if window is not None:
        for canvas in window.main_menu.window().findChildren(QOpenGLWidget):
            canvas.makeCurrent()
