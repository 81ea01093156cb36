"""A form for the settings of one structure, in micrometres or pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QLabel, QToolButton, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import Combo
from napari_mito_predict._widgets.common.layouts import form
from napari_mito_predict.measurement.measures import Structure
from napari_mito_predict.measurement.settings import MitochondriaSettings, NucleiSettings, PunctaSettings

if TYPE_CHECKING:
    from qtpy.QtGui import QWheelEvent

    from napari_mito_predict.measurement.voxels import Unit

Settings = MitochondriaSettings | NucleiSettings | PunctaSettings
KINDS: Final[Mapping[Structure, type[Settings]]] = {
    Structure.MITOCHONDRIA: MitochondriaSettings,
    Structure.NUCLEI: NucleiSettings,
    Structure.NUCLEOIDS: PunctaSettings,
}
_METHODS: Final = {"local": "Local threshold", "ridge": "Ridge filter"}
_STEPS: Final = {"um": 0.05, "px": 0.5}
_DECIMALS: Final = {"um": 2, "px": 1}
_SUFFIXES: Final = {"um": " µm", "px": " px"}
_NUMBER_STEP: Final = 0.05
_LARGEST: Final = 10_000.0
_WIDEST: Final = "Neighbourhood"
"""Of the labels."""


@dataclass(frozen=True)
class Row:
    """A setting as it is shown.

    Attributes
    ----------
    label, tip : str
    advanced : bool
        Whether it is folded away.
    is_length : bool
        Whether it has a unit.
    """

    label: str
    tip: str
    advanced: bool = False
    is_length: bool = True


_LEAST: Final = Row("Smallest", "Objects smaller than a circle or ball of this diameter are left out")
_ROWS: Final[Mapping[Structure, Mapping[str, Row]]] = {
    Structure.MITOCHONDRIA: {
        "method": Row("Method", "The ridge filter prefers tubes to blobs", is_length=False),
        "threshold": Row("Threshold", "Part of Otsu's threshold of the image: more finds less", is_length=False),
        "background": Row("Background", "Brightness coarser than this (standard deviation) is background"),
        "least_diameter": _LEAST,
        "smoothing": Row("Smoothing", "Detail finer than this (standard deviation) is noise", advanced=True),
        "neighbourhood": Row(
            "Neighbourhood", "Side of the square or cube whose brightest voxel decides on its middle", advanced=True
        ),
        "local_level": Row(
            "Level", "Part of that brightest voxel that belongs to a mitochondrion", advanced=True, is_length=False
        ),
    },
    Structure.NUCLEI: {
        "threshold": Row("Threshold", "Part of Otsu's threshold of the image: more finds less", is_length=False),
        "split": Row("Split", "Nuclei that touch are separated where their middles are at least so far apart"),
        "least_diameter": _LEAST,
        "smoothing": Row("Smoothing", "Finer detail (standard deviation) belongs to the nucleus", advanced=True),
        "local": Row("Local threshold", "For uneven illumination", advanced=True, is_length=False),
        "neighbourhood": Row("Neighbourhood", "Side of the square or cube of the local threshold", advanced=True),
    },
    Structure.NUCLEOIDS: {
        "threshold": Row(
            "Threshold", "How many standard deviations of the noise a punctum has to exceed", is_length=False
        ),
        "diameter": Row("Diameter", "Of a punctum as it is seen, blurred by the microscope"),
        "least_distance": Row("Apart", "Two puncta that are closer are one"),
    },
}


class SettingsForm(QWidget):
    """What people change is shown, the rest under "Advanced"; the values are those of the structure's settings."""

    changed = Signal()

    def __init__(self, structure: Structure) -> None:
        super().__init__()
        self._kind = KINDS[structure]
        self._unit: Unit = "um"
        self.fields: dict[str, QDoubleSpinBox | QCheckBox | Combo] = {}
        self._rows = _ROWS[structure]
        self.advanced = QWidget()
        self._fold = QToolButton()
        self._build()
        self.reset()

    def _build(self) -> None:
        shown, folded = form(), form()
        self.advanced.setLayout(folded)
        defaults = self._kind()
        for name, row in self._rows.items():
            field = self._field(getattr(defaults, name), row)
            label = form_label(row.label)
            for widget in (label, field):
                widget.setToolTip(row.tip)
            field.setAccessibleName(row.label)
            self.fields[name] = field
            rows = folded if row.advanced else shown
            rows.addRow(label, field)
        self._fold.setText("Advanced")
        self._fold.setCheckable(True)
        self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._fold.toggled.connect(self._unfold)
        self._fold.setVisible(folded.rowCount() > 0)
        self._unfold(False)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        box.addLayout(shown)
        box.addWidget(self._fold)
        box.addWidget(self.advanced)

    def _field(self, default: object, row: Row) -> QDoubleSpinBox | QCheckBox | Combo:
        if isinstance(default, bool):
            box = QCheckBox()
            box.toggled.connect(lambda _: self.changed.emit())
            return box
        if isinstance(default, str):
            combo = Combo()
            for value, text in _METHODS.items():
                combo.addItem(text, value)
            combo.currentIndexChanged.connect(lambda _: self.changed.emit())
            return combo
        number = _Number()
        number.valueChanged.connect(lambda _: self.changed.emit())
        return number

    @property
    def settings(self) -> Settings:
        """What is chosen."""
        values = {name: _value_of(field) for name, field in self.fields.items()}
        return self._kind(unit=self._unit, **values)  # type: ignore[arg-type]  # each of the type of its field

    @property
    def is_default(self) -> bool:
        """Whether nothing was changed."""
        return self.settings == self._defaults

    def use_unit(self, unit: Unit) -> None:
        """Give lengths in this unit; of another one than before, all settings are the defaults again."""
        if unit != self._unit:
            self._unit = unit
            self.reset()

    def reset(self) -> None:
        """Take the defaults; tells once."""
        with signals_blocked(self):
            for each in fields(self._defaults):
                if each.name in self.fields:
                    self._show(each.name, getattr(self._defaults, each.name))
        self.changed.emit()

    @property
    def _defaults(self) -> Settings:
        return self._kind() if self._unit == "um" else self._kind.in_pixels()

    def _show(self, name: str, value: object) -> None:
        field = self.fields[name]
        if isinstance(field, QCheckBox):
            field.setChecked(bool(value))
        elif isinstance(field, Combo):
            field.setCurrentIndex(field.findData(value))
        elif isinstance(value, float):
            is_length = self._rows[name].is_length
            field.setDecimals(_DECIMALS[self._unit] if is_length else 2)
            field.setSingleStep(_STEPS[self._unit] if is_length else _NUMBER_STEP)
            field.setSuffix(_SUFFIXES[self._unit] if is_length else "")
            field.setMinimum(10.0 ** -field.decimals())
            field.setValue(value)

    def _unfold(self, on: bool) -> None:
        self._fold.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.advanced.setVisible(on)


def form_label(text: str) -> QLabel:
    """A label as wide as the widest, so that fields of several forms stand below each other."""
    label = QLabel(text)
    label.setMinimumWidth(label.fontMetrics().horizontalAdvance(_WIDEST))
    return label


class _Number(QDoubleSpinBox):
    """Takes the wheel only where the keyboard is: who scrolls the dock changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.setMaximum(_LARGEST)
        self.setKeyboardTracking(False)  # a number is taken when it is complete, not digit by digit
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(60)

    def wheelEvent(self, e: QWheelEvent | None) -> None:
        if e is not None and not self.hasFocus():
            e.ignore()
            return
        super().wheelEvent(e)


def _value_of(field: QDoubleSpinBox | QCheckBox | Combo) -> object:
    if isinstance(field, QCheckBox):
        return field.isChecked()
    if isinstance(field, QDoubleSpinBox):
        return round(field.value(), 4)
    return field.currentData()
