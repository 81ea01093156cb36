"""The file manager of the system, and the clipboard."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QGuiApplication


def show_in_files(path: Path) -> None:
    """Open a folder, or the one a file is in, in the file manager."""
    folder = path
    if not path.is_dir():
        folder = path.parent
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def copy_text(text: str) -> None:
    """Put a text into the clipboard."""
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)
