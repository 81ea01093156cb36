"""Questions before something is lost or trusted; the answer that changes nothing is the default."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox, QWidget


def ask(
    parent: QWidget,
    title: str,
    text: str,
    *,
    yes: str,
    no: str,
    then: Callable[[], None],
    otherwise: Callable[[], None] | None = None,
) -> QMessageBox:
    """Ask, without blocking anything but the window; `then` is called for the answer `yes` alone.

    Parameters
    ----------
    parent : QWidget
        Whose question it is.
    title, text : str
        The question, and what follows from the answer.
    yes, no : str
        The answers; Return and Escape are `no`.
    then, otherwise : callable
        What to do after `yes`, and after anything else.
    """
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setTextFormat(Qt.TextFormat.PlainText)  # names and messages come from anywhere
    box.setWindowTitle(title)
    box.setText(title)
    box.setInformativeText(text)
    agree = box.addButton(yes, QMessageBox.ButtonRole.DestructiveRole)
    refuse = box.addButton(no, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(refuse)
    box.setEscapeButton(refuse)

    def answered() -> None:
        if box.clickedButton() is agree:
            then()
        elif otherwise is not None:
            otherwise()

    box.finished.connect(lambda _: answered())
    box.open()
    return box
