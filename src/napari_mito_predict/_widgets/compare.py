"""Compare a prediction with the truth: PCC and SSIM of this plane and of the whole stack, and side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_mito_predict._widgets import _layers
from napari_mito_predict._widgets._numbers import Numbers, Profile
from napari_mito_predict._widgets._parts import LayerCombo, follow, style_sheet, words
from napari_mito_predict._widgets._scores import Agreement, StackAgreement, comparing_planes, comparing_stacks
from napari_mito_predict._widgets._side_by_side import SideBySide
from napari_mito_predict._widgets._view import plane_index, stack_axis, stack_index
from napari_mito_predict._widgets._worker import Failure, Job, JobState
from napari_mito_predict.image import ChannelRole

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

CAPTION = "Predicted brightness is relative, not calibrated."
_ROLES = {"mitochondria": ChannelRole.MITOCHONDRIA, "dna": ChannelRole.DNA}


class ComparePanel(QWidget):
    """Choose a prediction and its truth; the numbers follow the sliders."""

    changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.stack: StackAgreement | None = None
        self._stack_of: tuple[object, ...] = ()
        self._followed: Layer | None = None
        self._build()
        self._plane_job, self._stack_job = Job(self), Job(self)
        self._plane_job.yielded.connect(self._show_plane)
        self._stack_job.yielded.connect(self._show_stack)
        for job in (self._plane_job, self._stack_job):
            job.failed.connect(self._show_failure)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(60)
        self._soon.timeout.connect(self.update_numbers)
        self.prediction.picked.connect(self._prediction_picked)
        self.truth.picked.connect(self._later)
        for emitter in (viewer.dims.events.current_step, viewer.dims.events.ndisplay, viewer.dims.events.order):
            follow(self, emitter, self._later)
        follow(self, viewer.layers.events.inserted, self._guess)
        follow(self, viewer.layers.events.removed, self._guess)
        self._guess()

    def _build(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        self.prediction = LayerCombo(self._viewer, _layers.is_prediction, "no prediction yet")
        self.truth = LayerCombo(self._viewer, _layers.is_input, "no truth chosen")
        for row, (text, field) in enumerate((("Prediction", self.prediction), ("Truth", self.truth))):
            label = QLabel(text)
            field.setAccessibleName(text)
            grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1)
        self.numbers = Numbers()
        self.profile = Profile()
        self.profile.clicked.connect(self._jump)
        self.problem = words()
        self.side_by_side = QPushButton("&Side by side")
        self.side_by_side.setCheckable(True)
        self.side_by_side.setToolTip("Transmitted light, truth and prediction beside each other (Alt+S)")
        self.side_by_side.toggled.connect(self._show_side_by_side)
        self._sides = SideBySide(self._viewer)
        self.disclaimer = words()
        self.caption = words(CAPTION, quiet=True)
        for widget in (
            self.numbers,
            self.profile,
            self.problem,
            self.side_by_side,
            self.disclaimer,
            self.caption,
        ):
            grid.addWidget(widget, grid.rowCount(), 0, 1, 2)

    # ------------------------------------------------------------------ choosing

    def _guess(self, event: object = None) -> None:
        if self.prediction.layer is None:
            newest = next((layer for layer in reversed(self._viewer.layers) if _layers.is_prediction(layer)), None)
            self.prediction.choose(newest)
        elif self.truth.layer is None:
            self._guess_truth()
        self._later()

    def _prediction_picked(self) -> None:
        self._guess_truth()
        self._later()

    def _guess_truth(self) -> None:
        """The layer of the same field that shows, by its role, what was predicted."""
        prediction = self.prediction.layer
        role = _ROLES.get(_layers.facts_of(prediction).get("target", ""))
        if prediction is None or role is None:
            return
        current = self.truth.layer
        if current is not None and _layers.role_of(current)[0] is role:
            return
        found = (
            layer
            for layer in reversed(self._viewer.layers)
            if _layers.is_input(layer)
            and getattr(layer.data, "shape", None) == prediction.data.shape
            and _layers.role_of(layer)[0] is role
        )
        self.truth.choose(next(found, None))

    # ------------------------------------------------------------------ numbers

    def _later(self, event: object = None) -> None:
        self._follow_prediction()
        self._soon.start()

    def update_numbers(self) -> None:
        """Compute what is shown anew: this plane always, the stack where it is another one."""
        prediction, truth = self.prediction.layer, self.truth.layer
        self.disclaimer.setText(str(prediction.metadata.get("disclaimer", "")) if prediction else "")
        self.disclaimer.setVisible(bool(self.disclaimer.text()))
        problem = _problem(prediction, truth)
        self.side_by_side.setEnabled(prediction is not None and truth is not None)
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self.numbers.setVisible(not problem)
        self.profile.setVisible(not problem and self.stack is not None)
        if problem or not isinstance(prediction, Image) or not isinstance(truth, Image):
            self._forget()
            return
        plane, stack = plane_index(self._viewer, prediction), stack_index(self._viewer, prediction)
        if plane is None:
            self.numbers.set_plane(None)
        else:
            self._plane_job.start(comparing_planes(prediction.data, truth.data, plane))
        key = (prediction, truth, stack, _layers.facts_of(prediction).get("complete"))
        if key != self._stack_of:
            self._stack_of = key
            self.stack = None
            self.numbers.set_stack(None)
            if _layers.facts_of(prediction).get("complete", True):
                self._stack_job.start(comparing_stacks(prediction.data, truth.data, stack))
        self.profile.set_current(plane[stack_axis(prediction.data.shape)] if plane else None)
        self.changed.emit()

    def _forget(self) -> None:
        self._stack_of, self.stack = (), None
        self._plane_job.reset()
        self._stack_job.reset()
        self.profile.setVisible(False)
        self.changed.emit()

    def _show_plane(self, scores: Agreement) -> None:
        self.numbers.set_plane(scores)

    def _show_stack(self, scores: StackAgreement) -> None:
        self.stack = scores
        self.numbers.set_stack(scores)
        self.profile.set_values(scores.profile)
        self.profile.setVisible(len(scores.profile) > 2)
        self.changed.emit()

    def _show_failure(self, failure: Failure) -> None:
        self.problem.setText(f"{failure.what} {failure.fix}")
        self.problem.setVisible(True)

    def _follow_prediction(self) -> None:
        """While a prediction is being painted, its numbers follow."""
        layer = self.prediction.layer
        if layer != self._followed:
            if self._followed is not None:
                self._followed.events.set_data.disconnect(self._repainted)
            self._followed = layer
            if layer is not None:
                layer.events.set_data.connect(self._repainted)

    def _repainted(self, event: object = None) -> None:
        if not self._soon.isActive() and self._plane_job.state is not JobState.PREPARING:
            self._soon.start()

    # ------------------------------------------------------------------ viewing

    def _show_side_by_side(self, on: bool) -> None:
        self.side_by_side.setText("Over&lay again" if on else "&Side by side")
        if not on:
            self._sides.leave()
            return
        name = _layers.facts_of(self.prediction.layer).get("input_layer")
        source = self._viewer.layers[name] if name in self._viewer.layers else None
        self._sides.enter([layer for layer in (source, self.truth.layer, self.prediction.layer) if layer is not None])

    def _jump(self, plane: int) -> None:
        """Go to a plane of the stack."""
        prediction = self.prediction.layer
        if prediction is None:
            return
        axis = self._viewer.dims.ndim - prediction.ndim + stack_axis(prediction.data.shape)
        if axis not in self._viewer.dims.displayed:
            self._viewer.dims.set_current_step(axis, plane)


class CompareWidget(QWidget):
    """The compare step as a dock widget of its own."""

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        box = QVBoxLayout(self)
        box.setContentsMargins(8, 8, 8, 8)
        self.panel = ComparePanel(napari_viewer)
        box.addWidget(self.panel)
        box.addStretch(1)
        self._viewer = napari_viewer
        follow(self, napari_viewer.events.theme, self._restyle)
        self._restyle()

    def _restyle(self, event: object = None) -> None:
        self.setStyleSheet(style_sheet(str(self._viewer.theme)))


def _problem(prediction: Layer | None, truth: Layer | None) -> str:
    if prediction is None:
        return "Predict first, then compare."
    if truth is None:
        return "Choose the layer with the real fluorescence as truth."
    a, b = prediction.data.shape, getattr(truth.data, "shape", ())
    if a != b:
        sizes = [" × ".join(map(str, shape)) for shape in (a, b)]
        return f"The prediction is {sizes[0]}, the truth {sizes[1]}: only images of the same field can be compared."
    return ""
