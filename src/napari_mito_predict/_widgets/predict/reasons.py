"""Findings in words: the worst at once, the others folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QToolButton, QWidget

from napari_mito_predict._widgets.common.layouts import clear, column, row
from napari_mito_predict._widgets.common.light_words import DISCLAIMED
from napari_mito_predict._widgets.common.style import StateIcon
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict.image import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mito_predict.image import Finding

_LEVELS = (Level.ERROR, Level.SEVERE, Level.WARNING, Level.INFO)


class Reasons(QWidget):
    """Findings, the worst first; all but the first, and disclaimers, are folded.

    Parameters
    ----------
    icons : bool
        Whether each has the icon of its level; not where a light stands above them.
    """

    def __init__(self, *, icons: bool = False) -> None:
        super().__init__()
        self._icons = icons
        self._said: tuple[Finding, ...] = ()
        self._lines = column()
        self._folded_lines = column()
        self.folded = QWidget()
        self.folded.setLayout(self._folded_lines)
        self.more = QToolButton()
        self.more.setCheckable(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.toggled.connect(self._unfold)
        self._unfold(False)
        box = column()
        box.addLayout(self._lines)
        box.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        box.addWidget(self.folded)
        self.setLayout(box)
        self.hide()

    @property
    def said(self) -> tuple[Finding, ...]:
        """All of them, folded or not, in the order in which they are shown."""
        return self._said

    def say(self, findings: Sequence[Finding]) -> None:
        """Show these; what was unfolded stays so. Nothing moves where they are the same as before."""
        self._keep_room(False)
        ordered = tuple(sorted(findings, key=_place))
        if ordered != self._said:
            self._said = ordered
            self._fill()
        self.setVisible(bool(ordered))

    def wait(self) -> None:
        """Show nothing until it is known what there is to say, and keep the room that it took."""
        if not self.isHidden():
            self._keep_room(True)
            self.hide()

    def _keep_room(self, keep: bool) -> None:
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(keep)
        self.setSizePolicy(policy)

    def _fill(self) -> None:
        clear(self._lines)
        clear(self._folded_lines)
        folded = 0
        for index, finding in enumerate(self._said):
            # What is no reason for care is never the first thing to read.
            if finding.code == DISCLAIMED or (index == 0 and finding.level is not Level.INFO):
                self._lines.addWidget(FindingText(finding, icon=self._icons))
            else:
                folded += 1
                self._folded_lines.addWidget(FindingText(finding, icon=True))
        self.more.setText(f"{folded} more" if folded < len(self._said) else _notes(folded))
        self.more.setVisible(folded > 0)
        self.more.setAccessibleName(f"{self.more.text()}: {' '.join(finding.message for finding in self._said)}")
        self.folded.setVisible(folded > 0 and self.more.isChecked())

    def _unfold(self, on: bool) -> None:
        arrow = Qt.ArrowType.RightArrow
        if on:
            arrow = Qt.ArrowType.DownArrow
        self.more.setArrowType(arrow)
        self.folded.setVisible(on)


class FindingText(QWidget):
    """One finding: what was found, and below it, quieter, what to do about it."""

    def __init__(self, finding: Finding, *, icon: bool) -> None:
        super().__init__()
        box = row()
        if icon:
            box.addWidget(StateIcon(finding.level, self), 0, Qt.AlignmentFlag.AlignTop)
        lines = column(1)
        lines.addWidget(Wrapped(finding.message, quiet=finding.level is Level.INFO))
        if finding.fix:
            lines.addWidget(Wrapped(finding.fix, quiet=True))
        box.addLayout(lines, 1)
        self.setLayout(box)
        self.setAccessibleName(f"{finding.level}: {finding.message} {finding.fix}".rstrip())


def _place(finding: Finding) -> tuple[int, bool]:
    """The worst first; of those alike, disclaimers last, which say nothing of this very image."""
    return _LEVELS.index(finding.level), finding.code == DISCLAIMED


def _notes(count: int) -> str:
    if count == 1:
        return "1 note"
    return f"{count} notes"
