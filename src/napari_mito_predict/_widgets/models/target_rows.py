"""What a model predicts: a row for each output."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLineEdit, QPushButton, QToolButton, QWidget

from napari_mito_predict._widgets.common.layouts import column, row
from napari_mito_predict.models.card import Target

_COLORMAPS = {"mitochondria": "magenta", "dna": "cyan"}
_OTHERS = ("green", "yellow", "blue", "red")
_MOST = 16


class TargetRows(QWidget):
    """Name and stain of each output, in the order in which the network gives them."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[TargetRow] = []
        lines = column()
        self.setLayout(lines)
        self._lines = column()
        lines.addLayout(self._lines)
        self.add = QPushButton("Add another output")
        self.add.setToolTip("Networks with several outputs need a row for each, in their order")
        self.add.clicked.connect(lambda: self._add())
        lines.addWidget(self.add)
        self.show_targets(())

    def targets(self) -> tuple[Target, ...] | None:
        """What was typed; None where all rows are empty.

        Raises
        ------
        ValueError
            A row is incomplete, or its name cannot be one.
        """
        filled = [(i, each) for i, each in enumerate(self.rows) if not each.is_empty]
        if not filled:
            return None
        return tuple(each.target(i) for i, each in filled)

    def show_targets(self, targets: Sequence[Target]) -> None:
        """Show these, and at least one row."""
        for each in list(self.rows):
            self._take_away(each)
        for target in targets:
            self._add(target)
        if not self.rows:
            self._add()

    def _add(self, target: Target | None = None) -> None:
        each = TargetRow(len(self.rows) + 1, target)
        each.changed.connect(self.changed)
        each.removed.connect(lambda: self._take_away(each))
        self.rows.append(each)
        self._lines.addWidget(each)
        self._show_state()

    def _take_away(self, each: TargetRow) -> None:
        self.rows.remove(each)
        each.hide()
        each.deleteLater()
        self._show_state()

    def _show_state(self) -> None:
        self.add.setEnabled(len(self.rows) < _MOST)
        for each in self.rows:
            each.remove.setVisible(len(self.rows) > 1)
        self.changed.emit()


class TargetRow(QWidget):
    """One output."""

    changed = Signal()
    removed = Signal()

    def __init__(self, number: int, target: Target | None = None) -> None:
        super().__init__()
        self._given = target
        line = row(spacing=4)
        self.setLayout(line)
        self.name = QLineEdit()
        self.name.setPlaceholderText("mitochondria")
        self.name.setAccessibleName(f"What output {number} shows")
        self.stain = QLineEdit()
        self.stain.setPlaceholderText("TMRM")
        self.stain.setAccessibleName(f"Stain of output {number}")
        self.remove = QToolButton()
        self.remove.setText("−")
        self.remove.setToolTip("Take this row away")
        self.remove.setAccessibleName(f"Take away output {number}")
        self.remove.clicked.connect(self.removed)
        if target is not None:
            self.name.setText(target.name)
            self.stain.setText(target.stain)
        for field in (self.name, self.stain):
            field.setMinimumWidth(40)
            field.textChanged.connect(lambda _: self.changed.emit())
            line.addWidget(field, 1)
        line.addWidget(self.remove)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was typed."""
        return not self.name.text().strip() and not self.stain.text().strip()

    def target(self, position: int) -> Target:
        """What was typed, in a colour that the other outputs do not have.

        Raises
        ------
        ValueError
            It is incomplete, or the name cannot be one.
        """
        name = self.name.text().strip()
        stain = self.stain.text().strip()
        if not name:
            raise ValueError(f"What does the output with the stain {stain} show?")
        if self._given is not None:
            known = self._given.model_dump()
        else:
            known = {"colormap": _COLORMAPS.get(name.casefold(), _OTHERS[position % len(_OTHERS)])}
        try:
            return Target.model_validate(known | {"name": name, "stain": stain})
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
