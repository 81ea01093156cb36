"""The plugin's dock widgets in one viewer: how they find and open each other, by name and not by class.

The docks do not import each other. What one of them does for the others is a protocol here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari.viewer import Viewer

PLUGIN = "napari-mito-predict"
PREDICT: Literal["Mito Predict"] = "Mito Predict"
"""Name of a dock in the manifest, and the `dock_name` of its class."""
FINE_TUNE: Literal["Fine-tune"] = "Fine-tune"
MODELS: Literal["Models"] = "Models"
MANY_IMAGES: Literal["Many images"] = "Many images"
MEASURE: Literal["Measure"] = "Measure"
_WITH_MODELS = (PREDICT, FINE_TUNE, MODELS, MANY_IMAGES)
"""Docks that show the list of models."""


class ModelsListing(Protocol):
    """What every dock that shows models does for others."""

    def refresh_models(self) -> None:
        """Read the list of models anew."""


class PredictDock(ModelsListing, Protocol):
    """What the dock "Mito Predict" does for others."""

    def choose_model(self, name: str) -> None:
        """Check only this model of the list; nothing is predicted yet."""

    def use_model(self, path: Path, title: str) -> None:
        """Predict with a model that is not in the list."""


class FineTuneDock(ModelsListing, Protocol):
    """What the dock "Fine-tune" does for others."""

    def start_from(self, name: str) -> None:
        """Take this model of the list as the one to start from."""

    def suggest_files(self, paths: Sequence[Path]) -> None:
        """Take these as the fields to learn from, unless some were chosen."""


@overload
def open_dock(viewer: Viewer, name: Literal["Mito Predict"]) -> PredictDock: ...
@overload
def open_dock(viewer: Viewer, name: Literal["Fine-tune"]) -> FineTuneDock: ...
@overload
def open_dock(viewer: Viewer, name: Literal["Models", "Many images"]) -> ModelsListing: ...
def open_dock(viewer: Viewer, name: str) -> Any:
    """Bring a dock widget of ours to the front, opening it beside the others where it is not there yet.

    Parameters
    ----------
    viewer : Viewer
        The viewer it belongs to.
    name : str
        `PREDICT`, `FINE_TUNE`, `MODELS` or `MANY_IMAGES`.
    """
    # napari takes a dock that was closed out of its frame, and Python deletes it some time later.
    docks = [dock for dock in _docks_of(viewer, name) if dock.parentWidget() is not None]
    if docks:
        widget = docks[0]
    else:
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    frame = widget.parentWidget()
    while frame is not None and frame.parentWidget() is not frame.window():
        frame = frame.parentWidget()
    if frame is not None:
        frame.show()
        frame.raise_()
    return widget


def tell_models_changed(viewer: Viewer, *, but: object = None) -> None:
    """Let the open docks of this viewer read the list of models anew, without the one that knows already."""
    for name in _WITH_MODELS:
        for dock in _docks_of(viewer, name):
            if dock is not but:
                dock.refresh_models()


def _docks_of(viewer: Viewer, name: str) -> list[Any]:
    ours: list[Any] = [widget for widget in QApplication.allWidgets() if getattr(widget, "dock_name", None) == name]
    return [dock for dock in ours if _itself(dock.viewer) is _itself(viewer)]


def _itself(viewer: Viewer) -> Viewer:
    """The viewer behind the proxy that napari hands to plugins. Two viewers that show the same are equal."""
    found: Viewer = getattr(viewer, "__wrapped__", viewer)
    return found
