"""Three ways to see a prediction and its truth together; one at a time, and all as it was when switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_mito_predict._widgets.common.controls import FailurePanel
from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.image_layers import values_of
from napari_mito_predict._widgets.common.layouts import column
from napari_mito_predict._widgets.common.viewport import stack_index
from napari_mito_predict._widgets.common.worker import Job
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.compare.layers import (
    LARGEST_DIFFERENCE,
    Matched,
    OwnLayers,
    Residual,
    difference_of,
    matching,
    overlay_of,
    subtracting,
)
from napari_mito_predict._widgets.compare.side_by_side import SideBySide

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer


class Views(QWidget):
    """Side by side, overlay, difference: three buttons that stay pressed, at most one of them."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._pair: tuple[Image, Image] | None = None
        self._light: Layer | None = None
        self._sides = SideBySide(viewer)
        self._own = OwnLayers(viewer)
        self._residual: Residual | None = None
        self._job = Job(self)
        self._job.yielded.connect(self._computed)
        self._job.failed.connect(self._failed)
        self._build()
        follow(self, viewer.layers.events.removed, self._layer_removed)
        follow(self, viewer.dims.events.ndisplay, self._dimensions_changed)

    def _build(self) -> None:
        self.side_by_side = self._button(
            "&Side by side", "Transmitted light, truth and prediction beside each other (Alt+S)", self._show_sides
        )
        self.overlay = self._button(
            "Overla&y",
            "Prediction magenta over truth green, each between its 0.1 and 99.9 percentiles over the stack: white "
            "where they agree (Alt+Y)",
            self._show_overlay,
        )
        self.difference = self._button(
            "&Difference",
            "Prediction minus truth, after a least-squares fit, in standard deviations of the truth: magenta is too "
            "much, green was missed (Alt+D)",
            self._show_difference,
        )
        self.buttons = (self.side_by_side, self.overlay, self.difference)
        self.line = Wrapped(quiet=True)
        self.line.hide()
        self.failure = FailurePanel()
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in self.buttons:
            row.addWidget(button, 1)
        box = column()
        self.setLayout(box)
        box.addLayout(row)
        box.addWidget(self.line)
        box.addWidget(self.failure)

    def _button(self, text: str, tip: str, show: Any) -> QPushButton:
        button = QPushButton(text)
        button.setCheckable(True)
        button.setToolTip(tip)
        button.toggled.connect(lambda on: self._switch(button, show, on))
        return button

    def set_pair(self, pair: tuple[Image, Image] | None, light: Layer | None, *, complete: bool) -> None:
        """What is shown: prediction and truth, and the transmitted light it was predicted from."""
        self._light = light
        if pair != self._pair:
            self.leave()
            self._pair = pair
        self.side_by_side.setEnabled(pair is not None)
        for button in (self.overlay, self.difference):
            button.setEnabled(pair is not None and complete)

    def leave(self) -> None:
        """Switch all off."""
        for button in self.buttons:
            button.setChecked(False)

    # ------------------------------------------------------------------ switching

    def _switch(self, button: QPushButton, show: Any, on: bool) -> None:
        self.failure.show_failure(None)
        if on:
            for other in self.buttons:
                if other is not button:
                    other.setChecked(False)
        show(on)

    def _show_sides(self, on: bool) -> None:
        if not on:
            self._sides.leave()
        elif self._pair is not None:
            prediction, truth = self._pair
            self._sides.enter([layer for layer in (self._light, truth, prediction) if layer is not None])

    def _show_overlay(self, on: bool) -> None:
        if self._pair is None or not on:
            self._take_away()
            return
        prediction, truth = self._pair
        self.line.say("Matching the contrast…")
        index = stack_index(self._viewer, prediction)
        self._job.start(matching(values_of(prediction), values_of(truth), index))

    def _show_difference(self, on: bool) -> None:
        if self._pair is None or not on:
            self._take_away()
            return
        prediction, truth = (values_of(layer) for layer in self._pair)
        size = prediction.size * 4
        if size > LARGEST_DIFFERENCE:
            self.difference.setChecked(False)
            self.line.say(
                f"The difference of a series this long would need {size / 1e9:.1f} GB: too much for one layer."
            )
            return
        self.line.say("Computing the difference…")
        self._job.start(subtracting(prediction, truth))

    # ------------------------------------------------------------------ own layers

    def _computed(self, found: object) -> None:
        if self._pair is None:
            return
        prediction, truth = self._pair
        self.line.say("")
        if isinstance(found, Matched) and self.overlay.isChecked():
            self._own.show(overlay_of(prediction, truth, found), alone=True)
            self.line.say("Prediction magenta, truth green, white where they agree.")
        elif isinstance(found, Residual) and self.difference.isChecked():
            self._residual = found
            self._show_residual(found)
            self.line.say(
                f"Magenta: too much, green: missed. Up to ±{found.limit:.1f} standard deviations of the truth."
            )

    def _show_residual(self, residual: Residual) -> None:
        if self._pair is not None:
            in_3d = self._viewer.dims.ndisplay == 3
            self._own.show(difference_of(*self._pair, residual, in_3d=in_3d), alone=in_3d)

    def _dimensions_changed(self, event: object = None) -> None:
        """A difference looks otherwise in a volume than in a plane."""
        if self._residual is not None:
            residual = self._residual
            self._own.leave()
            self._show_residual(residual)

    def _failed(self, failure: Any) -> None:
        self.leave()
        self.failure.show_failure(failure)

    def _take_away(self) -> None:
        self._job.reset()
        self._residual = None
        self._own.leave()
        self.line.say("")

    def _layer_removed(self, event: object = None) -> None:
        """One of ours was removed by hand: take away the rest too."""
        if not self._own.complete:
            self.leave()
