"""Numbers that may be left empty, beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QLineEdit, QWidget

from napari_mito_predict._widgets.common.layouts import row


class NumbersRow(QWidget):
    """A few numbers, each with its letter; an empty field is None.

    Parameters
    ----------
    labels : sequence of str
        In front of each field.
    names : sequence of str
        For screen readers.
    """

    changed = Signal()

    def __init__(self, labels: Sequence[str], names: Sequence[str], placeholder: str = "") -> None:
        super().__init__()
        line = row(spacing=4)
        self.setLayout(line)
        self.fields: list[QLineEdit] = []
        for label, name in zip(labels, names, strict=True):
            field = QLineEdit()
            field.setPlaceholderText(placeholder)
            field.setAccessibleName(name)
            field.setMinimumWidth(30)
            field.textChanged.connect(lambda _: self.changed.emit())
            line.addWidget(QLabel(label))
            line.addWidget(field, 1)
            self.fields.append(field)

    def values(self) -> list[float | None]:
        """What was typed, with a point or a comma.

        Raises
        ------
        ValueError
            It is no number.
        """
        return [_number(field.text(), field.accessibleName()) for field in self.fields]

    def set_values(self, values: Sequence[float | None]) -> None:
        """Show these."""
        for field, value in zip(self.fields, values, strict=True):
            field.setText("" if value is None else f"{value:g}")


def _number(text: str, name: str) -> float | None:
    text = text.strip().replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name}: '{text}' is no number.")
    return value
