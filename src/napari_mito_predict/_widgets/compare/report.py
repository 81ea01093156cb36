"""Take the comparison out of napari: the HTML report, and a paragraph for the methods of a paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_mito_predict._widgets.common.controls import FailurePanel
from napari_mito_predict._widgets.common.facts import PredictionFacts, prediction_facts
from napari_mito_predict._widgets.common.image_layers import source_of, values_of
from napari_mito_predict._widgets.common.layouts import column
from napari_mito_predict._widgets.common.viewport import letters_of
from napari_mito_predict._widgets.common.worker import Failure, Job, JobState
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict.errors import OutputError, PredictionCancelled
from napari_mito_predict.image.names import file_stem
from napari_mito_predict.image.predicted import Evidence, PredictionMark

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict.evaluation.cases import Case

_REPORT_TIP = "All measures, baselines, pictures and curves of this pair as one HTML file"
_CANCEL_TIP = "Stop writing the report; a file of that name stays as it was"
_COPIED = "Copied a paragraph for your methods section."
_OTHER_FOLDER = "Choose another folder."
"""Of an output that cannot be written: here a dialog asks for its folder, in the Predict step it is under Advanced."""


class ReportRow(QWidget):
    """Two buttons, and below them how far the report is."""

    methods_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._layers: tuple[Image, Image, Image | None] | None = None
        self._path, self._saved = Path(), False
        self.job = Job(self, "Mito Predict: writing a report", fixes={OutputError: _OTHER_FOLDER})
        self.job.yielded.connect(self._written)
        self.job.failed.connect(self._failed)
        self.job.state_changed.connect(self._show_job_state)
        self.report, self.methods = QPushButton("Report…"), QPushButton("Copy methods text")
        self.methods.setToolTip("A paragraph for a paper: model, version, voxel size, scores and what they cover")
        self.report.clicked.connect(self._pressed)
        self.methods.clicked.connect(self.methods_pressed)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName("Writing the report")
        self.line = Wrapped(quiet=True)
        self.failure = FailurePanel()
        self._build()
        self.set_pair(None)

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.report, 1)
        row.addWidget(self.methods, 2)
        box = column()
        self.setLayout(box)
        box.addLayout(row)
        for widget in (self.bar, self.line, self.failure):
            box.addWidget(widget)
            widget.hide()

    def set_pair(self, layers: tuple[Image, Image, Image | None] | None) -> None:
        """Prediction, truth and transmitted light (or None), once there are scores; None before."""
        if layers != self._layers and not self.job.state.busy:
            self.failure.show_failure(None)
            self.line.say("")
        self._layers = layers
        self.methods.setEnabled(layers is not None)
        self._show_button()

    def _pressed(self) -> None:
        if self.job.state.busy:
            self.job.cancel()
        else:
            self.ask()

    def ask(self) -> None:
        """Ask for a file and write the report into it."""
        if self._layers is None:
            return
        proposed = _proposed(self._layers[0])
        path, _ = QFileDialog.getSaveFileName(self, "Save the report", str(proposed), "Web page (*.html)")
        if path:
            self.write(Path(path))

    def write(self, path: Path) -> None:
        """Write the report of what is compared now; a name without an ending gets ``.html``."""
        if self._layers is None:
            return
        if path.suffix.lower() not in (".html", ".htm"):
            path = path.with_name(f"{path.name}.html")
            if path.exists():
                self.line.say(f"{path.name} exists already. Choose another name, or that very file.")
                return
        self._path, self._saved = path, False
        self.job.start(reporting(*self._layers, path))

    def copy(self, text: str) -> None:
        """Put the paragraph into the clipboard."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
            self.line.say(_COPIED)

    def _show_job_state(self, state: JobState) -> None:
        self.bar.setVisible(state.busy)
        self._show_button()
        if state is JobState.CANCELLING:
            self.line.say("Cancelling: what is being computed is finished first.")
        elif state.busy:
            self.failure.show_failure(None)
            self.line.say(f"Comparing and drawing {self._path.name}: seconds to minutes, go on working meanwhile.")
        elif state is JobState.IDLE and not self._saved:  # else it was done before it heard of the cancelling
            self.line.say(f"Cancelled: {self._path.name} was not written.")

    def _show_button(self) -> None:
        """While a report is being written, its button cancels it."""
        state = self.job.state
        if state.busy:
            self.report.setText("Cancel")
            self.report.setToolTip(_CANCEL_TIP)
            self.report.setEnabled(state is not JobState.CANCELLING)
        else:
            self.report.setText("Report…")
            self.report.setToolTip(_REPORT_TIP)
            self.report.setEnabled(self._layers is not None)

    def _written(self, path: Path) -> None:
        self._saved = True
        self.line.say(f"Saved {path.name} in {path.parent}.")

    def _failed(self, failure: Failure) -> None:
        self.line.say("")
        self.failure.show_failure(failure)


def reporting(prediction: Image, truth: Image, light: Image | None, path: Path) -> Work:
    """Work that writes the report and yields its path; what it takes from the layers, it takes at once."""
    case = case_of(prediction, truth, light)

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.evaluation.results import gather
        from napari_mito_predict.image import check_output
        from napari_mito_predict.report.evaluation.page import write_html

        def on_step() -> None:
            if should_stop():
                raise PredictionCancelled("The report was cancelled.")

        check_output(path, overwrite=True)
        yield write_html(gather([case], on_step=on_step), path, on_step=on_step)

    return work


def case_of(prediction: Image, truth: Image, light: Image | None = None) -> Case:
    """Three layers on one grid as a case for the report."""
    from napari_mito_predict.evaluation.cases import Case

    letters = letters_of(prediction)
    real = source_of(truth, letters)
    fitting_light = None
    if light is not None and values_of(light).shape == values_of(truth).shape:
        fitting_light = source_of(light, letters)
    facts = prediction_facts(prediction) or PredictionFacts()
    record = facts.record
    channel = real.channels[0]
    of_truth = prediction_facts(truth)
    if of_truth is not None:  # as the user allowed; the report says so
        simulated = bool(of_truth.record.disclaimer)
        channel = replace(channel, prediction=PredictionMark(of_truth.model, Evidence.RECORD, simulated))
    return Case(
        field=record.input.name or facts.input_layer or truth.name,
        target=facts.target,
        model=facts.model or record.model.name or "unknown model",
        prediction=source_of(prediction, letters),
        prediction_name=f"layer '{prediction.name}' in napari",
        truth=real,
        channel=channel,
        light=fitting_light,
        record=record,
        disclaimer=str(prediction.metadata.get("disclaimer", "")),
    )


def _proposed(prediction: Image) -> Path:
    """A name beside the image that was predicted from, where it is known."""
    facts = prediction_facts(prediction) or PredictionFacts()
    made_from = facts.record.input
    folder = Path.home()
    if made_from.path:
        folder = Path(made_from.path).parent
    return folder / f"{file_stem(made_from.name or prediction.name)} report.html"
