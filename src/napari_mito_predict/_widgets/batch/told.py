"""What files do not say of themselves, told for all of them: folded away, since most of them do."""

from __future__ import annotations

import math
import re
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QLineEdit, QToolButton, QWidget

from napari_mito_predict._widgets.common.layouts import column, form


class Told(QWidget):
    """Channel and voxel size, where the files do not say them; tells by `changed` when they are others."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.more = QToolButton()
        self.more.setText("What the files do not say")
        self.more.setCheckable(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setToolTip("Transmitted-light channel and voxel size, the same for all images")
        self.more.toggled.connect(self._unfold)
        self.channel = QLineEdit()
        self.channel.setPlaceholderText("found by its name")
        self.channel.setToolTip("The transmitted-light channel of all images, by its name or its number from 0")
        self.voxel_size = QLineEdit()
        self.voxel_size.setPlaceholderText("Z Y X in µm")
        self.voxel_size.setToolTip("Voxel size of all images, such as 0.3 0.11 0.11; empty: what each file says")
        rows = form()
        for text, field in {"Channel": self.channel, "Voxel size": self.voxel_size}.items():
            field.setAccessibleName(text)
            field.textChanged.connect(lambda _: self.changed.emit())
            rows.addRow(QLabel(text), field)
        self._fields = QWidget()
        self._fields.setLayout(rows)
        box = column(6)
        box.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        box.addWidget(self._fields)
        self.setLayout(box)
        self._unfold(False)

    @property
    def plan(self) -> dict[str, Any]:
        """For `plan_prediction`; nothing where the files say all."""
        told: dict[str, Any] = {}
        if channel := self.channel.text().strip():
            told["channel"] = channel
        if self._numbers:
            told["voxel_size_um"] = tuple(self._numbers)
        return told

    @property
    def missing(self) -> str:
        """What is wrong with what was told; empty if nothing is."""
        numbers = self._numbers
        if self.voxel_size.text().strip() and (len(numbers) != 3 or not all(_is_length(each) for each in numbers)):
            return "voxel size: three numbers"
        return ""

    @property
    def _numbers(self) -> list[float]:
        """The voxel size, as far as it is understood."""
        words = re.split(r"[\s;×x]+", self.voxel_size.text().strip().replace(",", "."))
        try:
            return [float(word) for word in words if word]
        except ValueError:
            return []

    def _unfold(self, on: bool) -> None:
        self.more.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self._fields.setVisible(on)


def _is_length(number: float) -> bool:
    return math.isfinite(number) and number > 0
