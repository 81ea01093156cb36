"""Text that wraps, and comes and goes."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_mito_predict._widgets.common.layouts import row
from napari_mito_predict._widgets.common.style import StateIcon


class Wrapped(QLabel):
    """Plain text that can be selected and never widens the dock; hidden while there is none to show."""

    def __init__(self, text: str = "", *, quiet: bool = False) -> None:
        super().__init__(text)
        self.setWordWrap(True)
        self.setProperty("quiet", quiet)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(1)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setTextFormat(Qt.TextFormat.PlainText)

    def say(self, text: str) -> None:
        """Show `text`; nothing for an empty one."""
        self.setText(text)
        self.setVisible(bool(text))


class WarningLine(QWidget):
    """A sentence with a warning's icon; hidden while there is nothing to warn of."""

    def __init__(self) -> None:
        super().__init__()
        self._text = Wrapped()
        icon_and_text = row()
        icon_and_text.addWidget(StateIcon("warning", self), 0, Qt.AlignmentFlag.AlignTop)
        icon_and_text.addWidget(self._text, 1)
        self.setLayout(icon_and_text)
        self.hide()

    @property
    def text(self) -> str:
        """What it says."""
        return self._text.text()

    def say(self, text: str) -> None:
        """Warn in these words; of nothing with an empty text."""
        self._text.setText(text)
        self.setAccessibleName(f"warning: {text}")
        self.setVisible(bool(text))
