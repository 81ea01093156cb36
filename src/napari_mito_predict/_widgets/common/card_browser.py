"""The text of a model card, shown: a card comes from anywhere, and is neither obeyed nor followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QByteArray, QUrl
from qtpy.QtGui import QDesktopServices, QTextDocument, QTextLength, QTextOption, QTextTable
from qtpy.QtWidgets import QTextBrowser, QWidget

_README = "README.md"
_LARGEST_TEXT = 1 << 18
_LARGEST_PICTURE = 8 << 20
_OPENED = ("http", "https")
"""Kinds of addresses that a click opens."""


class CardBrowser(QTextBrowser):
    """Markdown without HTML and without the network; what a click on a link opens is said before.

    Pictures are shown where they are files of the model's own folder.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder: Path | None = None
        self.setOpenLinks(False)
        self.anchorClicked.connect(_open)
        self.highlighted.connect(self._say_where)
        # Long words and tables fit the width, whatever it is.
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)

    def show_card(self, markdown: str, folder: Path | None = None) -> None:
        """Show a text; of its pictures those in `folder`."""
        self._folder = folder
        features = QTextDocument.MarkdownFeature
        document = self.document()
        if document is None:
            return
        document.setMarkdown(markdown, features.MarkdownNoHTML | features.MarkdownDialectGitHub)
        for frame in _frames(document):
            if isinstance(frame, QTextTable):
                layout = frame.format()
                layout.setWidth(QTextLength(QTextLength.Type.PercentageLength, 100))
                frame.setFormat(layout)

    def loadResource(self, kind: int, name: QUrl) -> Any:
        """Read a picture; what is not a file of the model's folder is not there."""
        picture = self._picture(name.toString())
        if picture is None:
            return None
        return QByteArray(picture.read_bytes())

    def _picture(self, name: str) -> Path | None:
        if self._folder is None or Path(name).name != name or Path(name).suffix.lower() != ".png":
            return None
        file = self._folder / name
        try:
            if file.is_file() and file.stat().st_size <= _LARGEST_PICTURE:
                return file
        except (OSError, ValueError):
            pass
        return None

    def _say_where(self, address: QUrl) -> None:
        self.setToolTip(address.toDisplayString())


def readme_of(package: Path) -> str | None:
    """Text that a model's folder comes with; None where there is none that can be read."""
    file = package / _README
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_TEXT:
            return None
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _frames(document: QTextDocument) -> list[Any]:
    root = document.rootFrame()
    return [] if root is None else list(root.childFrames())


def _open(address: QUrl) -> None:
    if address.scheme() in _OPENED:
        QDesktopServices.openUrl(address)
