"""Which time points, or Z steps, of a file are opened."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QWidget
from superqt.utils import signals_blocked


class RangeBoxes(QWidget):
    """The first and the last of some numbers, counted from 0; tells by `changed` when the user chose others."""

    changed = Signal()

    def __init__(self, what: str) -> None:
        super().__init__()
        self.first = _box(f"first {what}")
        self.last = _box(f"last {what}")
        self.count_label = QLabel()
        self.count_label.setProperty("quiet", True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.first)
        row.addWidget(QLabel("to"))
        row.addWidget(self.last)
        row.addWidget(self.count_label, 1)
        self.first.valueChanged.connect(self._first_changed)
        self.last.valueChanged.connect(self._last_changed)

    def value(self) -> range:
        """What is chosen."""
        return range(self.first.value(), self.last.value() + 1)

    def show_range(self, chosen: range | None, count: int) -> None:
        """Show what is chosen of so many; None is all."""
        chosen = chosen or range(count)
        self.count_label.setText(f"of 0–{count - 1}")
        for box, value in ((self.first, chosen[0]), (self.last, chosen[-1])):
            with signals_blocked(box):
                box.setMaximum(count - 1)
                box.setValue(value)

    def _first_changed(self, value: int) -> None:
        with signals_blocked(self.last):
            self.last.setValue(max(value, self.last.value()))
        self.changed.emit()

    def _last_changed(self, value: int) -> None:
        with signals_blocked(self.first):
            self.first.setValue(min(value, self.first.value()))
        self.changed.emit()


def _box(name: str) -> QSpinBox:
    box = QSpinBox()
    box.setKeyboardTracking(False)  # a number is taken when it is complete, not digit by digit
    box.setAccessibleName(name)
    return box
