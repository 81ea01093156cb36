"""Layers beside each other, and everything as it was afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


class SideBySide:
    """napari's grid with some layers only; remembers what was visible, and how the grid was set."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._visible: dict[Layer, bool] = {}
        self._before: dict[str, Any] = {}

    def enter(self, layers: list[Layer]) -> None:
        """Show `layers`, and no others, from left to right in the order of the layer list."""
        grid = grid_of(self._viewer)
        self._visible = {layer: layer.visible for layer in self._viewer.layers}
        self._before = {"enabled": grid.enabled, "stride": grid.stride, "shape": grid.shape}
        for layer in self._viewer.layers:
            layer.visible = layer in layers
        grid.stride = 1
        grid.shape = (1, -1)
        grid.enabled = True
        self._viewer.reset_view()

    def leave(self) -> None:
        """Show again what was visible; layers that came meanwhile stay as they are."""
        grid = grid_of(self._viewer)
        for layer, visible in self._visible.items():
            if layer in self._viewer.layers:
                layer.visible = visible
        for name, value in self._before.items():
            setattr(grid, name, value)
        self._visible = {}
        self._viewer.reset_view()


def grid_of(viewer: Viewer) -> Any:
    """The grid's settings, which moved to the canvas in napari 0.9."""
    canvas: Any = getattr(viewer, "canvas", None)
    if canvas is None:
        return viewer.grid
    return canvas.grid
