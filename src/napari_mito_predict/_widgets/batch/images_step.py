"""Step 1: which images, where each of them stands, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLineEdit, QPushButton, QWidget

from napari_mito_predict._widgets.batch.listing import Found, NotFound, Wanted, listing
from napari_mito_predict._widgets.batch.table_model import ImagesModel
from napari_mito_predict._widgets.batch.table_view import ImagesTable
from napari_mito_predict._widgets.common.layouts import row
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.worker import Failure, Job, JobState
from napari_mito_predict._widgets.common.wrapped import WarningLine, Wrapped
from napari_mito_predict.image import IMAGE_SUFFIXES
from napari_mito_predict.prediction.batch.inputs import ALL_SCENES

if TYPE_CHECKING:
    from napari_mito_predict._widgets.batch.queue import Queue
    from napari_mito_predict._widgets.batch.rows import Row

_FILES: Final = f"Images ({' '.join(f'*{suffix}' for suffix in IMAGE_SUFFIXES)});;All files (*)"
_HINT: Final = "Or drop files, folders and plates here."
_MOST_PROBLEMS: Final = 3


class ImagesStep(Step):
    """Add images, and look at them; `found` tells which were listed, and the folder that they are in."""

    found = Signal(object)
    open_pressed = Signal(object)
    """The rows to open."""
    remove_pressed = Signal(object)
    """The rows to take out."""

    def __init__(self, queue: Queue, parent: QWidget | None = None) -> None:
        super().__init__("1  Images", parent)
        self._queue = queue
        self.setAcceptDrops(True)
        self._asked_for: list[Wanted] = []
        self._problems: list[str] = []
        self._listing = Job(self)
        self._listing.yielded.connect(self._listed)
        self._listing.failed.connect(self._not_listed)
        self._listing.state_changed.connect(self._listing_changed)
        self._build_adding()
        self._build_table()
        self._picked()
        self.show_counts()

    # ------------------------------------------------------------------ building

    def _build_adding(self) -> None:
        self.files = QPushButton("&Files…")
        self.files.setToolTip("Add files (Alt+F)")
        self.files.clicked.connect(self._ask_for_files)
        self.folder = QPushButton("F&older or plate…")
        self.folder.setToolTip("Add all images of a folder, or all fields of an OME-Zarr plate (Alt+O)")
        self.folder.clicked.connect(self._ask_for_folder)
        buttons = row()
        buttons.addWidget(self.files)
        buttons.addWidget(self.folder, 1)
        self.body.addLayout(buttons)
        self.pattern = QLineEdit()
        self.pattern.setPlaceholderText("a pattern: /data/**/*.czi")
        self.pattern.setToolTip("A path or a pattern: * stands for any name, ** for folders in folders")
        self.pattern.setAccessibleName("Pattern")
        self.pattern.returnPressed.connect(self._add_pattern)
        add = QPushButton("Add")
        add.setToolTip("Add what fits the pattern")
        add.clicked.connect(self._add_pattern)
        line = row()
        line.addWidget(self.pattern, 1)
        line.addWidget(add)
        self.body.addLayout(line)
        self.scenes = QCheckBox("All scenes of each file")
        self.scenes.setToolTip("Without it the first one; of plates always all fields. Counts for what is added next.")
        self.body.addWidget(self.scenes)

    def _build_table(self) -> None:
        self.hint = Wrapped(_HINT, quiet=True)
        self.problem = WarningLine()
        self.images = ImagesModel(self)
        self.table = ImagesTable(self.images)
        self.table.picked.connect(self._picked)
        self.table.opened.connect(self._open)
        self.table.removed.connect(self._remove)
        self.images.dataChanged.connect(self._picked)
        self.about = Wrapped(quiet=True)
        self.open_button = QPushButton("Open in &viewer")
        self.open_button.setToolTip(
            "Show the image and its predictions as layers (double click, Alt+V);\nwhat was opened from here before goes"
        )
        self.open_button.clicked.connect(self._open)
        self.remove_button = QPushButton("Remove")
        self.remove_button.setToolTip("Take the selected rows out of the list (Delete); no file is touched")
        self.remove_button.clicked.connect(self._remove)
        self._buttons = QWidget()
        buttons = row()
        buttons.addWidget(self.open_button, 1)
        buttons.addWidget(self.remove_button)
        self._buttons.setLayout(buttons)
        for widget in (self.hint, self.problem, self.table, self.about, self._buttons):
            self.body.addWidget(widget)

    # ------------------------------------------------------------------ adding

    def add(self, given: Iterable[Path]) -> None:
        """List files, folders, patterns and plates in another thread; those that are listed already go on."""
        self._asked_for += [Wanted(path, self.scene) for path in given]
        if not self._listing.state.busy:
            self._list()

    @property
    def scene(self) -> str | None:
        """Which scenes are taken of files that come from now on."""
        return ALL_SCENES if self.scenes.isChecked() else None

    def stop(self) -> None:
        """List no more."""
        self._asked_for.clear()
        self._listing.reset()

    def _list(self) -> None:
        wanted, self._asked_for = self._asked_for, []
        self._problems = []
        self.say_problems([])
        self._listing.start(listing(wanted, self._queue))

    def _listed(self, result: Found | NotFound) -> None:
        if isinstance(result, NotFound):
            self._problems.append(f"{result.given}: {result.reason}")
        else:
            if not result.entries:
                self._problems.append(f"{result.folder}: no image yet. The folder can be watched, see below.")
            self.found.emit(result)
        self.say_problems(self._problems)

    def _not_listed(self, failure: Failure) -> None:
        self.say_problems([failure.what])

    def say_problems(self, problems: Sequence[str]) -> None:
        """Say what cannot be listed or opened; nothing for none."""
        shown = list(problems[:_MOST_PROBLEMS])
        if len(problems) > len(shown):
            shown.append(f"And {len(problems) - len(shown)} more.")
        self.problem.say("\n".join(shown))

    def _listing_changed(self, state: JobState) -> None:
        if not state.busy and self._asked_for:
            self._list()
        self.show_counts()

    def _add_pattern(self) -> None:
        if text := self.pattern.text().strip():
            self.add([Path(text)])
            self.pattern.clear()

    def _ask_for_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Add images", "", _FILES)
        if paths:
            self.add(map(Path, paths))

    def _ask_for_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "Add a folder of images, or a plate"):
            self.add([Path(path)])

    def dragEnterEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.add(paths)

    # ------------------------------------------------------------------ the table

    def _open(self) -> None:
        if self.table.chosen:
            self.open_pressed.emit(self.table.chosen)

    def _remove(self) -> None:
        rows = [row for row in self.table.chosen if row.doing is None]
        if rows:
            self.remove_pressed.emit(rows)

    def _picked(self, *_: object) -> None:
        """Say of one selected row what does not fit into it."""
        chosen = self.table.chosen
        text = ""
        if len(chosen) == 1:
            text = _in_full(chosen[0])
        self.about.say(text)
        self.open_button.setEnabled(bool(chosen))
        self.remove_button.setEnabled(any(row.doing is None for row in chosen))

    def show_counts(self) -> None:
        """Say how many there are."""
        rows = self.images.rows
        self.hint.setVisible(not rows)
        self._buttons.setVisible(bool(rows))
        if self._listing.state.busy:
            self.set_summary("looking…", "info")
        elif rows:
            self.set_summary(_counted(rows), "ok", chosen=True)
        else:
            self.set_summary("add images", "idle", chosen=True)


def _in_full(row: Row) -> str:
    title = f"{row.name}, {row.scene}" if row.scene else row.name
    return "\n".join(filter(None, [title, row.scores_in_full.replace("\n", ", "), row.reasons]))


def _counted(rows: Sequence[Row]) -> str:
    return "1 image" if len(rows) == 1 else f"{len(rows):,} images"
