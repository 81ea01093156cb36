"""Giving a model another name, in its card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLineEdit, QPushButton, QWidget

from napari_mito_predict._widgets.common.layouts import column, row
from napari_mito_predict._widgets.common.wrapped import WarningLine
from napari_mito_predict.models.card_values import check_name

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent


class RenameRow(QWidget):
    """A field for the new name, hidden until it is opened; tells by `chosen` which one it is."""

    chosen = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.field = QLineEdit()
        self.field.setAccessibleName(f"New name of {name}")
        self.save = QPushButton("Rename")
        self.cancel = QPushButton("Cancel")
        self.problem = WarningLine()
        lines = column()
        self.setLayout(lines)
        fields = row()
        fields.addWidget(self.field, 1)
        fields.addWidget(self.save)
        fields.addWidget(self.cancel)
        lines.addLayout(fields)
        lines.addWidget(self.problem)
        self.field.textChanged.connect(lambda _: self._check())
        self.field.returnPressed.connect(self.save.click)
        self.save.clicked.connect(self._choose)
        self.cancel.clicked.connect(self.hide)
        self.hide()

    def open(self) -> None:
        """Ask for a name."""
        self.field.setText(self._name)
        self.show()
        self.field.selectAll()
        self.field.setFocus()

    def keyPressEvent(self, a0: QKeyEvent | None) -> None:
        if a0 is not None and a0.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(a0)

    def _check(self) -> None:
        name = self.field.text().strip()
        problem = ""
        if name != self._name:
            problem = _problem_of(name)
        self.problem.say(problem)
        self.save.setEnabled(bool(name) and name != self._name and not problem)

    def _choose(self) -> None:
        self.hide()
        self.chosen.emit(self.field.text().strip())


def _problem_of(name: str) -> str:
    """Why a model cannot be called that; empty where it can."""
    if not name:
        return ""
    try:
        check_name(name)
    except ValueError as error:
        return f"{error}."
    return ""
