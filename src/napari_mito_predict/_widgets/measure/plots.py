"""A histogram of objects and a line over time; a click in one of them selects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEIGHT: Final = 150
_AXIS_WIDTH: Final = 46
_MOST_BINS: Final = 40
_FEWEST_TO_BE_WIDE: Final = 20
_WIDE: Final = 6
"""How many times the median the 99th percentile is."""
_SHOWN_PERCENTILE: Final = 95
_BARS: Final = "#6699cc"
_CHOSEN: Final = "#ffd900"
_LINE: Final = "#ee8844"


class _Plot(QWidget):
    """A plot that nobody can move or zoom; a click in it tells where."""

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        self.setFixedHeight(_HEIGHT)
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self._plot = pg.PlotWidget(background=None)
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.item = self._plot.getPlotItem()
        self.item.scene().sigMouseClicked.connect(self._mouse_clicked)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._plot)
        self._text = "#ffffff"

    def restyle(self, theme_id: str) -> None:
        """Follow napari's colours."""
        self._text = get_theme(theme_id).text.as_hex()
        for side in ("left", "bottom"):
            axis = self.item.getAxis(side)
            axis.setPen(self._text)
            axis.setTextPen(self._text)
            axis.setStyle(tickLength=-4)
            axis.enableAutoSIPrefix(False)
        self.item.getAxis("left").setWidth(_AXIS_WIDTH)

    def set_labels(self, left: str, bottom: str) -> None:
        """Say what the axes are."""
        self.item.getAxis("left").setLabel(left, color=self._text)
        self.item.getAxis("bottom").setLabel(bottom, color=self._text)

    def _mouse_clicked(self, event: Any) -> None:
        self.clicked_at(float(self.item.vb.mapSceneToView(event.scenePos()).x()))

    def clicked_at(self, x: float) -> None:
        """Somebody clicked at this place of the axis."""
        raise NotImplementedError


class Histogram(_Plot):
    """How often values are; `clicked` tells which values lie in the bin, as a mask, or None beside all bins.

    Sizes of objects spread over orders of magnitude: then the axis is logarithmic, or where some are 0, the last bar
    has all that are larger.
    """

    clicked = Signal(object)

    def __init__(self) -> None:
        super().__init__("Histogram of objects", "Click a bar to select its objects in the layer; beside the bars none")
        self.counts: NDArray[np.int64] = np.zeros(0, int)
        self._places: NDArray[np.float64] = np.zeros(0)
        self._edges: NDArray[np.float64] = np.zeros(0)
        self._is_log = False
        self._largest = math.inf
        """What is larger is in the last bar."""
        self._bars = pg.BarGraphItem(x0=[], x1=[], y0=0, height=[], brush=_BARS, pen=None)
        self._mark = pg.InfiniteLine(angle=90, pen=pg.mkPen(_CHOSEN, width=2))
        self._mark.hide()
        self.item.addItem(self._bars)
        self.item.addItem(self._mark, ignoreBounds=True)
        self.restyle("dark")

    def set_values(self, values: NDArray[np.float64], name: str) -> None:
        """Show how these are spread."""
        is_wide = _is_wide(values)
        self._is_log = is_wide and bool(values.min() > 0)
        self._largest = math.inf
        if is_wide and not self._is_log:
            self._largest = float(np.percentile(values, _SHOWN_PERCENTILE))
            name = f"{name} (last bar: and more)"
        self._places = self._placed(values)
        self.counts, self._edges = _histogram(self._places)
        self.item.getAxis("bottom").setLogMode(x=self._is_log)
        self.set_labels("objects", name)
        self.mark(math.nan)
        self._colour(None)
        self.item.enableAutoRange()

    @property
    def centres(self) -> NDArray[np.float64]:
        """Where the bars are, on the axis."""
        return (self._edges[:-1] + self._edges[1:]) / 2

    def mark(self, value: float) -> None:
        """Mark where a value lies; NaN for none."""
        self._mark.setVisible(math.isfinite(value))
        if math.isfinite(value):
            self._mark.setValue(float(self._placed(np.array([value]))[0]))

    def clicked_at(self, x: float) -> None:
        chosen = self._bin_of(np.array([x]))[0]
        if not 0 <= chosen < len(self.counts) or not self.counts[chosen]:
            chosen = None
        self._colour(chosen)
        self.clicked.emit(None if chosen is None else self._bin_of(self._places) == chosen)

    def _placed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where values are on the axis."""
        if self._is_log:
            return np.log10(values)
        return np.minimum(values, self._largest)

    def _bin_of(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """As numpy counts: the last bin has both of its edges."""
        found = np.searchsorted(self._edges, places, side="right") - 1
        if len(self._edges):
            found[places == self._edges[-1]] -= 1
        return found

    def _colour(self, chosen: int | None) -> None:
        brushes = [_CHOSEN if number == chosen else _BARS for number in range(len(self.counts))]
        self._bars.setOpts(x0=self._edges[:-1], x1=self._edges[1:], height=self.counts, brushes=brushes)


class OverTime(_Plot):
    """A measure of each time point; `clicked` gives the nearest one."""

    clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__("Measure over time", "The measure that is selected in the table; click to go to a time point")
        self.values: NDArray[np.float64] = np.zeros(0)
        dots = {"symbol": "o", "symbolSize": 5, "symbolBrush": _LINE, "symbolPen": None}
        self._line = self.item.plot(pen=pg.mkPen(_LINE, width=1.5), **dots)
        self._now = pg.InfiniteLine(angle=90, pen=pg.mkPen("#999999", style=Qt.PenStyle.DashLine))
        self.item.addItem(self._now, ignoreBounds=True)
        self.restyle("dark")

    def set_values(self, values: NDArray[np.float64], name: str) -> None:
        """Show the values of all time points."""
        self.values = values
        self._line.setData(np.arange(len(values)), values)
        self.item.setTitle(name, color=self._text, size="9pt")  # beside the axis there is no room for long names
        self.set_labels("", "time point")

    def set_now(self, t: int) -> None:
        """Mark the time point on screen."""
        self._now.setValue(t)

    def clicked_at(self, x: float) -> None:
        if len(self.values):
            self.clicked.emit(int(np.clip(round(x), 0, len(self.values) - 1)))


def _histogram(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Bins as wide as Freedman & Diaconis (1981) say, but not too many; of few different numbers one bin each."""
    if not len(values):
        return np.zeros(0, int), np.zeros(0)
    low, high = float(values.min()), float(values.max())
    if (values == np.round(values)).all() and high - low < _MOST_BINS:
        return np.histogram(values, np.arange(low - 0.5, high + 1.5))
    edges = np.histogram_bin_edges(values, "auto")
    if len(edges) > _MOST_BINS + 1:
        edges = np.histogram_bin_edges(values, _MOST_BINS)
    return np.histogram(values, edges)


def _is_wide(values: NDArray[np.float64]) -> bool:
    """Whether most of the bars would stand in the leftmost part of a linear axis."""
    if len(values) < _FEWEST_TO_BE_WIDE:
        return False
    return float(np.percentile(values, 99)) > _WIDE * float(np.median(values))
