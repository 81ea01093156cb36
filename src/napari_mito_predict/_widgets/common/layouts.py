"""Layouts that all docks use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QBoxLayout, QFormLayout, QHBoxLayout, QLayout, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent


def column(spacing: int = 4) -> QVBoxLayout:
    """A vertical layout without margins."""
    box = QVBoxLayout()
    box.setContentsMargins(0, 0, 0, 0)
    box.setSpacing(spacing)
    return box


def row(*, spacing: int = 6) -> QHBoxLayout:
    """A horizontal layout without margins."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(spacing)
    return row


def form() -> QFormLayout:
    """Rows of a label and a field that takes the width that is left, alike on all platforms.

    With large letters there is no room for both beside each other: then the field goes below its label.
    """
    rows = QFormLayout()
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setHorizontalSpacing(8)
    rows.setVerticalSpacing(4)
    # What styles disagree on: macOS aligns labels to the right and keeps fields narrow.
    rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    rows.setFormAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
    return rows


def clear(layout: QLayout) -> None:
    """Delete all widgets of a layout."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()


class SideBySide(QWidget):
    """Widgets beside each other, the first as wide as there is room; below each other where there is not enough."""

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self._widgets = widgets
        self._box = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(8)
        for widget in widgets:
            self._box.addWidget(widget)
        self._box.setStretch(0, 1)

    def minimumSizeHint(self) -> QSize:
        """That of the widest alone."""
        width = max(widget.minimumSizeHint().width() for widget in self._widgets)
        return QSize(width, super().minimumSizeHint().height())

    def resizeEvent(self, a0: QResizeEvent | None) -> None:
        super().resizeEvent(a0)
        self._turn()

    def event(self, a0: QEvent | None) -> bool:
        if a0 is not None and a0.type() == QEvent.Type.LayoutRequest:
            self._turn()  # one of them has other words on it
        return bool(super().event(a0))

    def _turn(self) -> None:
        needed = sum(widget.sizeHint().width() for widget in self._widgets)
        needed += self._box.spacing() * (len(self._widgets) - 1)
        direction = QBoxLayout.Direction.LeftToRight
        if needed > self.width():
            direction = QBoxLayout.Direction.TopToBottom
        if direction != self._box.direction():
            self._box.setDirection(direction)
            self.updateGeometry()
