"""The learning curve: training loss on the left, validation PCC on the right; a click goes to a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

_HEIGHT = 150
_AXIS_WIDTH = 50
"""Pixels; fixed, so that the curve does not move when the numbers beside it get longer."""
_LEAST_SCORES = 0.1
"""PCC shown from bottom to top at least: smaller differences are noise."""
_LOSS, _SCORE = "#6699cc", "#ee8844"


class Curve(QWidget):
    """Live curve of a run; `clicked` tells the iteration of a validation that was clicked."""

    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.losses: tuple[list[float], list[float]] = ([], [])
        self.scores: tuple[list[float], list[float]] = ([], [])
        self.setFixedHeight(_HEIGHT)
        self.setAccessibleName("Learning curve")
        self.setToolTip("Blue: training loss. Orange: PCC on the validation fields. Click to see that moment.")
        self._plot = pg.PlotWidget(background=None)
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        item = self._plot.getPlotItem()
        item.showAxis("right")
        self._right = pg.ViewBox(enableMenu=False)
        self._right.setMouseEnabled(x=False, y=False)
        item.scene().addItem(self._right)
        item.getAxis("right").linkToView(self._right)
        self._right.setLimits(minYRange=_LEAST_SCORES)
        self._right.setXLink(item.vb)
        self._loss = item.plot(pen=pg.mkPen(_LOSS, width=1.5))
        dots = {"symbol": "o", "symbolSize": 5, "symbolBrush": _SCORE, "symbolPen": None}
        self._score = pg.PlotDataItem(pen=pg.mkPen(_SCORE, width=1.5), **dots)
        self._right.addItem(self._score)
        self._now = pg.InfiniteLine(angle=90, pen=pg.mkPen("#999999", style=Qt.PenStyle.DashLine))
        self._now.hide()
        item.addItem(self._now, ignoreBounds=True)
        item.vb.sigResized.connect(self._align)  # pyqtgraph links views along x, but not their places
        item.scene().sigMouseClicked.connect(self._mouse_clicked)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._plot)
        self.restyle("dark")

    def set_metrics(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Draw the lines of `metrics.csv`."""
        self.losses, self.scores = _column(rows, "train_loss"), _column(rows, "val_pcc")
        self._loss.setData(*self.losses)
        self._score.setData(*self.scores)

    def set_now(self, iteration: int | None) -> None:
        """Mark the moment whose preview is on screen."""
        self._now.setVisible(iteration is not None)
        if iteration is not None:
            self._now.setValue(iteration)

    def restyle(self, theme_id: str) -> None:
        """Follow napari's colours."""
        text = get_theme(theme_id).text.as_hex()
        item = self._plot.getPlotItem()
        for side, label, colour in (("left", "loss", _LOSS), ("right", "PCC", _SCORE), ("bottom", "iteration", text)):
            axis = item.getAxis(side)
            axis.setPen(text)
            axis.setTextPen(colour)
            axis.setStyle(tickLength=-4)
            axis.enableAutoSIPrefix(False)
            if side != "bottom":
                axis.setLabel(label, color=colour)
                axis.setWidth(_AXIS_WIDTH)

    def _align(self) -> None:
        item = self._plot.getPlotItem()
        self._right.setGeometry(item.vb.sceneBoundingRect())
        self._right.linkedViewChanged(item.vb, self._right.XAxis)

    def _mouse_clicked(self, event: Any) -> None:
        """Go to the nearest validation, wherever on the curve the click was: points are small."""
        if self.scores[0]:
            x = self._plot.getPlotItem().vb.mapSceneToView(event.scenePos()).x()
            self.clicked.emit(int(min(self.scores[0], key=lambda iteration: abs(iteration - x))))


def _column(rows: Sequence[Mapping[str, float]], key: str) -> tuple[list[float], list[float]]:
    points = [(row["iteration"], row[key]) for row in rows if key in row and "iteration" in row]
    return [x for x, _ in points], [y for _, y in points]
