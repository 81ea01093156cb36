"""Compare a prediction with the truth: scores of plane, stack and region, three ways to look, report and methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Shapes
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget
from superqt.utils import QSignalDebouncer, QSignalThrottler

from napari_mito_predict._widgets.common.facts import PredictionFacts, prediction_facts
from napari_mito_predict._widgets.common.following import PLACE, LayerFollower, follow
from napari_mito_predict._widgets.common.image_layers import values_of
from napari_mito_predict._widgets.common.layouts import column
from napari_mito_predict._widgets.common.light_words import red_reason
from napari_mito_predict._widgets.common.placement import to_data, to_world
from napari_mito_predict._widgets.common.viewport import along_z, is_series, plane_index, stack_axis
from napari_mito_predict._widgets.common.wrapped import WarningLine, Wrapped
from napari_mito_predict._widgets.compare.pair import Pair
from napari_mito_predict._widgets.compare.region import Region, region_of
from napari_mito_predict._widgets.compare.report import ReportRow
from napari_mito_predict._widgets.compare.score_table import Numbers, Profile
from napari_mito_predict._widgets.compare.text import (
    CAPTION,
    SHIFT_TIP,
    baseline_tip,
    baseline_words,
    coverage,
    methods_text,
    predicted_truth_words,
    shift_words,
)
from napari_mito_predict._widgets.compare.views import Views
from napari_mito_predict._widgets.compare.work import Comparing

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer

    from napari_mito_predict._widgets.compare.scores import StackAgreement

_UPDATE_MS = 5
"""A burst of events, such as several layers added at once, is answered by one update."""
_EDITED_MS = 200
"""Shapes are left alone for this long before they are scored: not while something is being dragged."""
_SHAPE_EVENTS = ("data", "set_data", "scale", "translate", "rotate", "shear", "affine")
_NOT_BELIEVED = "Red light: this prediction is not to be believed."
_PLANES, _TIME = "PCC over the planes", "PCC over time"


class ComparePanel(QWidget):
    """Choose a prediction and its truth; the numbers follow the sliders and the shapes of the region."""

    changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._region: Region | None = None
        self._of_prediction = LayerFollower(self, ("data", "name", *PLACE))
        self._of_truth = LayerFollower(self, ("data", "name", *PLACE))
        self._of_light = LayerFollower(self, ("data", *PLACE))
        self._repaints = {name: LayerFollower(self, ("set_data",)) for name in ("prediction", "truth")}
        self._followed_shapes: Layer | None = None
        self.comparing = Comparing(viewer, self)
        self._build()
        self._pair_problem = self.pair.problem
        # Throttled, not debounced: else numbers would wait for a slider to stand still.
        self._updates = QSignalThrottler(QSignalThrottler.EmissionPolicy.Trailing, parent=self)
        self._updates.setTimeout(_UPDATE_MS)
        self._updates.triggered.connect(self.update_numbers)
        self._edits = QSignalDebouncer(parent=self)
        self._edits.setTimeout(_EDITED_MS)
        self._edits.triggered.connect(self._shapes_edited)
        self._pixel_checks = QSignalDebouncer(parent=self)
        self._pixel_checks.setTimeout(_EDITED_MS)
        self._pixel_checks.triggered.connect(self.comparing.check_pixels)
        for follower in (self._of_prediction, self._of_truth, self._of_light):
            follower.changed.connect(self._layer_changed)
        for follower in self._repaints.values():
            follower.changed.connect(self._repainted)
        self.comparing.pixels_changed.connect(self._layer_changed)
        self.pair.changed.connect(self._update_soon)
        self.comparing.changed.connect(self._show)
        follow(self, viewer.dims.events.current_step, self._stepped)
        for emitter in (viewer.dims.events.ndisplay, viewer.dims.events.order):
            follow(self, emitter, self._update_soon)
        self.pair.guess()

    def _build(self) -> None:
        box = column()
        self.setLayout(box)
        self.pair = Pair(self._viewer)
        self.prediction = self.pair.prediction
        self.truth = self.pair.truth
        self.region = self.pair.region
        self.numbers = Numbers()
        self.baselines = Wrapped(quiet=True)
        self.profile, self.over_time = Profile(_PLANES), Profile(_TIME)
        self.profile.clicked.connect(self._jump)
        self.over_time.clicked.connect(lambda t: self._set_slider(0, t))
        self.problem = Wrapped()
        self.warning = WarningLine()
        self.warning.setToolTip(SHIFT_TIP)
        self.views = Views(self._viewer)
        self.side_by_side = self.views.buttons[0]
        self.overlay = self.views.buttons[1]
        self.difference = self.views.buttons[2]
        self.reports = ReportRow()
        self.reports.methods_pressed.connect(self._copy_methods)
        self.doubt = WarningLine()
        self.disclaimer = Wrapped()
        self.caption = Wrapped(CAPTION, quiet=True)
        self.what = QToolButton()
        self.what.setText("Report")
        self.what.setAccessibleName("Report, methods text, and what the numbers cover")
        self.what.setCheckable(True)
        self.what.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.what.setArrowType(Qt.ArrowType.RightArrow)
        self.what.toggled.connect(self._unfold)
        self.coverage = Wrapped(quiet=True)
        caption = QHBoxLayout()
        caption.addWidget(self.caption, 1)
        tools = QVBoxLayout()
        tools.setSpacing(3)
        for tool in (self.what, self.pair.draw):
            tool.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            tools.addWidget(tool)
        caption.addLayout(tools)
        numbers: tuple[QWidget, ...] = (self.pair, self.numbers, self.baselines, self.profile, self.over_time)
        for widget in (*numbers, self.problem, self.warning, self.views, self.doubt, self.disclaimer):
            box.addWidget(widget)
        box.addLayout(caption)
        for folded in (self.reports, self.coverage):
            box.addWidget(folded)
            folded.hide()

    @property
    def stack(self) -> StackAgreement | None:
        """The numbers of the stack on screen, once they are known."""
        return self.comparing.stack

    @property
    def _scored(self) -> StackAgreement | None:
        """The numbers of the stack, where they mean something."""
        if self.stack is None or self.stack.problem:
            return None
        return self.stack

    # ------------------------------------------------------------------ following

    def _update_soon(self, event: object = None) -> None:
        self._updates.throttle()

    def _stepped(self, event: object = None) -> None:
        """A slider moved: the worker starts at once, to compare while napari draws the plane."""
        self._updates.cancel()  # drawing the new plane asked for an update
        self.update_numbers()

    def _follow_layers(self) -> None:
        """While layers are painted, moved or replaced, the numbers follow."""
        for name, layer in (("prediction", self.prediction.layer), ("truth", self.truth.layer)):
            self._repaints[name].follow(layer)
        self._of_prediction.follow(self.prediction.layer)
        self._of_truth.follow(self.truth.layer)
        self._of_light.follow(self.pair.light)

    def _layer_changed(self) -> None:
        """Other pixels, or another place: what lies over the layers shows the old ones."""
        self.views.leave()
        self.update_numbers()

    def _repainted(self) -> None:
        """New pixels, or only another plane."""
        self._pixel_checks.throttle()
        if not self.comparing.plane_is_late:
            self._updates.throttle()

    def _follow_shapes(self) -> None:
        """While the region is being drawn, its numbers follow."""
        layer = self.region.layer
        if layer != self._followed_shapes:
            for name in _SHAPE_EVENTS:
                if self._followed_shapes is not None:
                    getattr(self._followed_shapes.events, name).disconnect(self._shapes_changed)
                if layer is not None:
                    getattr(layer.events, name).connect(self._shapes_changed)
            self._followed_shapes = layer

    def _shapes_changed(self, event: object = None) -> None:
        self._edits.throttle()  # the wait begins anew with every change

    def _shapes_edited(self) -> None:
        if self._current_region() is not self._region:
            self.update_numbers()

    def _current_region(self) -> Region | None:
        """The region as it is now; the same object, with its mask, as long as nothing changed."""
        shapes, pair = self.region.layer, self.pair.images
        if not isinstance(shapes, Shapes) or pair is None:
            return None
        region = region_of(shapes, pair[0], self._viewer)
        if self._region is not None and self._region.key == region.key:
            return self._region
        return region

    # ------------------------------------------------------------------ numbers

    def update_numbers(self) -> None:
        """Compute what is shown anew: this plane always, the rest where it is another one."""
        self._follow_layers()
        self._follow_shapes()
        self._pair_problem = self.pair.problem
        pair = self._comparable
        if pair is None:
            self._region = None
            self.comparing.forget()
        else:
            self._region = self._current_region()
            facts = prediction_facts(pair[0])
            complete = facts is None or facts.complete
            self.views.set_pair(pair, self.pair.light, complete=complete)
            self.comparing.compare(*pair, self._drawn, self.pair.light_on_grid, complete=complete)
        self._show()

    @property
    def _comparable(self) -> tuple[Image, Image] | None:
        """Prediction and truth, where nothing spoke against comparing them when the numbers were last updated."""
        if self._pair_problem:
            return None
        return self.pair.images

    @property
    def _drawn(self) -> Region | None:
        """The region, if anything closed is drawn in it."""
        if self._region is None or not self._region.outlines:
            return None
        return self._region

    def _show(self) -> None:
        """Problems in words, numbers where there are any, and what they cover."""
        pair = self._comparable
        self._show_words()
        self._show_numbers(pair)
        self._show_profiles(pair)
        self._show_coverage(pair)
        if pair is None:
            self.views.set_pair(None, None, complete=False)
        if pair is None or self._scored is None:
            self.reports.set_pair(None)
        else:
            self.reports.set_pair((*pair, self.pair.light))
        self.changed.emit()

    def _show_words(self) -> None:
        """What has to be said of the prediction, what stands in the way of numbers, and a shift."""
        prediction, shift = self.prediction.layer, self.comparing.shift
        disclaimer = ""
        if prediction is not None:
            disclaimer = str(prediction.metadata.get("disclaimer", ""))
        if self.pair.predicted_by:
            disclaimer = f"{predicted_truth_words(self.pair.predicted_by)} {disclaimer}".strip()
        facts = prediction_facts(prediction)
        reason = "" if facts is None else red_reason(facts.light)
        self.doubt.say(_NOT_BELIEVED if reason else "")
        self.doubt.setToolTip(reason)
        self.disclaimer.say(disclaimer)
        self.problem.say(self._problem())
        warning = ""
        if shift is not None and shift.shifted:
            warning = shift_words(shift)
        self.warning.say(warning)

    def _show_numbers(self, pair: tuple[Image, Image] | None) -> None:
        found = self.comparing
        self.numbers.setVisible(pair is not None and not (found.stack and found.stack.problem))
        self.numbers.show_rows(stack=pair is not None and pair[0].ndim > 2, region=self._drawn is not None)
        if found.plane is None:
            self.numbers.set_plane(None)
        else:
            self.numbers.set_plane(found.plane.whole, found.plane.region)
        self.numbers.set_stack(found.stack)
        self.numbers.set_region_stack(found.region_stack)
        self.baselines.say(baseline_words(found.baselines, found.stack))
        self.baselines.setToolTip(baseline_tip(found.baselines))

    def _show_coverage(self, pair: tuple[Image, Image] | None) -> None:
        found = self.comparing
        plane = region = None
        if found.plane is not None:
            plane, region = found.plane.whole, found.plane.region
        series = pair is not None and is_series(values_of(pair[0]).shape)
        text = coverage(plane, found.stack, (region, found.region_stack), series=series)
        self.coverage.setText(text)
        self.what.setToolTip(f"Report, methods text, and what the numbers cover:\n{text}")

    def _problem(self) -> str:
        """All that stands in the way of numbers, a line each."""
        found = self.comparing
        plane = found.plane
        lines = [self._pair_problem, found.failure]
        if not self._pair_problem and self._region is not None and self._drawn is None:
            name = self.region.currentText()
            lines.append(f"'{name}' encloses nothing in this view: draw a polygon, rectangle or ellipse in it.")
        if found.stack is not None and found.stack.problem:
            lines.append(f"Nothing to compare: {found.stack.problem}.")
        elif plane is not None and plane.whole.problem:
            lines.append(f"This plane: {plane.whole.problem}.")
        elif plane is not None and plane.region is not None and plane.region.problem:
            lines.append(f"Region in this plane: {plane.region.problem}.")
        return "\n".join(line for line in lines if line)

    def _show_profiles(self, pair: tuple[Image, Image] | None) -> None:
        profile: tuple[float, ...] = ()
        if self._scored is not None:
            profile = self._scored.profile
        series = self.comparing.series
        self.profile.setVisible(len(profile) > 2)
        self.over_time.setVisible(len(series) > 1)
        if pair is None:
            return
        title = _TIME
        if along_z(pair[0]):
            title = _PLANES
        self.profile.set_title(title)
        self.profile.set_values(profile)
        self.over_time.set_values(series)
        plane, axis = plane_index(self._viewer, pair[0]), stack_axis(values_of(pair[0]).shape)
        step = time_point = None
        if plane:
            time_point = plane[0]
            if axis >= 0:
                step = plane[axis]
        self.profile.set_current(step)
        self.over_time.set_current(time_point)

    def _unfold(self, on: bool) -> None:
        arrow = Qt.ArrowType.RightArrow
        if on:
            arrow = Qt.ArrowType.DownArrow
        self.what.setArrowType(arrow)
        for widget in (self.reports, self.coverage):
            widget.setVisible(on)

    # ------------------------------------------------------------------ methods text

    def _copy_methods(self) -> None:
        pair, stack = self._comparable, self._scored
        if pair is None or stack is None:
            return
        planes = ""
        if len(stack.profile) > 1:
            unit = "time points"
            if along_z(pair[0]):
                unit = "Z steps"
            planes = f"{len(stack.profile)} {unit}"
        facts = prediction_facts(pair[0]) or PredictionFacts()
        text = methods_text(
            facts.record,
            pair[1].name,
            stack,
            planes=planes,
            region=self.comparing.region_stack,
            shift=self.comparing.shift,
            baselines=self.comparing.baselines,
            truth_predicted_by=self.pair.predicted_by,
            disclaimer=str(pair[0].metadata.get("disclaimer", "")),
        )
        self.reports.copy(text)

    # ------------------------------------------------------------------ jumping

    def _jump(self, plane: int) -> None:
        """Go to a plane of the stack."""
        if self.prediction.layer is not None:
            self._set_slider(stack_axis(self.prediction.layer.data.shape), plane)

    def _set_slider(self, axis: int, step: int) -> None:
        """Set a slider, given as an axis of the prediction."""
        prediction = self.prediction.layer
        if prediction is None:
            return
        slider = axis + self._viewer.dims.ndim - prediction.ndim
        if slider not in self._viewer.dims.displayed:
            # Not the step of the slider: another layer may have finer ones.
            place = to_data(self._viewer, prediction, self._viewer.dims.point)
            place[axis] = step
            self._viewer.dims.set_point(slider, to_world(self._viewer, prediction, place)[axis])
