"""What the compare step shows: a small table, and the PCC over planes or time as a line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

if TYPE_CHECKING:
    from napari_mito_predict._widgets.compare.scores import Agreement


_COLUMNS = {
    "PCC": "Pearson correlation over pixels",
    "Fine PCC": (
        "The same of fine structure, without the blur by a Gaussian of 1.3 µm (12 pixels where no size is known). "
        "A prediction that only tells where the cell is granular has a low one."
    ),
    # Of the two forms the one of the reports that is called global; its name in full does not fit beside the others.
    "SSIM": "In its global form: with one mean, variance and covariance for all pixels",
}


class Row(NamedTuple):
    """The cells of a row."""

    pcc: QLabel
    fine: QLabel
    ssim: QLabel


class Numbers(QWidget):
    """A small table: plane and stack, and what of them lies in a region; PCC, fine PCC and SSIM."""

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setColumnStretch(0, 1)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        for column, (text, tip) in enumerate(_COLUMNS.items(), 1):
            head = QLabel(text)
            head.setProperty("quiet", True)
            head.setToolTip(tip)
            grid.addWidget(head, 0, column, Qt.AlignmentFlag.AlignRight)
        self._names: list[QLabel] = []
        self.plane = self._add_row(grid, "This plane")
        self.stack = self._add_row(grid, "Whole stack")
        self.region_plane = self._add_row(grid, "Region, plane")
        self.region_stack = self._add_row(grid, "Region, stack")
        self.show_rows(stack=True, region=False)

    def _add_row(self, grid: QGridLayout, text: str) -> Row:
        row = grid.rowCount()
        name = QLabel(text)
        self._names.append(name)
        grid.addWidget(name, row, 0)
        labels = Row(*(QLabel("–") for _ in _COLUMNS))
        for column, label in enumerate(labels, 1):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            grid.addWidget(label, row, column, Qt.AlignmentFlag.AlignRight)
        return labels

    def show_rows(self, *, stack: bool, region: bool) -> None:
        """Show the rows of the stack and of the region, or do not."""
        shown = (True, stack, region, region and stack)
        rows = (self.plane, self.stack, self.region_plane, self.region_stack)
        for name, labels, on in zip(self._names, rows, shown, strict=True):
            for label in (name, *labels):
                label.setVisible(on)

    def set_plane(self, whole: Agreement | None, region: Agreement | None = None) -> None:
        """Numbers of the plane on screen, and of its part in the region."""
        self._set(self.plane, whole)
        self._set(self.region_plane, region)

    def set_stack(self, scores: Agreement | None) -> None:
        """Numbers of the whole stack."""
        self._set(self.stack, scores)

    def set_region_stack(self, scores: Agreement | None) -> None:
        """Numbers of the region in all planes of the stack."""
        self._set(self.region_stack, scores)

    @staticmethod
    def _set(labels: Row, scores: Agreement | None) -> None:
        values = (math.nan, math.nan, math.nan)
        if scores is not None:
            values = (scores.pcc, scores.fine, scores.ssim)
        for label, value in zip(labels, values, strict=True):
            if math.isfinite(value):
                label.setText(f"{value:z.2f}")
                label.setToolTip(f"{value:.4f}")
            else:
                label.setText("–")
                label.setToolTip("")


class Profile(QWidget):
    """PCC of every plane, or time point, as a line; a click goes there."""

    clicked = Signal(int)

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._values: tuple[float, ...] = ()
        self._current: int | None = None
        self.setFixedHeight(36)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(f"{title}; click to go there")
        self.setAccessibleName(title)
        self.hide()

    def set_title(self, title: str) -> None:
        """What the line shows."""
        self._title = title
        self.setToolTip(f"{title}; click to go there")
        self.setAccessibleName(title)
        self.update()

    def set_values(self, values: tuple[float, ...]) -> None:
        """PCC of each, NaN where it has none."""
        self._values = values
        self.update()

    def set_current(self, plane: object) -> None:
        """Which one is on screen; anything but a number for none."""
        self._current = None
        if isinstance(plane, int):
            self._current = plane
        self.update()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and self._values:
            step = self.width() / len(self._values)
            self.clicked.emit(min(len(self._values) - 1, max(0, int(event.position().x() / step))))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        values = self._values
        if len(values) < 2:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().text().color()
        low, high = 0.0, 1.0
        if np.isfinite(values).any():
            low = min(low, float(np.nanmin(values)))
        area = self.rect().adjusted(1, 4, -1, -4)

        def point(i: int) -> QPointF:
            x = area.left() + (i + 0.5) * area.width() / len(values)
            return QPointF(x, area.bottom() - (values[i] - low) / (high - low) * area.height())

        quiet = QColor(text)
        quiet.setAlpha(70)
        painter.setPen(QPen(quiet))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        quiet.setAlpha(150)
        painter.setPen(QPen(quiet))
        # The title goes where the line is not.
        edge = Qt.AlignmentFlag.AlignTop
        if _mean(values) > (low + high) / 2:
            edge = Qt.AlignmentFlag.AlignBottom
        painter.drawText(area, edge | Qt.AlignmentFlag.AlignHCenter, self._title)
        if self._current is not None and self._current < len(values):
            x = 0.0
            if math.isfinite(values[self._current]):
                x = point(self._current).x()
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setPen(QPen(text, 1.5))
        painter.drawPolyline(QPolygonF([point(i) for i in range(len(values)) if math.isfinite(values[i])]))


def _mean(values: tuple[float, ...]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / max(len(finite), 1)
