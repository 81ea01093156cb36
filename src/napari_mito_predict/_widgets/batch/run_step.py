"""Step 3: start, pause, cancel; how far it is, and what became of all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QProgressBar, QPushButton, QWidget

from napari_mito_predict._widgets.common.controls import FailurePanel
from napari_mito_predict._widgets.common.layouts import SideBySide, column, row
from napari_mito_predict._widgets.common.scrolling import InSight
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wording import duration
from napari_mito_predict._widgets.common.worker import Failure, JobState
from napari_mito_predict._widgets.common.wrapped import Wrapped

ALL_DONE: Final = "all done"
"""Why it cannot start where nothing waits."""
_PARTS: Final = 1000
"""Of the progress bar."""
_PAUSE: Final = "Pa&use"
_CONTINUE: Final = "Contin&ue"


@dataclass(frozen=True)
class Progress:
    """How far all is.

    Attributes
    ----------
    ended, total : int
        Images.
    under_way : float
        How much is computed of those under way, such as 0.4 of one.
    seconds_left : float or None
    failed : int
        Of those that have ended.
    names : tuple of str
        Of the images under way.
    watching : bool
        Whether more may come at any time.
    paused : bool
    """

    ended: int = 0
    total: int = 0
    under_way: float = 0.0
    seconds_left: float | None = None
    failed: int = 0
    names: tuple[str, ...] = ()
    watching: bool = False
    paused: bool = False


class RunStep(Step):
    """The buttons and what is said beside them; does nothing itself but tell what was pressed."""

    start_pressed = Signal()
    pause_pressed = Signal()
    cancel_pressed = Signal()
    retry_pressed = Signal()
    save_pressed = Signal(object)
    """Where the table goes, a `Path`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("3  Run", parent)
        self._state = JobState.IDLE
        self._missing = ""
        self._failed = 0
        self._ended = 0
        self._build_main()
        self._build_end()
        self.show_state(JobState.IDLE)

    # ------------------------------------------------------------------ building

    def _build_main(self) -> None:
        self.start = QPushButton("&Start")
        self.start.setProperty("main", True)
        self.start.clicked.connect(self.start_pressed)
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress over all images")
        self.pause = QPushButton(_PAUSE)
        self.pause.setToolTip(
            "Wait before the next layer of the network (Alt+U).\n"
            "Memory stays taken, and what is being written is written."
        )
        self.pause.clicked.connect(self.pause_pressed)
        self.cancel = QPushButton("&Cancel")
        self.cancel.setToolTip("Stop (Alt+C). What is done stays; Start goes on where it was.")
        self.cancel.clicked.connect(self.cancel_pressed)
        buttons = row()
        buttons.addWidget(self.pause, 1)
        buttons.addWidget(self.cancel, 1)
        lines = column(6)
        lines.addWidget(self.start)
        lines.addWidget(self.bar)
        lines.addLayout(buttons)
        main = QWidget()
        main.setLayout(lines)
        self.body.addWidget(InSight(main))

    def _build_end(self) -> None:
        self.note = Wrapped(quiet=True)
        self.result = Wrapped()
        self.saved = Wrapped(quiet=True)
        self.retry = QPushButton("&Retry failed")
        self.retry.setToolTip("Let those that failed wait again, and start")
        self.retry.clicked.connect(self.retry_pressed)
        self.save = QPushButton("Save &table…")
        self.save.setToolTip("State, reason, light and PCC of each image, and the files written, as CSV")
        self.save.clicked.connect(self._ask_where_to_save)
        self.failure = FailurePanel()
        for widget in (self.note, self.result, self.saved, SideBySide(self.save, self.retry), self.failure):
            self.body.addWidget(widget)
        for text in (self.note, self.result, self.saved):
            text.say("")

    def _ask_where_to_save(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the table", "predictions.csv", "Tables (*.csv)")
        if chosen:
            self.save_pressed.emit(Path(chosen).with_suffix(".csv"))

    # ------------------------------------------------------------------ saying

    def show_missing(self, missing: str) -> None:
        """Say what is missing before it can start; nothing where it can."""
        self._missing = missing
        self._enable()

    def show_ended(self, ended: int, failed: int) -> None:
        """Say how many have ended and how many of them failed: they can be saved, and tried again."""
        self._ended = ended
        self._failed = failed
        self._enable()

    def show_state(self, state: JobState) -> None:
        """One state decides about every button."""
        self._state = state
        if state is JobState.PREPARING:
            self.failure.show_failure(None)
            self.result.say("")
            self.saved.say("")
            self.bar.setRange(0, 0)
            self.note.say("preparing…")
        elif state is JobState.CANCELLING:
            self.note.say("cancelling; what is being written is written…")
        elif not state.busy:
            self.note.say("")
        self._enable()

    def show_progress(self, progress: Progress) -> None:
        """Say how far all is."""
        if self._state is not JobState.RUNNING:
            return
        self.pause.setText(_CONTINUE if progress.paused else _PAUSE)
        left = ""
        if progress.seconds_left is not None and not progress.paused:
            left = f" · {duration(progress.seconds_left)} left"
        count = f"{progress.ended} of {progress.total}"
        if progress.failed:
            count += f" · {progress.failed} failed"
        if progress.watching and progress.ended == progress.total:
            self.bar.setRange(0, 0)
            self.note.say(f"{count} · watching the folder")
            self.set_summary("watching", "info")
            return
        done = (progress.ended + progress.under_way) / max(progress.total, 1)
        self.bar.setRange(0, _PARTS)
        self.bar.setValue(int(_PARTS * done))
        self.note.say(" · ".join([f"{count}{left}", *progress.names]))
        if progress.paused:
            self.set_summary(f"paused at {100 * done:.0f} %", "info")
        else:
            self.set_summary(f"{100 * done:.0f} %{left}", "info")

    def show_result(self, text: str) -> None:
        """Say what became of all."""
        self.result.say(text)

    def show_saved(self, path: Path) -> None:
        """Say where the table is."""
        self.saved.say(f"Table: {path}")

    def show_failure(self, failure: Failure | None) -> None:
        """Say what went wrong with all of it; None for nothing."""
        self.failure.show_failure(failure)

    def _enable(self) -> None:
        busy = self._state.busy
        self.start.setVisible(not busy)
        self.start.setEnabled(not self._missing)
        self.start.setToolTip(self._missing.capitalize() or "Predict the images that wait (Alt+S)")
        self.bar.setVisible(busy)
        self.pause.setVisible(busy)
        self.pause.setEnabled(self._state is JobState.RUNNING)
        self.cancel.setVisible(busy)
        self.cancel.setEnabled(busy and self._state is not JobState.CANCELLING)
        self.save.setVisible(self._ended > 0)
        self.retry.setVisible(self._failed > 0 and not busy)
        self._update_summary()

    def _update_summary(self) -> None:
        match self._state:
            case JobState.PREPARING:
                self.set_summary("preparing…", "info")
            case JobState.CANCELLING:
                self.set_summary("cancelling…", "info")
            case JobState.RUNNING:
                pass  # `show_progress` says how far it is
            case JobState.FAILED:
                self.set_summary("failed", "error")
            case _ if self._missing not in ("", ALL_DONE):
                self.set_summary(self._missing, "idle")
            case _ if self._failed:
                self.set_summary(f"{self._failed} failed", "warning", chosen=True)
            case _ if self._missing:
                self.set_summary(self._missing, "ok")
            case _:
                self.set_summary("ready", "ok")
