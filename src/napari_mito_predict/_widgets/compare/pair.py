"""What is compared: a prediction, its truth, and a region drawn by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image, Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QToolButton, QWidget
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common import image_layers
from napari_mito_predict._widgets.common.controls import LayerCombo
from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.image_layers import values_of
from napari_mito_predict._widgets.common.layouts import form
from napari_mito_predict._widgets.common.placement import moved, sampled_otherwise, turned
from napari_mito_predict._widgets.common.recognition import Recogniser
from napari_mito_predict._widgets.common.viewport import letters_of
from napari_mito_predict._widgets.compare.region import draw_in
from napari_mito_predict.image import ChannelRole

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_ROLES = {"mitochondria": ChannelRole.MITOCHONDRIA, "dna": ChannelRole.DNA}
_DRAW_TIP = "Drag rectangles over the image; more shapes are among the tools of the Shapes layer"
_TIP = "A Shapes layer: the numbers are given for its polygons, rectangles and ellipses too, in every plane"


class Pair(QWidget):
    """Three lists of layers; the newest prediction and its truth are chosen where nothing is.

    The button to draw a region is made here; whoever shows this finds a place for it.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.prediction = LayerCombo(viewer, image_layers.is_prediction, "no prediction yet")
        self.predicted_truth = QCheckBox("Compare with another prediction")
        self.predicted_truth.setToolTip("Offer predictions as truth: the numbers then tell how alike two of them are")
        self.truth = LayerCombo(viewer, self._may_be_truth, "no truth chosen")
        self.predicted_truth.toggled.connect(self._predictions_allowed)
        self.region = LayerCombo(viewer, lambda layer: isinstance(layer, Shapes), "none")
        self.region.setToolTip(_TIP)
        rows = form()
        rows.setVerticalSpacing(2)  # four steps share the height of a small screen
        self.setLayout(rows)
        for text, field in (("Prediction", self.prediction), ("Truth", self.truth), ("Region", self.region)):
            field.setAccessibleName(text)
            label = QLabel(text)
            rows.addRow(label, field)
        self._region_row = (label, self.region)  # the last one
        rows.insertRow(2, self.predicted_truth)
        self.draw = QToolButton()
        self.draw.setText("Draw a region")
        self.draw.setToolTip(_DRAW_TIP)
        self.draw.clicked.connect(self.draw_region)
        self.draw.setMaximumHeight(self.region.sizeHint().height())
        self._show_region()
        self.prediction.picked.connect(self._prediction_picked)
        self.truth.picked.connect(self._show_question)
        self.truth.picked.connect(self.changed)
        self.region.picked.connect(self.changed)
        follow(self, viewer.layers.events.inserted, self.guess)
        follow(self, viewer.layers.events.removed, self.guess)
        self.recogniser = Recogniser(viewer, self)
        self.recogniser.recognised.connect(self._recognised)

    @property
    def images(self) -> tuple[Image, Image] | None:
        """Prediction and truth, where there are both."""
        prediction, truth = self.prediction.layer, self.truth.layer
        if isinstance(prediction, Image) and isinstance(truth, Image):
            return prediction, truth
        return None

    @property
    def light(self) -> Image | None:
        """The transmitted light that was predicted from, where it is still there."""
        facts = prediction_facts(self.prediction.layer)
        if facts is None or facts.input_layer not in self._viewer.layers:
            return None
        layer = self._viewer.layers[facts.input_layer]
        if isinstance(layer, Image):
            return layer
        return None

    @property
    def light_on_grid(self) -> Image | None:
        """`light`, where it lies on the grid of the prediction, so that it can be compared pixel by pixel."""
        light = self.light
        if light is None or _problem(self.prediction.layer, light):
            return None
        return light

    @property
    def problem(self) -> str:
        """Why these two cannot be compared; empty where they can."""
        return _problem(self.prediction.layer, self.truth.layer)

    @property
    def predicted_by(self) -> str:
        """The model that made the truth, where that is a prediction itself, as the user allowed; else empty."""
        facts = prediction_facts(self.truth.layer)
        if facts is None:
            return ""
        return facts.model or "an unknown model"

    def _may_be_truth(self, layer: Layer) -> bool:
        if image_layers.is_input(layer):
            return True
        return self.predicted_truth.isChecked() and layer != self.prediction.layer and image_layers.is_prediction(layer)

    def _predictions_allowed(self, allowed: bool) -> None:
        self.truth.refill()
        self._show_region()
        self.changed.emit()

    def _show_question(self) -> None:
        """Ask only where there is another prediction, and no recording is chosen."""
        others = [layer for layer in self._viewer.layers if image_layers.is_prediction(layer)]
        no_recording = self.truth.layer is None or bool(self.predicted_by)
        self.predicted_truth.setVisible(self.predicted_truth.isChecked() or (len(others) > 1 and no_recording))

    def guess(self, event: object = None) -> None:
        """Choose what is not chosen yet; tells once, however many lists are set."""
        with signals_blocked(self.prediction), signals_blocked(self.truth):
            if self.prediction.layer is None:
                self.prediction.choose(self._newest_prediction())
                self._guess_truth()
            elif self.truth.layer is None:
                self._guess_truth()
        self._show_region()
        self.changed.emit()

    def _recognised(self) -> None:
        """A layer that was taken for a recording is a prediction."""
        for layers in (self.prediction, self.truth):
            layers.refill()
        self.guess()

    def _newest_prediction(self) -> Layer | None:
        predictions = filter(image_layers.is_prediction, reversed(self._viewer.layers))
        return next(predictions, None)

    def draw_region(self) -> None:
        """Let the user drag rectangles in the chosen region, or in a new one."""
        prediction = self.prediction.layer
        if isinstance(prediction, Image):
            self.region.choose(draw_in(self._viewer, prediction, self.region.layer))
            self._show_region()

    def _show_region(self) -> None:
        """Where nothing is drawn there is no room for it."""
        for widget in self._region_row:
            widget.setVisible(self.region.count() > 1)
        self.draw.setEnabled(self.prediction.layer is not None)
        self._show_question()

    def _prediction_picked(self) -> None:
        with signals_blocked(self.truth):
            self.truth.refill()
            self._guess_truth()
        self._show_region()
        self.changed.emit()

    def _guess_truth(self) -> None:
        """The layer of the same field that shows, by its role, what was predicted."""
        prediction = self.prediction.layer
        facts = prediction_facts(prediction)
        if prediction is None or facts is None or facts.target not in _ROLES:
            return
        role = _ROLES[facts.target]
        file = facts.record.input.path
        current = self.truth.layer
        if self.predicted_by:
            return
        if current is not None and image_layers.role_of(current)[0] is role and _is_of(current, file):
            return
        shape = getattr(prediction.data, "shape", None)
        fitting = [
            layer
            for layer in reversed(self._viewer.layers)
            if image_layers.is_input(layer)
            and getattr(layer.data, "shape", None) == shape
            and image_layers.role_of(layer)[0] is role
            and _is_of(layer, file)
        ]
        self.truth.choose(next(iter(fitting), None))


def _is_of(layer: Layer, file: str | None) -> bool:
    """Whether a layer may show the file that was predicted from: not if it is known to show another one."""
    shown = image_layers.file_of(layer)
    return shown is None or file is None or str(shown) == file


def _problem(prediction: Layer | None, truth: Layer | None) -> str:
    if not isinstance(prediction, Image):
        return "Predict first, then compare."
    if not isinstance(truth, Image):
        return "Choose the layer with the real fluorescence as truth."
    predicted, real = tuple(values_of(prediction).shape), tuple(values_of(truth).shape)
    if predicted == real:
        letters = letters_of(prediction)
        return (
            _place_problem(truth, turned(prediction, truth, letters))
            or _voxel_size_problem(prediction, truth)
            or _place_problem(truth, moved(prediction, truth, letters))
        )
    sizes = f"The prediction is {_in_words(predicted)}, the truth {_in_words(real)}"
    if len(predicted) != len(real):
        return f"{sizes}: a plane cannot be compared with a stack. Choose a truth with the same planes."
    return f"{sizes}: only images of the same field can be compared."


def _in_words(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _voxel_size_problem(prediction: Image, truth: Image) -> str:
    sizes = sampled_otherwise(prediction, truth, letters_of(prediction))
    if not sizes:
        return ""
    return (
        f"Prediction and truth have different voxel sizes ({sizes}): they show different regions, or one size is "
        "wrong. Choose the truth of this field, or correct the scale of its layer."
    )


def _place_problem(truth: Image, found: str) -> str:
    """Layers are compared pixel by pixel, so that these have to lie at the same place."""
    if not found:
        return ""
    return (
        f"'{truth.name}' is not on the grid of the prediction: {found}. Choose the truth of this field, or give both "
        "layers the same place."
    )
