"""Text that fits the dock: wrapped, or shortened with the whole as its tooltip."""

from __future__ import annotations

import re
import unicodedata
from typing import TypeGuard

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QContextMenuEvent, QGuiApplication, QHelpEvent, QKeyEvent, QKeySequence, QResizeEvent
from qtpy.QtWidgets import QLabel, QMenu, QPushButton, QSizePolicy, QToolTip, QWidget
from superqt import QElidingLabel

from napari_mito_predict._widgets.common.layouts import row
from napari_mito_predict._widgets.common.style import StateIcon

_BREAK = "\u200b"
"""A place without width where a line may end."""
_LONG_WORD = re.compile(r"\S{20,}")
_AROUND_BUTTON_TEXT = 16
"""Pixels that the frame of a button takes beside its text."""
_NO_BREAK = "\u00a0"
_WITHIN_SIZE = re.compile(r"(?<=\d) (?=×|(?:µm|px|s|min|h|GB|MB|%)(?:\W|$))|(?<=×) (?=\d)")
"""Spaces of "6 × 64 × 70" and "0.11 µm", where no line ends."""


class Wrapped(QLabel):
    """Plain text that can be selected and never widens the dock; hidden while there is none to show.

    Names of files and folders are often longer than a line and without a space: they are broken anywhere.
    """

    def __init__(self, text: str = "", *, quiet: bool = False) -> None:
        super().__init__()
        self._plain = ""
        self.setWordWrap(True)
        self.setProperty("quiet", quiet)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(1)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def text(self) -> str:
        """What it says, without the places where lines may end."""
        return self._plain

    def setText(self, text: str | None) -> None:
        self._plain = text or ""
        super().setText(breakable(_WITHIN_SIZE.sub(_NO_BREAK, self._plain)))

    def say(self, text: str) -> None:
        """Show `text`; nothing for an empty one."""
        self.setText(text)
        self.setVisible(bool(text))

    def keyPressEvent(self, ev: QKeyEvent | None) -> None:
        if ev is not None and ev.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(ev)

    def contextMenuEvent(self, ev: QContextMenuEvent | None) -> None:
        if ev is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Copy", self.copy)
        menu.popup(ev.globalPos())

    def copy(self) -> None:
        """Put what is selected, else all, into the clipboard: as it is called, so that a copied path leads there."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            text = self.selectedText() or self._plain
            clipboard.setText(text.replace(_BREAK, "").replace(_NO_BREAK, " "))


class Elided(QElidingLabel):
    """One line, shortened in the middle where it is too long: names differ at their ends. Its tooltip says it all."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setElideMode(Qt.TextElideMode.ElideMiddle)

    @property
    def is_elided(self) -> bool:
        """Whether a part of the text is not shown."""
        return QLabel.text(self) != self.text()

    def event(self, e: QEvent | None) -> bool:
        if asks_for_tooltip(e) and self.is_elided:
            show_whole(self, e, self.text())
            return True
        return bool(super().event(e))


class ElidedButton(QPushButton):
    """A button with a name on it, shortened in the middle where there is no room; its tooltip should say it all."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._plain = ""
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)  # others never shrink
        self.setText(text)

    def text(self) -> str:
        """The whole name."""
        return self._plain

    def setText(self, text: str | None) -> None:
        self._plain = text or ""
        self._elide()

    def sizeHint(self) -> QSize:
        # Not that of the shortened text, which would change with every width.
        return QSize(100, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())

    def resizeEvent(self, a0: QResizeEvent | None) -> None:
        super().resizeEvent(a0)
        self._elide()

    def event(self, e: QEvent | None) -> bool:
        if asks_for_tooltip(e) and QPushButton.text(self) != self._plain:
            show_whole(self, e, self._plain)
            return True
        return bool(super().event(e))

    def _elide(self) -> None:
        room = self.width() - _AROUND_BUTTON_TEXT
        text = self.fontMetrics().elidedText(self._plain, Qt.TextElideMode.ElideMiddle, room)
        if text != super().text():
            super().setText(text)


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


def breakable(text: str) -> str:
    """The same to look at, but a word that is longer than a line can be broken, before any letter of it."""
    return _LONG_WORD.sub(_with_breaks, text)


def _with_breaks(word: re.Match[str]) -> str:
    letters: list[str] = []
    for letter in word.group():
        # Accents that follow their letter, as in the file names of macOS, stay with it.
        if letters and not unicodedata.combining(letter):
            letters.append(_BREAK)
        letters.append(letter)
    return "".join(letters)


def asks_for_tooltip(event: QEvent | None) -> TypeGuard[QHelpEvent]:
    """Whether the mouse rests on a widget."""
    return isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip


def show_whole(widget: QWidget, event: QHelpEvent, text: str) -> None:
    """Show the whole of a shortened text as a tooltip, and the widget's own tooltip below it."""
    tip = widget.toolTip()
    if text not in tip:
        tip = f"{text}\n{tip}".rstrip()
    QToolTip.showText(event.globalPos(), tip, widget)
