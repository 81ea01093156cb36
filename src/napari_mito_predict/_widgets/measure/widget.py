"""The dock widget "Measure": layers, how objects are found in them, and what they measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

from napari_mito_predict._widgets.common.docks import MEASURE
from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.placement import to_data, to_world
from napari_mito_predict._widgets.common.settings import use_models_folder
from napari_mito_predict._widgets.common.steps import stack_steps
from napari_mito_predict._widgets.common.style import style_sheet
from napari_mito_predict._widgets.common.worker import Job, JobState
from napari_mito_predict._widgets.measure.event_layer import objects_of, plane_of
from napari_mito_predict._widgets.measure.layers_step import LayersStep
from napari_mito_predict._widgets.measure.preview import Preview
from napari_mito_predict._widgets.measure.result_layers import ResultLayers
from napari_mito_predict._widgets.measure.results_step import ResultsStep
from napari_mito_predict._widgets.measure.rows import Numbers
from napari_mito_predict._widgets.measure.run_step import RunStep
from napari_mito_predict._widgets.measure.settings_step import AROUND_NOTE, SettingsStep
from napari_mito_predict._widgets.measure.work import (
    Found,
    Watched,
    measuring,
    preparing,
    writing_report,
    writing_tables,
)
from napari_mito_predict.measurement.measures import Structure

if TYPE_CHECKING:
    import pandas as pd
    from napari.viewer import Viewer

    from napari_mito_predict._widgets.measure.field import Field
    from napari_mito_predict._widgets.measure.preview import Outlines
    from napari_mito_predict._widgets.measure.series_row import Following
    from napari_mito_predict.measurement import MeasureSettings


@dataclass(frozen=True)
class _Request:
    """What is to be measured, and how."""

    field: Field
    settings: MeasureSettings
    following: Following | None


class MeasureWidget(QWidget):
    """One dock: choose layers, see what is found, measure it.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer it belongs to.
    """

    dock_name = MEASURE

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        use_models_folder()
        self.viewer = napari_viewer
        self.layers = LayersStep(napari_viewer)
        self.settings = SettingsStep()
        self.run = RunStep()
        self.results = ResultsStep()
        self.preview = Preview(napari_viewer, self)
        self.result_layers = ResultLayers(napari_viewer, self)
        self.job = Job(self, "Mito Predict: measuring")
        self._saving = Job(self)
        self._preparing = Job(self)
        self._asked: _Request | None = None
        """What is measured now."""
        self._measured: _Request | None = None
        """What the numbers are of."""
        self._found: Found | None = None
        stack_steps(self, (self.layers, self.settings, self.run, self.results))
        self._connect()
        follow(self, napari_viewer.events.theme, self._restyle)
        self._restyle()
        self._changed()

    def _connect(self) -> None:
        self.layers.changed.connect(self._changed)
        self.settings.changed.connect(self._settings_changed)
        self.preview.dismissed.connect(lambda: self.settings.live.setChecked(False))
        self.preview.found.connect(self._say_found)
        self.preview.failed.connect(lambda failure: self.settings.say_found(failure.what))
        self.run.start_pressed.connect(self.start)
        self.run.cancel_pressed.connect(self.job.cancel)
        self.run.series.changed.connect(self._say_state)
        self.job.yielded.connect(self._receive)
        self.job.failed.connect(self.run.show_failure)
        self.job.state_changed.connect(self._job_changed)
        self.results.selected.connect(self.result_layers.select)
        self.results.time_chosen.connect(self._go_to)
        self.results.event_chosen.connect(self._show_event)
        self.results.save_pressed.connect(self.save_tables)
        self.results.report_pressed.connect(self.save_report)
        self.result_layers.picked.connect(self.results.show_object)
        self.result_layers.event_picked.connect(self._show_event)
        self._saving.yielded.connect(self.results.show_saved)
        self._saving.failed.connect(self.run.show_failure)
        dims = self.viewer.dims.events
        follow(self, dims.current_step, self._stepped)
        for emitter in (dims.ndisplay, dims.order):
            follow(self, emitter, self._stepped)

    def event(self, event: QEvent | None) -> bool:
        """End what is under way when napari takes this out of its dock: that is all its x does."""
        handled = super().event(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.job.reset()
            self._preparing.reset()
            self.preview.leave()
        return handled

    # ------------------------------------------------------------------ choosing

    def _changed(self) -> None:
        """Other layers, or another place of them."""
        self.settings.show_field(self.layers.field)
        self.run.series.show_field(self.layers.field)
        if self.layers.field is not None and self._preparing.state is JobState.IDLE:
            self._preparing.start(preparing())
        self._settings_changed()

    def _settings_changed(self) -> None:
        self._say_state()
        self._show_outlines()

    def _say_state(self) -> None:
        self.run.show_missing(self.layers.missing)
        self.run.show_measured(measured=self._found is not None, outdated=self._is_outdated)

    def _show_outlines(self) -> None:
        field = self.layers.field
        structure = self.settings.shown
        if field is None or structure is None or not self.settings.live.isChecked() or self.job.state.busy:
            self._hide_outlines()
        else:
            self.preview.show(field, structure, self.settings.settings)

    def _hide_outlines(self) -> None:
        self.preview.leave()
        self.settings.say_found("")

    @property
    def _is_outdated(self) -> bool:
        """Whether something was changed since it was measured."""
        return self._found is not None and self._measured != self._request

    @property
    def _request(self) -> _Request | None:
        """What is chosen; None without layers."""
        field = self.layers.field
        return None if field is None else _Request(field, self.settings.settings, self.run.series.following)

    def _say_found(self, outlines: Outlines) -> None:
        note = "" if outlines.is_final else f" {AROUND_NOTE}"
        self.settings.say_found(f"{outlines.count} in this plane.{note}")

    # ------------------------------------------------------------------ measuring

    def start(self) -> None:
        """Measure the whole image."""
        asked = self._request
        if asked is None or self.job.state.busy:
            return
        self._asked = asked
        watched = Watched(asked.field.sizes["T"])
        self.run.watch(watched)
        sources = asked.field.sources(self.viewer)
        self.job.start(measuring(sources, asked.settings, asked.following, watched))

    def _receive(self, found: object) -> None:
        if not isinstance(found, Found) or self._asked is None:
            return
        self._found = found
        self._measured = self._asked
        field = self._asked.field
        self.result_layers.show(field, found)
        numbers = Numbers(found, field.dimensions, field.voxels.unit)
        self.results.show_numbers(numbers, found.measurements.findings, field.time_on_screen(self.viewer))

    def _job_changed(self, state: JobState) -> None:
        """While it measures, and beside what it found, there are no outlines until a setting is changed."""
        self.run.show_state(state)
        self._say_state()
        if state.busy or state is JobState.DONE:
            self._hide_outlines()
        else:
            self._show_outlines()

    def save_tables(self, path: Path) -> None:
        """Write all numbers as CSV files."""
        if self._found is not None:
            self._saving.start(writing_tables(self._found.measurements, path))

    def save_report(self, path: Path) -> None:
        """Write what was measured as a page."""
        if self._found is not None:
            self._saving.start(writing_report(self._found.measurements, path))

    # ------------------------------------------------------------------ following

    def _stepped(self, event: Any = None) -> None:
        """A slider moved."""
        self.preview.follow_slider()
        field = self._measured_field
        if field is not None:
            self.results.show_time(field.time_on_screen(self.viewer))

    @property
    def _measured_field(self) -> Field | None:
        """What the numbers are of, where its layer is still there."""
        if self._measured is None or self._measured.field.first not in self.viewer.layers:
            return None
        return self._measured.field

    def _go_to(self, t: int, z: float | None = None) -> None:
        """Set the slider of time, and where a plane is given that of planes."""
        field = self._measured_field
        if field is None:
            return
        place = to_data(self.viewer, field.first, self.viewer.dims.point)
        steps = {"T": t} if z is None else {"T": t, "Z": z}
        axes = {field.axes.index(axis): step for axis, step in steps.items() if axis in field.axes}
        for axis, step in axes.items():
            place[axis] = step
        world = to_world(self.viewer, field.first, place)
        for axis in axes:
            self.viewer.dims.set_point(axis + self.viewer.dims.ndim - field.first.ndim, world[axis])

    def _show_event(self, event: pd.Series) -> None:
        """Go to a fission or fusion, mark the objects that take part, and say what it is."""
        field = self._measured_field
        if field is None or self._found is None:
            return
        self.results.show_event(event)
        self._go_to(int(event["t"]), plane_of(event, field))
        mitochondria = Structure.MITOCHONDRIA
        self.result_layers.select(mitochondria, objects_of(event, self._found.added[mitochondria]))

    def _restyle(self, event: object = None) -> None:
        theme = str(self.viewer.theme)
        self.setStyleSheet(style_sheet(theme))
        self.results.restyle(theme)
