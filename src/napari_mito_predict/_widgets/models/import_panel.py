"""Everything about bringing models in: files, folders, addresses, drops; how it goes; and what is asked meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qtpy.QtCore import QTimer, QUrl, Signal
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from napari_mito_predict._widgets.common.controls import FindingLine
from napari_mito_predict._widgets.common.layouts import clear, column, row
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.models.address_form import AddressForm
from napari_mito_predict._widgets.models.asking import ask
from napari_mito_predict._widgets.models.import_form import ImportForm
from napari_mito_predict._widgets.models.importing import (
    Imported,
    Importing,
    NotImported,
    Unclear,
    Untrusted,
    Wish,
)
from napari_mito_predict.models.importers.foreign import Told

_FILES = "Models (*.zip *.p *.pt *.pth *.ckpt *.onnx *.torchscript *.safetensors);;All files (*)"
_MILLISECONDS_BETWEEN_REFRESHES = 200
_TRUST = (
    "Code from this file will run on this computer with all your rights: it can read, change and send your files. "
    "Say yes only if you know where it comes from and trust whoever wrote it."
)


class ImportPanel(QWidget):
    """Shows nothing while there is nothing to import, to ask or to tell; `imported` tells each new model."""

    imported = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.queue = Importing(self)
        self.queue.outcome.connect(self._take)
        self.queue.state_changed.connect(self._show_progress)
        self._unclear: list[Unclear] = []
        self._ticks = QTimer(self)
        self._ticks.setInterval(_MILLISECONDS_BETWEEN_REFRESHES)
        self._ticks.timeout.connect(self._show_progress)
        self.button = self._make_button()
        lines = column(6)
        self.setLayout(lines)
        self.address = AddressForm()
        self.address.wished.connect(lambda wish: self.queue.add([wish]))
        lines.addWidget(self.address)
        self.progress = Wrapped()
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName("Cancel importing")
        self.cancel.clicked.connect(self.queue.cancel)
        under_way = row()
        under_way.addWidget(self.progress, 1)
        under_way.addWidget(self.cancel)
        lines.addLayout(under_way)
        self._told = column()
        lines.addLayout(self._told)
        self.dismiss = QPushButton("Clear these messages")
        self.dismiss.clicked.connect(self.clear_messages)
        lines.addWidget(self.dismiss)
        self.form = ImportForm()
        self.form.wished.connect(self._try_again)
        self.form.skipped.connect(self._leave_out)
        lines.addWidget(self.form)
        self.clear_messages()
        self._show_progress()

    def _make_button(self) -> QPushButton:
        """The button that offers all ways; it stands where the dock wants it."""
        button = QPushButton("Import…")
        button.setToolTip("Model packages, checkpoints of other programs, folders; or drop them onto this dock")
        menu = QMenu(button)
        menu.addAction("Files…", self._ask_for_files)
        menu.addAction("Folder…", self._ask_for_folder)
        menu.addAction("From an address…", self._open_address)
        button.setMenu(menu)
        return button

    # ------------------------------------------------------------------ what is wished

    def add(self, paths: Sequence[Path]) -> None:
        """Import files and folders."""
        if not self.queue.busy:
            self.clear_messages()
        self.queue.add([Wish(path) for path in paths])

    def add_urls(self, urls: Sequence[QUrl]) -> None:
        """Import what was dropped; of addresses the fingerprint is asked first."""
        self.add([Path(url.toLocalFile()) for url in urls if url.isLocalFile()])
        addresses = [url.toString() for url in urls if not url.isLocalFile()]
        if addresses:
            self.address.open(addresses[0])

    def _ask_for_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Import models", "", _FILES)
        self.add([Path(path) for path in paths])

    def _ask_for_folder(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Import a model's folder"):
            self.add([Path(folder)])

    def _open_address(self) -> None:
        self.address.open()

    # ------------------------------------------------------------------ how it goes

    def _show_progress(self) -> None:
        current = self.queue.current
        self.progress.setVisible(current is not None)
        self.cancel.setVisible(current is not None)
        self.form.setEnabled(current is None)
        if current is None:
            self._ticks.stop()
            return
        parts = [f"Importing {current.name}…", str(self.queue.fetched)]
        if self.queue.waiting:
            parts.append(f"{len(self.queue.waiting)} more to come.")
        self.progress.setText(" ".join(filter(None, parts)))
        self._ticks.start()

    def _take(self, outcome: object) -> None:
        match outcome:
            case Imported():
                self._tell("ok", _welcome(outcome))
                self.imported.emit(outcome.info)
            case Untrusted():
                self._ask_for_trust(outcome)
            case Unclear():
                # What was just answered is asked again before the others.
                place = len(self._unclear) if outcome.wish.told == Told() else 0
                self._unclear.insert(place, outcome)
            case NotImported():
                self._tell("error", f"{outcome.wish.name}: {outcome.reason}")
        if self.form.wish is None:
            self._ask_next()

    def _tell(self, level: str, text: str) -> None:
        self._told.addWidget(FindingLine(level, text))
        self.dismiss.show()

    def clear_messages(self) -> None:
        """Forget what came of earlier imports."""
        clear(self._told)
        self.dismiss.hide()

    # ------------------------------------------------------------------ what is asked

    def _ask_next(self) -> None:
        self.form.close_form()
        if self._unclear:
            unclear = self._unclear.pop(0)
            self.form.ask(unclear.wish, unclear.reason, unclear.missing)

    def _leave_out(self) -> None:
        if self.form.wish is not None:
            self._tell("info", f"{self.form.wish.name} is left out.")
        self._ask_next()

    def _try_again(self, wish: Wish) -> None:
        self.form.close_form()
        self.queue.add([wish])

    def _ask_for_trust(self, outcome: Untrusted) -> None:
        wish = outcome.wish

        def trust() -> None:
            self.queue.add([replace(wish, told=replace(wish.told, trust=True))])

        def refuse() -> None:
            self._tell("info", f"{wish.name} is not imported, and nothing of it was run.")

        title = f"Run code from {wish.name}?"
        text = f"{outcome.reason}\n\n{_TRUST}"
        ask(self, title, text, yes="Yes, run it", no="No", then=trust, otherwise=refuse)


def _welcome(outcome: Imported) -> str:
    """Say under which name it came in."""
    if outcome.info.name == outcome.wish.name:
        return f"{outcome.info.name} is imported."
    return f"{outcome.wish.name} is imported as {outcome.info.name}."
