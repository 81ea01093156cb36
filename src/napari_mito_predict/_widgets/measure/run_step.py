"""Step 3: measure, cancel; how far it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QProgressBar, QPushButton, QWidget

from napari_mito_predict._widgets.common.controls import FailurePanel
from napari_mito_predict._widgets.common.layouts import column
from napari_mito_predict._widgets.common.scrolling import InSight
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wording import duration
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.measure.series_row import SeriesRow

if TYPE_CHECKING:
    from napari_mito_predict._widgets.common.worker import Failure
    from napari_mito_predict._widgets.measure.work import Watched

_LOOK_MS: Final = 200
_PARTS: Final = 1000
_LEAST_DONE: Final = 0.05
"""Of all work, before anybody can say how long the rest takes."""


class RunStep(Step):
    """The buttons and what is said beside them; does nothing itself but tell what was pressed."""

    start_pressed = Signal()
    cancel_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("3  Measure", parent)
        self._state = JobState.IDLE
        self._missing = ""
        self._outdated = False
        self._measured = False
        self._watched: Watched | None = None
        self._since = 0.0
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self._show_progress)
        self._build()
        self.show_state(JobState.IDLE)

    def _build(self) -> None:
        self.series = SeriesRow()
        self.start = QPushButton("&Measure")
        self.start.setProperty("main", True)
        self.start.clicked.connect(self.start_pressed)
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress of the measurement")
        self.cancel = QPushButton("&Cancel")
        self.cancel.setToolTip("Stop (Alt+C); what was measured before stays")
        self.cancel.clicked.connect(self.cancel_pressed)
        lines = column(6)
        for widget in (self.start, self.bar, self.cancel):
            lines.addWidget(widget)
        main = QWidget()
        main.setLayout(lines)
        self.note = Wrapped(quiet=True)
        self.note.say("")
        self.failure = FailurePanel()
        self.body.addWidget(self.series)
        self.body.addWidget(InSight(main))
        self.body.addWidget(self.note)
        self.body.addWidget(self.failure)

    def watch(self, watched: Watched) -> None:
        """Show from now on how far this is."""
        self._watched = watched
        self._since = time.monotonic()

    def show_missing(self, missing: str) -> None:
        """Say what is missing before it can start; nothing where it can."""
        self._missing = missing
        self._enable()

    def show_measured(self, *, measured: bool, outdated: bool) -> None:
        """Say whether there are numbers, and whether something was changed since."""
        self._measured = measured
        self._outdated = outdated
        self._enable()

    def show_failure(self, failure: Failure | None) -> None:
        """Say what went wrong; None for nothing."""
        self.failure.show_failure(failure)

    def show_state(self, state: JobState) -> None:
        """One state decides about every button."""
        self._state = state
        if state is JobState.PREPARING:
            self.failure.show_failure(None)
            self.bar.setRange(0, 0)
            self._look.start()
        elif not state.busy:
            self._look.stop()
            self.note.say("")
        self._enable()

    def _show_progress(self) -> None:
        """Five times a second, however much the worker has to tell."""
        if self._watched is None or self._state is not JobState.RUNNING:
            return
        done = self._watched.fraction
        left = ""
        if done >= _LEAST_DONE:
            seconds = time.monotonic() - self._since
            left = f" · {duration(seconds * (1 - done) / done)} left"
            self.bar.setRange(0, _PARTS)
            self.bar.setValue(int(_PARTS * done))
        self.note.say(f"{self._watched.message}{left}")
        self.set_summary(f"{100 * done:.0f} %{left}", "info")

    def _enable(self) -> None:
        busy = self._state.busy
        self.series.setEnabled(not busy)
        self.start.setVisible(not busy)
        self.start.setEnabled(not self._missing)
        self.start.setToolTip(self._missing.capitalize() or "Measure the whole image (Alt+M)")
        self.bar.setVisible(busy)
        self.cancel.setVisible(busy)
        self.cancel.setEnabled(busy and self._state is not JobState.CANCELLING)
        match self._state:
            case JobState.PREPARING:
                self.set_summary("preparing…", "info")
            case JobState.CANCELLING:
                self.set_summary("cancelling…", "info")
            case JobState.RUNNING:
                pass  # `_show_progress` says how far it is
            case JobState.FAILED:
                self.set_summary("failed", "error")
            case _ if self._missing:
                self.set_summary(self._missing, "idle", chosen=True)
            case _ if self._outdated:
                self.set_summary("changed since", "warning")
            case _ if self._measured:
                self.set_summary("done", "ok")
            case _:
                self.set_summary("ready", "ok")
