"""An address of a model, with the fingerprint that says which file is meant."""

from __future__ import annotations

import re

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QLabel, QLineEdit, QPushButton

from napari_mito_predict._widgets.common.layouts import column, form, row
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.models.importing import Wish

_SHA256 = re.compile("[0-9a-f]{64}")


class AddressForm(QFrame):
    """Hidden until it is opened; tells by `wished` what to import."""

    wished = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("form_card", True)
        self.address = QLineEdit()
        self.address.setPlaceholderText("https://…")
        self.sha256 = QLineEdit()
        self.sha256.setPlaceholderText("64 letters and digits")
        self.start = QPushButton("Import")
        self.cancel = QPushButton("Cancel")
        lines = column(6)
        lines.setContentsMargins(6, 6, 6, 6)
        self.setLayout(lines)
        rows = form()
        for text, field in (("Address", self.address), ("SHA-256", self.sha256)):
            field.setAccessibleName(text)
            field.textChanged.connect(lambda _: self._check())
            rows.addRow(QLabel(text), field)
        lines.addLayout(rows)
        note = "Whoever publishes the file says its SHA-256; any other file is refused."
        lines.addWidget(Wrapped(note, quiet=True))
        buttons = row()
        buttons.addWidget(self.start)
        buttons.addWidget(self.cancel)
        lines.addLayout(buttons)
        self.start.clicked.connect(self._wish)
        self.cancel.clicked.connect(self.hide)
        self._check()
        self.hide()

    def open(self, address: str = "") -> None:
        """Ask for an address, or for the fingerprint of this one."""
        self.address.setText(address)
        self.sha256.clear()
        self.show()
        field = self.sha256 if address else self.address
        field.setFocus()

    def _check(self) -> None:
        self.start.setEnabled(bool(self.address.text().strip()) and bool(_SHA256.fullmatch(self._fingerprint)))

    @property
    def _fingerprint(self) -> str:
        return self.sha256.text().strip().lower().removeprefix("sha256:")

    def _wish(self) -> None:
        self.hide()
        self.wished.emit(Wish(self.address.text().strip(), sha256=self._fingerprint))
