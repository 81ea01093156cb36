"""Where models are looked for: the user's own folder, and any number of shared ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from napari_mito_predict._widgets.common.layouts import clear, column, row
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.worker import Job
from napari_mito_predict._widgets.common.wrapped import WarningLine, Wrapped
from napari_mito_predict._widgets.models.files import show_in_files
from napari_mito_predict.models.folders import SHARED_VARIABLE, add_shared_folder, forget_shared_folder

if TYPE_CHECKING:
    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict._widgets.models.work import Listing

_TOP = Qt.AlignmentFlag.AlignTop


class FoldersStep(Step):
    """Lists the folders; `changed` tells that models are looked for in others."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("Folders")
        note = "Models in a shared folder, such as that of your lab, are listed and used, and never changed."
        self.body.addWidget(Wrapped(note, quiet=True))
        self._rows = column(6)
        self.body.addLayout(self._rows)
        self.add = QPushButton("Add a shared folder…")
        self.add.clicked.connect(self._ask_for_folder)
        self.body.addWidget(self.add)
        self.problem = WarningLine()
        self.body.addWidget(self.problem)
        self.forget_buttons: dict[Path, QPushButton] = {}
        self._job = Job(self)
        self._job.yielded.connect(lambda _: self.changed.emit())
        self._job.failed.connect(lambda failure: self.problem.say(failure.what))

    def show_folders(self, listing: Listing) -> None:
        """Show where was looked."""
        clear(self._rows)
        self.forget_buttons = {}
        self._rows.addWidget(self._row(listing.own, "yours", None))
        named = _named_by_environment()
        for folder, there in listing.shared.items():
            state = "shared"
            if not there:
                state = "shared · cannot be reached now"
            forget = QPushButton("Forget")
            forget.setToolTip("Look for models there no more; nothing in it is changed")
            forget.setAccessibleName(f"Forget the folder {folder}")
            forget.clicked.connect(lambda _=False, folder=folder: self.forget(folder))
            if folder in named:
                forget.setEnabled(False)
                forget.setToolTip(f"The environment variable {SHARED_VARIABLE} names it: change that to forget it.")
            self.forget_buttons[folder] = forget
            self._rows.addWidget(self._row(folder, state, forget))
        self.set_summary(_counted(len(listing.shared)), chosen=True)

    def add_folder(self, folder: Path) -> None:
        """Look for models in this folder, too."""
        self._start(lambda: add_shared_folder(folder))

    def forget(self, folder: Path) -> None:
        """Look for models in this folder no more."""
        self._start(lambda: forget_shared_folder(folder))

    def _start(self, change: Callable[[], None]) -> None:
        self.problem.say("")
        self._job.start(_changing(change))

    def _ask_for_folder(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Folder with models of others"):
            self.add_folder(Path(folder))

    def _row(self, folder: Path, state: str, forget: QPushButton | None) -> QWidget:
        holder = QWidget()
        line = row()
        holder.setLayout(line)
        words = column(0)
        words.addWidget(Wrapped(str(folder)))
        words.addWidget(Wrapped(state, quiet=True))
        line.addLayout(words, 1)
        show = QPushButton("Show")
        show.setToolTip("Open it in the file manager")
        show.setAccessibleName(f"Open the folder {folder}")
        show.clicked.connect(lambda: show_in_files(folder))
        line.addWidget(show, 0, _TOP)
        if forget is not None:
            line.addWidget(forget, 0, _TOP)
        return holder


def _changing(change: Callable[[], None]) -> Work:
    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        change()
        yield None

    return work


def _named_by_environment() -> set[Path]:
    return {Path(name) for name in os.environ.get(SHARED_VARIABLE, "").split(os.pathsep) if name}


def _counted(shared: int) -> str:
    match shared:
        case 0:
            return "yours"
        case 1:
            return "yours and 1 shared one"
        case _:
            return f"yours and {shared} shared ones"
