"""The dock "Mito Predict" as napari opens it: with the panel of "Compare with truth" as its last step.

The docks themselves do not import each other; here they meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_mito_predict._widgets.compare.panel import ComparePanel
from napari_mito_predict._widgets.predict.widget import PredictWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget


class MitoPredict(PredictWidget):
    """One dock: open an image, choose models, predict, compare.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer it belongs to.
    """

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, ComparePanel, parent)
