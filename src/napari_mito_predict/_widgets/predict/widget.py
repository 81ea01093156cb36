"""The dock widget "Mito Predict": image, models, predict, compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QWidget
from superqt.utils import QSignalDebouncer

from napari_mito_predict._widgets.common.docks import FINE_TUNE, MANY_IMAGES, MODELS, PREDICT, open_dock
from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.settings import use_models_folder
from napari_mito_predict._widgets.common.steps import stack_steps
from napari_mito_predict._widgets.common.style import style_sheet
from napari_mito_predict._widgets.common.viewport import viewport_of
from napari_mito_predict._widgets.common.worker import Failure, Job, JobState
from napari_mito_predict._widgets.predict.compare_step import CompareStep
from napari_mito_predict._widgets.predict.image_step import ImageStep
from napari_mito_predict._widgets.predict.model_cache import ModelCache
from napari_mito_predict._widgets.predict.models_step import ModelsStep
from napari_mito_predict._widgets.predict.output_layers import Grid, Run
from napari_mito_predict._widgets.predict.planning import Planned, Request, planning
from napari_mito_predict._widgets.predict.predict_step import PredictStep
from napari_mito_predict._widgets.predict.preview import PreviewHere
from napari_mito_predict._widgets.predict.preview_layers import Aim
from napari_mito_predict._widgets.predict.saving import IfTaken, Taken
from napari_mito_predict._widgets.predict.work import Finished, Live, Started, predicting
from napari_mito_predict.image import Level

if TYPE_CHECKING:
    from pathlib import Path

    from napari.viewer import Viewer

    from napari_mito_predict._widgets.predict.choosing import Input
    from napari_mito_predict._widgets.predict.compare_step import ComparePanel
    from napari_mito_predict.prediction.viewport import Viewport

_MILLISECONDS_BETWEEN_REFRESHES = 200
_PLAN_SOON_MS = 100
"""Choices often come several at a time: plan once, after the last."""
_SEE_MODELS = "see the notes under Models"


class PredictWidget(QWidget):
    """One dock: open an image, choose models, predict, compare.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer it belongs to.
    make_compare_panel : callable
        Makes the inside of the last step, which belongs to another dock.
    """

    dock_name = PREDICT

    def __init__(
        self,
        napari_viewer: Viewer,
        make_compare_panel: Callable[[Viewer], ComparePanel],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        use_models_folder()
        self.viewer = napari_viewer
        self._cache = ModelCache()
        self.run: Run | None = None
        self._grid: Grid | None = None
        self._live: Live | None = None
        self._planned_for: Request | None = None
        self._shown: Planned | None = None
        self._planned_input: Input | None = None
        self._start_when_planned = False
        self._run_before: Run | None = None
        self.image = ImageStep(napari_viewer)
        self.models = ModelsStep()
        self.predict = PredictStep()
        self.compare = make_compare_panel(napari_viewer)
        self._compare_step = CompareStep(self.compare)
        self.planning = Job(self)
        self.job = Job(self, "Mito Predict: predicting")
        self.here = PreviewHere(napari_viewer, self._cache, self)
        self._refresh = QTimer(self)
        self._refresh.setInterval(_MILLISECONDS_BETWEEN_REFRESHES)
        self._refresh.timeout.connect(self._show_progress)
        self._planner = QSignalDebouncer(parent=self)
        self._planner.setTimeout(_PLAN_SOON_MS)
        self._build()
        self._connect()
        follow(self, napari_viewer.events.theme, self._restyle)
        self._restyle()
        self._image_changed()

    def _build(self) -> None:
        stack_steps(self, (self.image, self.models, self.predict, self._compare_step))
        self._compare_step.collapse(animate=False)

    def _connect(self) -> None:
        self.image.changed.connect(self._image_changed)
        self.image.many.clicked.connect(self.show_many_images)
        self.models.changed.connect(self._planner.throttle)
        self.models.fine_tune.clicked.connect(self.fine_tune)
        self.models.all_models.clicked.connect(self.show_models)
        self.predict.options_changed.connect(self._planner.throttle)
        self._planner.triggered.connect(self._plan)
        self.planning.yielded.connect(self._planned)
        self.planning.failed.connect(self._not_planned)
        self.predict.start_pressed.connect(self.start)
        self.predict.taken_answered.connect(self.start)
        self.predict.cancel_pressed.connect(self.job.cancel)
        self.predict.remove_pressed.connect(self.remove_run)
        self.predict.preview_toggled.connect(self.here.switch)
        self.here.described.connect(self.predict.show_preview)
        self.here.failed.connect(self.predict.show_failure)
        self.job.yielded.connect(self._work_yielded)
        self.job.failed.connect(self.predict.show_failure)
        self.job.state_changed.connect(self._job_changed)

    def event(self, event: QEvent | None) -> bool:
        """End what is under way when napari takes this out of its dock: that is all its x does."""
        handled = super().event(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._leave()
        return handled

    def _leave(self) -> None:
        self.planning.reset()
        self.here.switch(False)
        if self.job.state.busy:
            self.job.reset()  # its layers go: half a prediction would be taken for a whole one

    # ------------------------------------------------------------------ planning

    def _image_changed(self) -> None:
        self.models.suggest_for(self.image.input)
        self._planner.throttle()

    def _request(self) -> Request | None:
        chosen = self.image.input
        if chosen is None or not self.models.checked:
            return None
        return Request(
            chosen.source,
            chosen.channel,
            self.models.checked,
            chosen.voxel_size_um,
            device=self.predict.device.currentData(),
            precision=self.predict.precision.currentData(),
            tile=self.predict.tile_of(chosen.source),
            tta=self.predict.average.isChecked(),
            uncertainty=self.predict.wants_uncertainty,
            destination=self.predict.destination,
        )

    def _plan(self) -> None:
        request = self._request()
        chosen = self.image.input
        if self.job.state.busy or (request is not None and request == self._planned_for):
            return
        self._planned_for = request
        self._planned_input = chosen
        self._shown = None
        self.here.aim(None)
        if request is not None and chosen is not None:
            self.predict.show_plan(None)
            self.models.look(request.looked_at)
            self.planning.start(planning(request, self._cache, self._viewport(chosen)))
            return
        self.planning.reset()
        self.models.show_plan(None)
        missing = "choose an image first" if chosen is None else "choose a model first"
        self.predict.show_plan(None, missing)

    def _viewport(self, chosen: Input) -> Viewport:
        """What of the image is on screen."""
        return viewport_of(self.viewer, chosen.layer, chosen.grid.layer_axes)

    def _planned(self, planned: Planned) -> None:
        """Show a plan; it comes again with its lights, and with the time that predicting will take."""
        start = self._start_when_planned
        self._start_when_planned = False
        before = self._shown
        self._shown = planned
        self.models.show_plan(planned.plan)
        if any(finding.level is Level.ERROR for finding in planned.plan.findings):
            self.predict.show_plan(planned, _SEE_MODELS)
            return
        self.predict.show_plan(planned)
        chosen = self._planned_input
        if chosen is not None and before is None:
            self.here.aim(Aim(planned.plan, chosen.layer, chosen.grid.layer_axes))
        if start:
            self.start()

    def _not_planned(self, failure: Failure) -> None:
        self._start_when_planned = False
        self.models.show_plan(None, failure)
        self.predict.show_plan(None, _SEE_MODELS)

    # ------------------------------------------------------------------ predicting

    def start(self, if_taken: IfTaken = IfTaken.ASK) -> None:
        """Predict; pressed again while one runs, nothing happens.

        Parameters
        ----------
        if_taken : IfTaken
            What to do with the files of an earlier prediction.
        """
        self.image.refresh()
        request = self._request()
        if request is not None and request.destination is not None:
            request = replace(request, destination=replace(request.destination, if_taken=if_taken))
        chosen = self.image.input
        if request is None or chosen is None or self.job.state.busy:
            return
        self.predict.preview.setChecked(False)
        self._grid = chosen.grid
        self._run_before = self.run
        self.run = None
        planned = self._shown if request == self._planned_for else None
        self.job.start(predicting(request, planned, self._cache, self._viewport(chosen)))

    def refresh_models(self) -> None:
        """Read the list of models anew: one was trained, or changed under its name."""
        self._cache.clear()
        self.models.refresh()

    def choose_model(self, name: str) -> None:
        """Check only this model of the list; nothing is predicted yet."""
        self.refresh_models()
        self.models.choose(name)
        self.models.expand(animate=False)

    def use_model(self, path: Path, title: str) -> None:
        """Offer a model that is not in the list, check only that one, and predict with it as soon as it is planned."""
        self._cache.forget(str(path))  # a training may have replaced it
        self.models.offer(path, title)
        self._planned_for = None
        self._start_when_planned = self.image.input is not None
        self._planner.throttle()

    def fine_tune(self) -> None:
        """Open the fine-tune dock beside this one; the file that is open is the first field."""
        dock = open_dock(self.viewer, FINE_TUNE)
        chosen = self.image.input
        if chosen is not None and chosen.source.path is not None:
            dock.suggest_files([chosen.source.path])

    def show_models(self) -> None:
        """Open the dock of all models beside this one."""
        open_dock(self.viewer, MODELS)

    def show_many_images(self) -> None:
        """Open the dock for folders, plates and lists of files beside this one."""
        open_dock(self.viewer, MANY_IMAGES)

    def remove_run(self) -> None:
        """Undo the last run: take its layers away, and only those."""
        if self.run is not None:
            self.run.remove()
            self.run = None
        self.predict.set_has_run(False)

    def _work_yielded(self, message: object) -> None:
        if isinstance(message, Started) and self._grid is not None:
            self.run = Run(self.viewer, self._grid, message)
            self._live = message.live
            self._refresh.start()
            self.models.show_plan(message.plan)
            self.predict.set_has_run(True)
            self._compare_first()
        elif isinstance(message, Live):
            self._show_progress()
        elif isinstance(message, Taken):
            self.run = self._run_before
            self.predict.ask_about(message.files)
        elif isinstance(message, Finished):
            self._refresh.stop()
            self.models.show_plan(message.plan)
            self.predict.show_finished(message)
            shown_before = self.run is None or bool(self.run.layers)
            if self.run is not None:
                self.run.finish(message)
            if not shown_before:
                self._compare_first()
            self.compare.update_numbers()

    def _show_progress(self) -> None:
        """Show how far the worker is; after the first blocks five times a second, however fast it paints."""
        if self.run is not None and self._live is not None:
            self.predict.show_progress(self._live)
            self.run.refresh()

    def _job_changed(self, state: JobState) -> None:
        if not state.busy:
            self._refresh.stop()
            self._planner.throttle()
        if state in (JobState.IDLE, JobState.FAILED):
            self.remove_run()  # half a prediction would be taken for a whole one
        self.predict.show_state(state)

    # ------------------------------------------------------------------ comparing

    def _compare_first(self) -> None:
        if self.run is None or not self.run.layers:
            return
        self._compare_step.compare(self.run.layers[0])
        if any(combo.layer is not None for combo in self.image.truth.values()):
            self._compare_step.expand(animate=False)

    def _restyle(self, event: object = None) -> None:
        self.setStyleSheet(style_sheet(str(self.viewer.theme)))
