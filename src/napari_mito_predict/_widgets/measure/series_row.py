"""Whether a series is followed from one time point to the next, and how far apart these are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QLabel, QWidget

from napari_mito_predict._widgets.common.layouts import column, form
from napari_mito_predict.measurement.measures import Structure

if TYPE_CHECKING:
    from napari_mito_predict._widgets.measure.field import Field

_LONGEST_S: Final = 1e6
_DECIMALS: Final = 3
_UNKNOWN: Final = 0.0
"""Seconds between two time points that nobody knows."""


@dataclass(frozen=True)
class Following:
    """How a series is followed: seconds between two time points, None where they are not known."""

    step_s: float | None


class SeriesRow(QWidget):
    """A switch, and the time step where the layer does not know it; shown for series of mitochondria only."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_series = False
        self._known_s: float | None = None
        self.switch = QCheckBox("&Fissions, fusions and speed")
        self.switch.setToolTip(
            "Compare each time point with the one before: which mitochondria divide and join, and how fast all move.\n"
            "Takes longer (Alt+F)."
        )
        self.seconds = QDoubleSpinBox()
        self.seconds.setAccessibleName("Seconds between time points")
        self.seconds.setToolTip("The layer does not know it; without it there are no speeds and rates")
        self.seconds.setDecimals(_DECIMALS)
        self.seconds.setRange(_UNKNOWN, _LONGEST_S)
        self.seconds.setSpecialValueText("not known")
        self.seconds.setSuffix(" s")
        self._rows = form()
        self._rows.addRow(QLabel("Time step"), self.seconds)
        lines = column(6)
        lines.addWidget(self.switch)
        lines.addLayout(self._rows)
        self.setLayout(lines)
        self.switch.toggled.connect(lambda _: self._change())
        self.seconds.valueChanged.connect(lambda _: self._change())
        self._show()

    def show_field(self, field: Field | None) -> None:
        """Offer it for a series of mitochondria."""
        self._is_series = field is not None and field.sizes["T"] > 1 and Structure.MITOCHONDRIA in field.layers
        self._known_s = field.time_step_s if field is not None and self._is_series else None
        self._show()

    @property
    def following(self) -> Following | None:
        """How the series is followed; None where it is not."""
        if not self._is_series or not self.switch.isChecked():
            return None
        return Following(self._known_s or self.seconds.value() or None)

    def _change(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        self.setVisible(self._is_series)
        self._rows.setRowVisible(self.seconds, self.switch.isChecked() and self._known_s is None)
