"""Step 3: one run, from its name to its model: buttons, curve, scores, what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QProgressBar, QPushButton, QWidget

from napari_mito_predict._widgets.common.controls import Combo, FailurePanel, words
from napari_mito_predict._widgets.common.layouts import form
from napari_mito_predict._widgets.common.scrolling import InSight
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wording import duration
from napari_mito_predict._widgets.common.worker import Failure
from napari_mito_predict._widgets.common.wrapped import WarningLine
from napari_mito_predict._widgets.train.curve import Curve
from napari_mito_predict._widgets.train.watch import Phase
from napari_mito_predict.evaluation import BASELINES
from napari_mito_predict.training.run import Run

if TYPE_CHECKING:
    from napari_mito_predict.training.status import Status

_NEW = "New run"
_RUNS_SHOWN = 30
_OUTSIDE = "Running outside napari: you may close it, the training goes on."
_LOG_TAIL = 6000
"""Bytes: a traceback or two."""


class RunStep(Step):
    """Shows one run and tells what was pressed; the phase of the run decides about every button."""

    start_pressed = Signal()
    pause_pressed = Signal()
    resume_pressed = Signal()
    keep_pressed = Signal()
    use_pressed = Signal()
    copy_pressed = Signal()
    run_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("3  Run", parent)
        self._phase = Phase.NONE
        self._missing = "choose fields first"
        self._note = ""
        self._has_model = False
        self._best = ""
        self._build_choice()
        self._build_buttons()
        self._build_progress()
        self.show_phase(Phase.NONE, None)

    # ------------------------------------------------------------------ building

    def _build_choice(self) -> None:
        rows = form()
        self.runs = Combo()
        self.runs.addItem(_NEW, None)
        self.runs.setToolTip("A new run, or one of before: to watch it, or to go on with it")
        self.runs.activated.connect(self._run_picked)
        self.name = QLineEdit("my-model")
        self.name.setToolTip("What the model will be called in the list of models")
        self._name_label = QLabel("Name")
        self.name_note = WarningLine()
        self._run_label = QLabel("Run")
        for label, field in ((self._run_label, self.runs), (self._name_label, self.name)):
            field.setAccessibleName(label.text())
            rows.addRow(label, field)
        rows.addRow(self.name_note)
        self.body.addLayout(rows)

    def _build_buttons(self) -> None:
        self.start = QPushButton("&Start training")
        self.start.setProperty("main", True)
        self.pause, self.keep = QPushButton("Paus&e"), QPushButton("Stop and &keep")
        self.keep.setToolTip("End now and keep the best model so far; it is tested and goes into the list of models")
        self.use, self.copy = QPushButton("&Use this model now"), QPushButton("&Copy as command")
        self.use.setToolTip("Predict the image that is open with the best model so far")
        self.copy.setToolTip("A line for a terminal or a cluster that trains the same; goes to the clipboard")
        self.start.clicked.connect(self.start_pressed)
        self.pause.clicked.connect(self._pause_or_resume)
        self.keep.clicked.connect(self.keep_pressed)
        self.use.clicked.connect(self.use_pressed)
        self.copy.clicked.connect(self.copy_pressed)
        self.body.addWidget(InSight(self.start))
        grid = QGridLayout()
        for i, button in enumerate((self.pause, self.keep, self.use, self.copy)):
            grid.addWidget(button, i // 2, i % 2)
        self.body.addLayout(grid)

    def _pause_or_resume(self) -> None:
        if self._phase.can_go_on:
            self.resume_pressed.emit()
        else:
            self.pause_pressed.emit()

    def _build_progress(self) -> None:
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress")
        self.scores = words()
        self.message = words(quiet=True)
        self.outside = words(_OUTSIDE, quiet=True)
        self.curve = Curve()
        self.failure = FailurePanel()
        for widget in (self.bar, self.scores, self.curve, self.message, self.outside, self.failure):
            self.body.addWidget(widget)

    # ------------------------------------------------------------------ which run

    def set_runs(self, runs: Sequence[Run]) -> None:
        """Offer these runs, the last first, keeping the choice."""
        before = self.runs.currentData()
        self.runs.clear()
        self.runs.addItem(_NEW, None)
        for run in runs[:_RUNS_SHOWN]:
            self.runs.addItem(f"{run.path.name} · {run.status.state}", str(run.path))
            self.runs.setItemData(self.runs.count() - 1, str(run.path), Qt.ItemDataRole.ToolTipRole)
        self.runs.setCurrentIndex(max(0, self.runs.findData(before)))

    def choose_run(self, run: Run | None) -> None:
        """Show which run is watched, without telling."""
        if run is None:
            self.runs.setCurrentIndex(0)
            return
        index = self.runs.findData(str(run.path))
        if index < 0:
            index = 1
            self.runs.insertItem(index, run.path.name, str(run.path))
        self.runs.setCurrentIndex(index)

    def _run_picked(self, index: int) -> None:
        path = self.runs.itemData(index)
        if path is None:
            self.run_chosen.emit(None)
        else:
            self.run_chosen.emit(Run(Path(path)))

    # ------------------------------------------------------------------ saying

    def show_missing(self, missing: str, note: str = "") -> None:
        """What is missing before a new run can start, in a few words; nothing where it can. `note` says it in full."""
        self._missing = missing
        self._note = note
        self._enable()

    def show_phase(self, phase: Phase, run: Run | None) -> None:
        """One phase decides about every button."""
        self._phase = phase
        if phase is Phase.NONE:
            self.curve.set_metrics([])
            self._best = ""
            self.scores.setText("")
            self.message.setText("")
            self._has_model = False
        if phase is Phase.STARTING:
            self.message.setText("Starting…")
        if run is not None and phase is not Phase.NONE:
            index = self.runs.findData(str(run.path))
            self.runs.setItemText(index, f"{run.path.name} · {phase}")
        if phase is Phase.GONE:
            self.message.setText("")
        if phase is Phase.FAILED and run is not None:
            self.failure.show_failure(_failure_of(run))
        elif phase is Phase.GONE and run is not None:
            self.failure.show_failure(_gone(run))
        else:
            self.failure.show_failure(None)
        self._enable()

    def show_status(self, status: Status) -> None:
        """How far it is, how good, and what the trainer says."""
        maximum = status.iterations
        if status.state == "preparing":
            maximum = 0  # Qt shows a bar without an end
        self.bar.setRange(0, maximum)
        self.bar.setValue(status.iteration)
        self._best = best_score(status)
        self.scores.setText(scores_line(status))
        self.message.setText(_message(status))
        self._enable()

    def show_metrics(self, rows: list[dict[str, float]]) -> None:
        """Draw the curve."""
        self.curve.set_metrics(rows)
        self._enable()

    def set_has_model(self, has_model: bool) -> None:
        """Whether there is a best model so far."""
        if has_model is not self._has_model:
            self._has_model = has_model
            self._enable()

    def show_failure(self, failure: Failure | None) -> None:
        """Something the user asked for could not be done."""
        self.failure.show_failure(failure)

    def show_refusal(self, run: Run) -> None:
        """Its trainer would not begin; why it says in the log only, since it leaves what it refuses as it is."""
        log = _end_of_log(run)
        lines = [line for line in log.splitlines() if line.strip()]
        last_words = "The trainer ended at once."
        if lines:
            last_words = lines[-1]
        self.message.setText(run.status.message)
        self.failure.show_failure(
            Failure(
                last_words,
                "The trainer found what it must not or cannot go on with, and left the run folder as it is.",
                "Do what the message says, then resume the run; or start a new one from its model.",
                f"{run.path}\n\n{log}",
            )
        )

    def say(self, text: str) -> None:
        """A sentence below the curve."""
        self.message.setText(text)
        self._enable()

    def _enable(self) -> None:
        """Which widgets are there and can be used, by the phase of the run."""
        phase, new = self._phase, self._phase is Phase.NONE
        for widget in (self.start, self.name, self._name_label):
            widget.setVisible(new)
        for choice in (self.runs, self._run_label):
            choice.setVisible(self.runs.count() > 1)
        self.name_note.say(self._note if new else "")
        self.start.setEnabled(not self._missing)
        self.start.setToolTip(self._missing.capitalize() or "Train in a process of its own (Alt+S)")
        self._name_pause_button()
        for button in (self.pause, self.keep):
            button.setVisible(not new and phase not in (Phase.DONE, Phase.GONE))
        self.pause.setEnabled(phase in (Phase.PREPARING, Phase.RUNNING) or phase.can_go_on)
        self.keep.setEnabled(phase is Phase.RUNNING or (phase.can_go_on and self._has_model))
        self.use.setVisible(not new and phase is not Phase.GONE)
        self.use.setEnabled(self._has_model)
        self.copy.setVisible(phase is not Phase.GONE)
        self.copy.setEnabled(not new or not self._missing)
        self.bar.setVisible(phase.at_work)
        self.outside.setVisible(phase.at_work)
        self.curve.setVisible(not new and bool(self.curve.losses[0] or self.curve.scores[0]))
        for label in (self.scores, self.message):
            label.setVisible(bool(label.text()))
        self._summarise()

    def _name_pause_button(self) -> None:
        if self._phase.can_go_on:
            self.pause.setText("R&esume")
            self.pause.setToolTip("Go on from the last checkpoint")
        else:
            self.pause.setText("Paus&e")
            self.pause.setToolTip("It can be resumed later")

    def _summarise(self) -> None:
        match self._phase:
            case Phase.NONE if self._missing:
                self.set_summary(self._missing, "idle")
            case Phase.NONE:
                self.set_summary("ready", "ok")
            case Phase.DONE:
                self.set_summary(self._with_score("done"), "ok")
            case Phase.FAILED:
                self.set_summary("failed", "error")
            case Phase.INTERRUPTED:
                self.set_summary("interrupted: resume it", "warning")
            case Phase.GONE:
                self.set_summary("its folder is gone", "error")
            case Phase.DAMAGED:
                self.set_summary("its status cannot be read", "error")
            case Phase.STOPPED:
                self.set_summary(self._with_score("paused"), "warning")
            case Phase.RUNNING:
                percent = 100 * self.bar.value() // max(self.bar.maximum(), 1)
                self.set_summary(self._with_score(f"{percent} %"), "info")
            case _:
                self.set_summary(f"{self._phase}…", "info")

    def _with_score(self, state: str) -> str:
        return " · ".join(filter(None, (state, self._best)))


def best_score(status: Status) -> str:
    """Such as "PCC 0.71"; empty before the first validation."""
    if "best" not in status.scores:
        return ""
    return f"PCC {status.scores['best']:.2f}"


def scores_line(status: Status) -> str:
    """Such as "PCC 0.71 (start model 0.42, blurred input 0.31, local contrast 0.36)"."""
    best, scores = best_score(status), status.scores
    names = {"base": "start model"} | {name: name for name in BASELINES}
    others = [f"{name} {scores[key]:.2f}" for key, name in names.items() if key in scores]
    if not best or not others:
        return best
    return f"{best} ({', '.join(others)})"


def _message(status: Status) -> str:
    """What the trainer says, how far it is, and how long it will take; of a failed one another place says it all."""
    if status.state == "failed":
        return ""
    sentences = [status.message]
    if status.state == "running":
        sentences.append(f"Iteration {status.iteration} of {status.iterations}.")
    if status.seconds_left and status.alive:
        sentences.append(f"About {duration(status.seconds_left)} left.")
    return " ".join(sentences)


def _failure_of(run: Run) -> Failure:
    """What a trainer's last words and its log say."""
    return Failure(
        run.status.message,
        "The fields, the settings or the computer's memory do not allow this training.",
        "Change what the message names in steps 1 and 2 and start a new run. If it was the disk or the memory, "
        "free some, then resume this one.",
        f"{run.path}\n\n{_end_of_log(run)}",
    )


def _gone(run: Run) -> Failure:
    return Failure(
        f"The folder of this run is not there any more: {run.path}",
        "It was moved, renamed or removed, or its drive was taken away. A training that cannot write there ends.",
        "Put it back or connect the drive, and then resume the run; or choose New run above.",
        str(run.path),
    )


def _end_of_log(run: Run) -> str:
    log = run.path / "log.txt"
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _LOG_TAIL))
            return stream.read().decode("utf-8", errors="replace")
    except OSError:
        return "There is no log."
