"""The dock widget "Compare": the panel on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.layouts import column
from napari_mito_predict._widgets.common.scrolling import ScrollingColumn
from napari_mito_predict._widgets.common.style import style_sheet
from napari_mito_predict._widgets.compare.panel import ComparePanel

if TYPE_CHECKING:
    from napari.viewer import Viewer


class CompareWidget(QWidget):
    """The compare step as a dock widget of its own."""

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        inside = QWidget()
        box = QVBoxLayout(inside)
        box.setContentsMargins(8, 8, 8, 8)
        self.panel = ComparePanel(napari_viewer)
        box.addWidget(self.panel)
        box.addStretch(1)
        outer = column()
        outer.addWidget(ScrollingColumn(inside))
        self.setLayout(outer)
        self._viewer = napari_viewer
        follow(self, napari_viewer.events.theme, self._restyle)
        self._restyle()

    def _restyle(self, event: object = None) -> None:
        self.setStyleSheet(style_sheet(str(self._viewer.theme)))
