"""What can be done with one model: use, train further, verify, export, rename, remove."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QFileDialog, QGridLayout, QMenu, QPushButton, QWidget

from napari_mito_predict._widgets.common.controls import FailurePanel, FindingLine
from napari_mito_predict._widgets.common.layouts import clear, column
from napari_mito_predict._widgets.common.model_words import why_not_trained_further
from napari_mito_predict._widgets.common.worker import Failure, Job, JobState
from napari_mito_predict._widgets.models.asking import ask
from napari_mito_predict._widgets.models.rename_row import RenameRow
from napari_mito_predict._widgets.models.words import why_protected
from napari_mito_predict._widgets.models.work import (
    Exported,
    Removed,
    Renamed,
    exporting,
    removing,
    renaming,
    verifying,
)
from napari_mito_predict.errors import DamagedModelError, OutputError
from napari_mito_predict.models.package import VerifyReport

if TYPE_CHECKING:
    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict.models.library import ExportFormat
    from napari_mito_predict.models.registry import ModelInfo


class Export(NamedTuple):
    """A format for others."""

    key: ExportFormat
    text: str
    ending: str
    """Of the file that is proposed; empty for a folder."""
    files: str
    """What the file dialog shows."""


EXPORTS = (
    Export("zip", "Package, one file…", ".zip", "Model packages (*.zip)"),
    Export("folder", "Package, a folder…", "", ""),
    Export("bioimageio", "For bioimage.io…", ".bioimageio.zip", "BioImage Model Zoo (*.zip)"),
    Export("czann", "For ZEN and arivis…", ".czann", "ZEISS models (*.czann)"),
)
_IMAGES_FOR_ZEN = "Images as ZEN will see them: same light, exposure and pixel type; better five than one"
_FIXES: dict[type[BaseException], str] = {
    DamagedModelError: "Get the model again from where it came from.",
    OutputError: "Choose another folder or name.",
}


class CardActions(QWidget):
    """Buttons for one model, and below them what came of it.

    `used` and `trained` ask for other docks; `changed` tells that the list is another one, by `Renamed` or `Removed`.
    """

    used = Signal()
    trained = Signal()
    changed = Signal(object)

    def __init__(self, info: ModelInfo) -> None:
        super().__init__()
        self._info = info
        self.job = Job(self, f"Mito Predict: the model {info.name}", fixes=_FIXES)
        self.job.yielded.connect(self._done)
        self.job.failed.connect(self._failed)
        self.job.state_changed.connect(self._show_state)
        self._doing = ""
        lines = column(6)
        self.setLayout(lines)
        self._make_buttons()
        lines.addLayout(self._grid())
        self.name_row = RenameRow(info.name)
        self.name_row.chosen.connect(self._rename)
        lines.addWidget(self.name_row)
        self._notes = column()
        lines.addLayout(self._notes)
        self.failure = FailurePanel()
        lines.addWidget(self.failure)
        self._show_state()

    # ------------------------------------------------------------------ building

    def _make_buttons(self) -> None:
        self.use = QPushButton("Use for prediction")
        self.train = QPushButton("Start fine-tuning from")
        self.verify = QPushButton("Verify")
        self.export = QPushButton("Export…")
        self.rename = QPushButton("Rename…")
        self.remove = QPushButton("Remove…")
        self.use.setProperty("main", True)
        self.use.setToolTip("Open the dock Mito Predict with this model checked")
        self.verify.setToolTip(
            "Check that the weights are those of the card, and compute what the package says it gives"
        )
        self.export.setToolTip("Write it for others: colleagues, the BioImage Model Zoo, ZEN")
        self.formats = QMenu(self)
        self.formats.setToolTipsVisible(True)
        for export in EXPORTS:
            action = QAction(export.text, self.formats)
            action.triggered.connect(lambda _=False, export=export: self._ask_where(export))
            self.formats.addAction(action)
            if export.key == "czann" and self._info.card is not None and self._info.card.input.third_axes:
                action.setEnabled(False)
                action.setToolTip("For models of single planes: ZEN gives a model one plane at a time")
        self.export.setMenu(self.formats)
        self.use.clicked.connect(self.used)
        self.train.clicked.connect(self.trained)
        self.verify.clicked.connect(self._verify)
        self.rename.clicked.connect(self._open_name_row)
        self.remove.clicked.connect(self._ask_to_remove)
        for button in (self.use, self.train, self.verify, self.export, self.rename, self.remove):
            button.setAccessibleName(f"{button.text().rstrip('…')}: {self._info.name}")

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.addWidget(self.use, 0, 0, 1, 2)
        grid.addWidget(self.train, 1, 0, 1, 2)
        for i, (left, right) in enumerate([(self.verify, self.export), (self.rename, self.remove)], start=2):
            grid.addWidget(left, i, 0)
            grid.addWidget(right, i, 1)
        return grid

    # ------------------------------------------------------------------ state

    def _show_state(self, state: JobState = JobState.IDLE) -> None:
        """Enable what can be done now; a tooltip says why something cannot."""
        card = self._info.card
        busy = state.busy
        for button in (self.use, self.verify, self.export):
            button.setEnabled(card is not None and not busy)
            button.setVisible(card is not None)
        self.train.setVisible(card is not None)
        why_not = ""
        if card is not None:
            why_not = why_not_trained_further(card)
        self.train.setEnabled(not why_not and not busy)
        self.train.setToolTip(why_not or "Open the dock Fine-tune with this model as the one to start from")
        self.train.setAccessibleDescription(why_not)
        protected = why_protected(self._info)
        self.rename.setVisible(card is not None)
        for button, what in ((self.rename, "Give it another name"), (self.remove, "Delete it; asks before")):
            button.setEnabled(not protected and not busy)
            button.setToolTip(protected or what)
            button.setAccessibleDescription(protected)
        if busy:
            self._say("info", self._doing)

    def _start(self, work: Work, doing: str) -> None:
        self._doing = doing
        self.failure.show_failure(None)
        self.job.start(work)

    def _say(self, level: str, text: str) -> None:
        clear(self._notes)
        if text:
            self._notes.addWidget(FindingLine(level, text))

    def _failed(self, failure: Failure) -> None:
        self._say("", "")
        self.failure.show_failure(failure)

    def _done(self, found: object) -> None:
        match found:
            case VerifyReport(passed=True):
                self._say("ok", f"Verified: {found.message}")
            case VerifyReport():
                self._say("error", f"{found.message} Get it again from where it came from.")
            case Exported():
                self._say("ok", f"Written to {found.path}" + (f"\n{found.note}" if found.note else ""))
            case Renamed() | Removed():
                self.changed.emit(found)

    # ------------------------------------------------------------------ actions

    def _verify(self) -> None:
        self._start(verifying(self._info.path), "Verifying…")

    def _ask_where(self, export: Export) -> None:
        start = str(Path.home() / f"{self._info.name}{export.ending}")
        if not export.ending:
            folder = QFileDialog.getExistingDirectory(self, "Folder into which the model's folder is written")
            if folder:
                self.write(export, Path(folder))
            return
        images: list[str] = []
        if export.key == "czann":
            images, _ = QFileDialog.getOpenFileNames(self, _IMAGES_FOR_ZEN)
            if not images:
                return
        path, _ = QFileDialog.getSaveFileName(self, f"Export {self._info.name}", start, export.files)
        if path:
            self.write(export, _with_ending(Path(path), export.ending), [Path(image) for image in images])

    def write(self, export: Export, destination: Path, images: Sequence[Path] = ()) -> None:
        """Export to a file, which the file dialog asked about where there is one; or into a folder.

        For ZEN, `images` are like those that it will predict from.
        """
        work = exporting(self._info.path, destination, export.key, images, overwrite=bool(export.ending))
        self._start(work, f"Writing to {destination}…")

    def _open_name_row(self) -> None:
        self.name_row.open()

    def _rename(self, name: str) -> None:
        self._start(renaming(self._info, name), f"Renaming to {name}…")

    def _ask_to_remove(self) -> None:
        info = self._info
        kept = "Predictions that it made stay, and so do models that were trained from it."
        origin = None if info.card is None else info.card.origin
        again = "There is no way back, unless you have a copy elsewhere."
        if origin is not None:
            again = f"There is no way back but to import it again from {origin.source}."
        text = f"{info.path} is deleted, with its weights. {kept} {again}"
        ask(self, f"Remove the model {info.name}?", text, yes="Remove", no="Keep it", then=self._remove)

    def _remove(self) -> None:
        self._start(removing(self._info), "Removing…")


def _with_ending(path: Path, ending: str) -> Path:
    """The name that was chosen, with the last part of its ending where that was left out."""
    suffix = f".{ending.rpartition('.')[-1]}"
    if path.suffix.casefold() == suffix:
        return path
    return path.with_name(path.name + suffix)
