"""How images are normalised for a model, as far as the user knows it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_mito_predict._widgets.common.controls import Combo
from napari_mito_predict._widgets.common.layouts import column
from napari_mito_predict._widgets.models.numbers_row import NumbersRow
from napari_mito_predict.models.card import Normalisation

_KINDS = {
    "": "as the file says",
    "zscore": "z-score",
    "robust": "median and IQR",
    "range": "percentiles",
    "fixed": "fixed numbers",
    "none": "none",
}
_NONE = Normalisation(kind="fixed", offset=0.0, scale=1.0)


class NormalisationField(QWidget):
    """A kind, and the numbers that it needs."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        lines = column()
        self.setLayout(lines)
        self.kind = Combo()
        self.kind.setAccessibleName("Normalisation")
        self.kind.addItems(_KINDS.values())
        self.kind.setToolTip(
            "z-score: minus the mean, divided by the standard deviation; median and IQR: in the same way, with median "
            "and interquartile range; percentiles: what becomes 0 and what becomes 1; all of the whole volume"
        )
        self.percentiles = NumbersRow(("from", "to"), ("lower percentile", "upper percentile"))
        self.fixed = NumbersRow(("(value −", ") ÷"), ("what is subtracted", "what is divided by"))
        for widget in (self.kind, self.percentiles, self.fixed):
            lines.addWidget(widget)
        self.kind.currentIndexChanged.connect(self._show_numbers)
        self.percentiles.changed.connect(self.changed)
        self.fixed.changed.connect(self.changed)
        self._show_numbers()

    def value(self) -> Normalisation | None:
        """What was chosen; None where nothing was.

        Raises
        ------
        ValueError
            Its numbers are missing or impossible.
        """
        match self._key:
            case "":
                return None
            case "none":
                return _NONE
            case "range":
                low, high = self.percentiles.values()
                if low is None or high is None:
                    raise ValueError("Normalisation: say both percentiles.")
                return Normalisation(kind="range", percentiles=(low, high))
            case "fixed":
                offset, scale = self.fixed.values()
                if offset is None or not scale:
                    raise ValueError("Normalisation: say what is subtracted, and by what is divided.")
                return Normalisation(kind="fixed", offset=offset, scale=scale)
            case "robust":
                return Normalisation(kind="robust")
            case _:
                return Normalisation(clip_percentiles=None)

    def show_value(self, found: Normalisation | None) -> None:
        """Show this one."""
        key = ""
        if found is not None:
            key = "none" if found == _NONE else found.kind
            self.percentiles.set_values(found.percentiles or (None, None))
            self.fixed.set_values((found.offset, found.scale))
        self.kind.setCurrentIndex(list(_KINDS).index(key))
        self._show_numbers()

    def _show_numbers(self) -> None:
        self.percentiles.setVisible(self._key == "range")
        self.fixed.setVisible(self._key == "fixed")
        self.changed.emit()

    @property
    def _key(self) -> str:
        return list(_KINDS)[max(0, self.kind.currentIndex())]
