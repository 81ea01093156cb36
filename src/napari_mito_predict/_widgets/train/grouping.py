"""What belongs together: fields that resemble each other stay in one part of the split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QLineEdit, QWidget

from napari_mito_predict._widgets.common.controls import Combo, FindingLine, words
from napari_mito_predict._widgets.common.layouts import clear, column, form
from napari_mito_predict.errors import TrainingDataError

if TYPE_CHECKING:
    from napari_mito_predict.training.fields import Field

_EACH = "each"
_FOLDER = "folder"
_PATTERN = "pattern"
_CHOICES = {
    _EACH: "each field by itself",
    _FOLDER: "files in one folder",
    _PATTERN: "by a name pattern",
}
_FIRST_PATTERN = "^[^_]+"
_WHY = (
    "Crops, times and planes of one dish or day resemble each other. Kept together, in training, validation or test, "
    "they do not make the scores too good."
)
_HOW = (
    "A regular expression, looked for in the name of each field: its first group, or all that matches, is what belongs "
    "together. ^[^_]+ is the beginning up to the first _"
)


class KeepTogether(QWidget):
    """Choose what belongs together; `changed` tells of another choice, `show_groups` says what it comes to."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.kind, self.pattern = Combo(), QLineEdit(_FIRST_PATTERN)
        self.groups = words(quiet=True)
        self.problem = ""
        """Why the pattern cannot be used; empty where it can."""
        self._problem = column()
        for key, text in _CHOICES.items():
            self.kind.addItem(text, key)
        self._build()
        self.kind.currentIndexChanged.connect(self._kind_chosen)
        self.pattern.textChanged.connect(lambda _: self.changed.emit())
        self._show_pattern()

    def _build(self) -> None:
        box = column()
        self.setLayout(box)
        self.rows = form()
        for text, field, tooltip in (("Keep together", self.kind, _WHY), ("Pattern", self.pattern, _HOW)):
            label = QLabel(text)
            for widget in (label, field):
                widget.setToolTip(tooltip)
            field.setAccessibleName(text)
            self.rows.addRow(label, field)
        box.addLayout(self.rows)
        box.addWidget(self.groups)
        box.addLayout(self._problem)
        self.groups.hide()

    @property
    def by(self) -> str | None:
        """What was chosen, as ``split.by`` of a training configuration takes it."""
        kind = self.kind.currentData()
        if kind == _FOLDER:
            from napari_mito_predict.training.split import FOLDER

            return FOLDER
        if kind == _PATTERN:
            return self.pattern.text()
        return None

    def show_groups(self, fields: Sequence[Field]) -> None:
        """Say which groups these fields make, or why they make none."""
        found, self.problem = "", ""
        if fields and self.by is not None:
            found, self.problem = _groups(fields, self.by)
        self.groups.say(found)
        clear(self._problem)
        if self.problem:
            self._problem.addWidget(FindingLine("error", self.problem))

    def _kind_chosen(self) -> None:
        self._show_pattern()
        self.changed.emit()

    def _show_pattern(self) -> None:
        self.rows.setRowVisible(self.pattern, self.kind.currentData() == _PATTERN)


def _groups(fields: Sequence[Field], by: str) -> tuple[str, str]:
    """The groups in words, or the reason why there are none."""
    from napari_mito_predict.training.split import describe_groups, groups_of

    if not by:
        return "", f"There is no pattern yet. {_FIRST_PATTERN} is the beginning of a name up to the first _"
    try:
        return describe_groups(groups_of(fields, by).values()), ""
    except re.error as error:
        return "", f"This is not a pattern: {error}."
    except TrainingDataError as error:
        return "", str(error)
