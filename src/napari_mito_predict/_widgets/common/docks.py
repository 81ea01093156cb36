"""The plugin's other dock widgets in the same viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from qtpy.QtWidgets import QApplication, QWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer

PLUGIN = "napari-mito-predict"

Dock = TypeVar("Dock", bound=QWidget)


def open_dock(viewer: Viewer, name: str, kind: type[Dock]) -> Dock:
    """Bring a dock widget of ours to the front, opening it beside the others where it is not there yet."""
    found = docks_of(viewer, kind)
    widget = found[0] if found else viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)[1]
    dock = widget.parentWidget()
    while dock is not None and dock.parentWidget() is not dock.window():
        dock = dock.parentWidget()
    if dock is not None:
        dock.show()
        dock.raise_()
    if not isinstance(widget, kind):
        raise TypeError(f"{name} is a {kind.__name__}")
    return widget


def docks_of(viewer: Viewer, kind: type[Dock]) -> list[Dock]:
    """The open dock widgets of one kind that belong to this viewer."""
    widgets = QApplication.allWidgets()
    return [widget for widget in widgets if isinstance(widget, kind) and getattr(widget, "viewer", None) == viewer]
