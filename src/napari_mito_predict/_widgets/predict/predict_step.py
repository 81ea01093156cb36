"""Step 3: the button, what it will cost, how far it is, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QLabel, QProgressBar, QPushButton, QToolButton, QWidget

from napari_mito_predict._widgets.common.controls import FailurePanel
from napari_mito_predict._widgets.common.layouts import SideBySide, column, form, row
from napari_mito_predict._widgets.common.light_words import light_sentences
from napari_mito_predict._widgets.common.scrolling import InSight
from napari_mito_predict._widgets.common.settings import preference
from napari_mito_predict._widgets.common.steps import Step
from napari_mito_predict._widgets.common.wording import duration
from napari_mito_predict._widgets.common.worker import Failure, JobState, describe
from napari_mito_predict._widgets.common.wrapped import ElidedButton, WarningLine, Wrapped
from napari_mito_predict._widgets.predict.choices import PRECISIONS, TILES, choice, devices
from napari_mito_predict._widgets.predict.saving import Destination, IfTaken
from napari_mito_predict.prediction.traffic_light import Colour

if TYPE_CHECKING:
    from napari_mito_predict._widgets.predict.planning import Planned
    from napari_mito_predict._widgets.predict.work import Finished, Live
    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.prediction import PredictionPlan
    from napari_mito_predict.prediction.traffic_light import TrafficLight

_NEEDS_FOLDER = "choose a folder"
_PREDICT = "P&redict"
_PREDICT_ANYWAY = "P&redict anyway"


class PredictStep(Step):
    """The predict button and all around it; does nothing itself but tell what was pressed."""

    start_pressed = Signal()
    cancel_pressed = Signal()
    remove_pressed = Signal()
    preview_toggled = Signal(bool)
    taken_answered = Signal(object)
    """What to do with the files of an earlier prediction, an `IfTaken`."""
    options_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("3  Predict", parent)
        self._folder: Path | None = None
        self._missing = "choose an image first"
        self._too_large = False
        self._red: tuple[TrafficLight, ...] = ()
        self._has_run = False
        self._state = JobState.IDLE
        self._build_start()
        self._build_questions()
        self._build_cost()
        self._build_advanced()
        self._build_progress()
        self.show_state(JobState.IDLE)

    # ------------------------------------------------------------------ building

    def _build_start(self) -> None:
        self.predict = QPushButton(_PREDICT)
        self.predict.setProperty("main", True)
        self.predict.clicked.connect(self.start_pressed)
        self.preview = QCheckBox("Preview her&e")
        self.preview.setToolTip(
            "Predict what you are looking at, and keep up as you move and zoom (Alt+E).\n"
            "Of a large field of view the middle is taken: zoom in. Gone when you switch it off, or press Predict."
        )
        self.preview.toggled.connect(self.preview_toggled)
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress")
        self.cancel = QPushButton("&Cancel")
        self.cancel.clicked.connect(self.cancel_pressed)
        progress = row()
        progress.addWidget(self.bar, 1)
        progress.addWidget(self.cancel)
        lines = column(6)
        lines.addWidget(SideBySide(self.predict, self.preview))
        lines.addLayout(progress)
        main = QWidget()
        main.setLayout(lines)
        self.body.addWidget(InSight(main))

    def _build_questions(self) -> None:
        """What has to be known before it can start; shown when it is asked."""
        self.too_large = WarningLine()
        self.choose_folder = QPushButton("Choose a folder…")
        self.choose_folder.clicked.connect(self._ask_for_folder)
        self.choose_folder.hide()
        self.taken = WarningLine()
        replace = QPushButton("Replace")
        replace.setToolTip("Write over the earlier files")
        both = QPushButton("Keep both")
        both.setToolTip("Write the new files beside them, with a number after their names")
        dismiss = QPushButton("Do not predict")
        for button, answer in ((replace, IfTaken.REPLACE), (both, IfTaken.NUMBER), (dismiss, None)):
            button.clicked.connect(partial(self._answer_taken, answer))
        buttons = row()
        for button in (replace, both, dismiss):
            buttons.addWidget(button, 1)
        self.answers = QWidget()
        self.answers.setLayout(buttons)
        self.answers.hide()
        for widget in (self.too_large, self.choose_folder, self.taken, self.answers):
            self.body.addWidget(widget)

    def _build_cost(self) -> None:
        self.cost = Wrapped(quiet=True)
        self.more = QToolButton()
        self.more.setText("Advanced")
        self.more.setCheckable(True)
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setArrowType(Qt.ArrowType.RightArrow)
        self.more.setToolTip("Device, precision, tile size, averaging, uncertainty, output folder")
        self.more.toggled.connect(self._show_advanced)
        self.body.addWidget(self.cost)
        self.body.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)

    def _build_advanced(self) -> None:
        self.device = choice(devices(), preference("device"))
        self.precision = choice(PRECISIONS, preference("precision"))
        self.tile = choice(TILES, "auto")
        self.average = QCheckBox("8 orientations, slower")
        self.average.setAccessibleName("Average over 8 orientations")
        self.average.setToolTip(
            "Predict the image in all its flips and quarter turns, and take the mean: slightly better, 8 times slower"
        )
        self.average.setChecked(preference("tta") == str(True))
        self.uncertainty = QCheckBox("more layers, hidden")
        self.uncertainty.setAccessibleName("Uncertainty layers")
        self.uncertainty.setToolTip(
            "How far these 8 predictions scatter, as a hidden layer for each target (open its eye); of several models\n"
            "of one target also how far they disagree. It is not the error: on real cells the brightness of the\n"
            "prediction told more of it (rank correlation 0.79, against 0.75 of this)."
        )
        self.uncertainty.setEnabled(self.average.isChecked())
        self.average.toggled.connect(self.uncertainty.setEnabled)
        self.folder = ElidedButton("do not save")
        self.folder.setToolTip("Also write the predictions as OME-TIFF into a folder")
        self.folder.clicked.connect(self._ask_for_folder)
        self.one_file = QCheckBox("one file")
        self.one_file.setToolTip("All targets into one file, as channels that open in their colours")
        self.folder.setAccessibleName("Save to")
        saving = row(spacing=8)
        saving.addWidget(self.folder, 1)
        saving.addWidget(self.one_file)
        rows = form()
        for text, combo in {"Device": self.device, "Precision": self.precision, "Computed in": self.tile}.items():
            combo.setAccessibleName(text)
            rows.addRow(QLabel(text), combo)
        rows.addRow(QLabel("Average over"), self.average)
        rows.addRow(QLabel("Uncertainty"), self.uncertainty)
        rows.addRow(QLabel("Save to"), saving)
        self.advanced = QWidget()
        self.advanced.setLayout(rows)
        for combo in (self.device, self.precision, self.tile):
            combo.currentIndexChanged.connect(lambda _: self.options_changed.emit())
        for box in (self.average, self.uncertainty):
            box.toggled.connect(lambda _: self.options_changed.emit())
        self.advanced.hide()
        self.body.addWidget(self.advanced)

    def _build_progress(self) -> None:
        self.note = Wrapped(quiet=True)
        self.light_note = Wrapped(quiet=True)
        self.light_note.hide()
        self.remove = QPushButton("Re&move this run")
        self.remove.setToolTip("Take the layers of this prediction out of the viewer (Alt+M)")
        self.remove.clicked.connect(self.remove_pressed)
        self.failure = FailurePanel()
        for widget in (self.note, self.light_note, self.remove, self.failure):
            self.body.addWidget(widget)

    # ------------------------------------------------------------------ what was chosen

    def tile_of(self, source: ImageSource) -> str | tuple[int, int, int]:
        """The tile as `predict` takes it; a side in pixels means all planes of that many pixels."""
        side: str = self.tile.currentData()
        if not side.isdecimal():
            return side
        return max(source.sizes["Z"], source.sizes["T"]), int(side), int(side)

    @property
    def wants_uncertainty(self) -> bool:
        """Whether layers shall say how far the orientations scatter that are averaged."""
        return bool(self.average.isChecked() and self.uncertainty.isChecked())

    @property
    def destination(self) -> Destination | None:
        """Where to save too."""
        if self._folder is None:
            return None
        return Destination(self._folder, bool(self.one_file.isChecked()))

    def _ask_for_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Save predictions to", str(self._folder or ""))
        if chosen:
            self.set_output_folder(Path(chosen))
        else:
            self.set_output_folder(None)

    def set_output_folder(self, folder: Path | None) -> None:
        """Save there too; None for not at all."""
        self._folder = folder
        name = "do not save"
        if folder is not None:
            name = folder.name or str(folder)
            self.folder.setToolTip(str(folder))
        self.folder.setText(name)
        self.ask_about(())
        self._enable()

    def _show_advanced(self, on: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow
        self.more.setArrowType(arrow)
        self.advanced.setVisible(on)

    # ------------------------------------------------------------------ saying

    def show_plan(self, planned: Planned | None, missing: str = "") -> None:
        """Say what it will cost, or what is missing before it can start."""
        self._missing = missing
        self.cost.setVisible(planned is not None)
        self.ask_about(())
        if planned is not None:
            self.cost.setText(planned.cost)
            self.cost.setToolTip(planned.plan.device.reason)
            self._too_large = bool(planned.too_large)
            self.too_large.say(planned.too_large)
            self._red = _red_lights(planned.plan)
        else:
            self.cost.setText("")
            self.cost.setToolTip("")
            self._too_large = False
            self.too_large.say("")
            self._red = ()
        self._enable()

    def ask_about(self, files: Sequence[Path]) -> None:
        """Ask what to do with files of an earlier prediction; nothing for none."""
        text = ""
        if len(files) == 1:
            text = f"{files[0].name} is there already."
        elif files:
            text = f"{files[0].name} and {len(files) - 1} more are there already."
        self.taken.say(text)
        self.answers.setVisible(bool(files))

    def _answer_taken(self, answer: IfTaken | None) -> None:
        self.ask_about(())
        if answer is not None:
            self.taken_answered.emit(answer)

    def show_state(self, state: JobState) -> None:
        """One state decides about every button."""
        self._state = state
        if state is JobState.PREPARING:
            self.failure.show_failure(None)
            self.ask_about(())
            self.bar.setRange(0, 0)
            self.light_note.say("")
            self.note.setText("preparing…")
        elif state is JobState.CANCELLING:
            self.note.setText("cancelling after this tile…")
        elif state in (JobState.IDLE, JobState.FAILED):
            self.note.setText("")
        self._enable()

    def show_progress(self, live: Live) -> None:
        """Real tiles and the time left."""
        if self._state is not JobState.RUNNING:
            return
        rest = ""
        left = live.seconds_left()
        if left is not None:
            rest = f" · {duration(left)} left"
        if live.done:
            self.bar.setRange(0, live.total)
            self.note.setText(f"{live.message} · part {live.done} of {live.total}{rest}")
        else:
            self.bar.setRange(0, 0)  # busy, nobody knows how far
            self.note.setText(live.message)
        self.bar.setValue(live.done)
        self.note.setVisible(True)
        percent = 100 * live.done // max(live.total, 1)
        self.set_summary(f"{percent} %{rest}", "info")

    def show_preview(self, text: str) -> None:
        """Say what is previewed; nothing for no preview."""
        if not self._state.busy:
            self.note.setText(text)
            self._enable()

    def show_finished(self, finished: Finished) -> None:
        """Say how long it took and what was written."""
        text = f"Done in {duration(finished.seconds)}."
        if finished.files:
            names = ", ".join(path.name for path in finished.files)
            text += f" Saved {names}."
        self.note.setText(text)
        self.light_note.say("\n".join(light_sentences(finished.plan.lights.values())))
        if finished.unsaved is not None:
            self.failure.show_failure(describe(finished.unsaved))

    def show_failure(self, failure: Failure | None) -> None:
        """Say what went wrong and what to do; None for nothing."""
        self.failure.show_failure(failure)

    def set_has_run(self, has_run: bool) -> None:
        """Whether there is something to remove."""
        self._has_run = has_run
        if not has_run and not self._state.busy:
            self.note.setText("")
            self.light_note.say("")
        self._enable()

    def _enable(self) -> None:
        busy = self._state.busy
        needs_folder = self._too_large and self._folder is None
        missing = self._missing
        if needs_folder and not missing:
            missing = _NEEDS_FOLDER
        self.predict.setEnabled(not busy and not missing)
        self.predict.setText(_PREDICT_ANYWAY if self._red else _PREDICT)
        tip = "\n".join([*light_sentences(self._red), "Predict with all checked models (Alt+R)"])
        self.predict.setToolTip(missing.capitalize() or tip)
        self.preview.setEnabled((not busy and not self._missing) or self.preview.isChecked())
        self.choose_folder.setVisible(needs_folder)
        self.advanced.setEnabled(not busy)
        self.bar.setVisible(busy)
        self.cancel.setVisible(busy)
        self.cancel.setEnabled(busy and self._state is not JobState.CANCELLING)
        self.remove.setVisible(self._has_run and not busy)
        self.note.setVisible(bool(self.note.text()))
        self._update_summary()

    def _update_summary(self) -> None:
        previews = self.preview.isChecked() and not self._state.busy
        match self._state:
            case _ if previews and not self.failure.isHidden():
                self.set_summary("no preview", "error")
            case _ if previews:
                self.set_summary("preview", "info")
            case JobState.PREPARING:
                self.set_summary("preparing…", "info")
            case JobState.CANCELLING:
                self.set_summary("cancelling…", "info")
            case JobState.DONE if self._has_run:
                self.set_summary("done", "ok")
            case JobState.FAILED:
                self.set_summary("failed", "error")
            case JobState.RUNNING:
                pass  # `show_progress` says how far it is
            case _ if self._missing:
                self.set_summary(self._missing, "idle")
            case _ if not self.predict.isEnabled():
                self.set_summary(_NEEDS_FOLDER, "idle")
            case _ if self._red:
                self.set_summary("red light", "red")
            case _:
                self.set_summary("ready", "ok")


def _red_lights(plan: PredictionPlan) -> tuple[TrafficLight, ...]:
    """None before the pixels were looked at."""
    if not plan.looked:
        return ()
    return tuple(light for light in plan.lights.values() if light.colour is Colour.RED)
