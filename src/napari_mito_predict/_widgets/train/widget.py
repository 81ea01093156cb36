"""The dock widget "Fine-tune": fields, start model, and a training that runs outside napari."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QWidget
from superqt.utils import QSignalDebouncer

from napari_mito_predict._widgets.common.docks import FINE_TUNE, PREDICT, open_dock, tell_models_changed
from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.settings import use_models_folder
from napari_mito_predict._widgets.common.steps import stack_steps
from napari_mito_predict._widgets.common.style import style_sheet
from napari_mito_predict._widgets.common.worker import Failure, Job, JobState, describe
from napari_mito_predict._widgets.train.check import Checked, Listed, checking, timing
from napari_mito_predict._widgets.train.command import command_for, free_folder
from napari_mito_predict._widgets.train.data_step import DataStep
from napari_mito_predict._widgets.train.previews import PreviewLayers
from napari_mito_predict._widgets.train.run_step import RunStep
from napari_mito_predict._widgets.train.start_step import StartStep
from napari_mito_predict._widgets.train.watch import Phase, RunWatch
from napari_mito_predict.errors import ConfigError, MitoPredictError
from napari_mito_predict.models.card_values import check_name
from napari_mito_predict.training.config import TrainingConfig
from napari_mito_predict.training.runs import known_runs, launch

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_mito_predict.training.run import Run
    from napari_mito_predict.training.status import Status

_CHECK_SOON_MS = 400
"""Fields are read again only when nobody has changed a setting for this long."""
_NOT_TIMED = {"data", "name", "output", "seed", "split", "iterations", "max_minutes", "validate_every"}
"""Settings that do not change how long an iteration takes."""


class TrainWidget(QWidget):
    """One dock: choose fields, choose a start, watch the model learn.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer it belongs to.
    """

    dock_name = FINE_TUNE

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        use_models_folder()
        self.viewer = napari_viewer
        self.extra: dict[str, Any] = {}
        """More keys of the training configuration, for scripts."""
        self.data = DataStep(napari_viewer)
        self.start = StartStep()
        self.training = RunStep()
        self.watch = RunWatch(self)
        self.previews = PreviewLayers(napari_viewer, self)
        self.checking, self.timing = Job(self), Job(self)
        self._checked: Checked | None = None
        self._checked_for: object = None
        self._timed_for: object = None
        self._seconds: float | None = None
        self._timing_failure: Failure | None = None
        self._checks = QSignalDebouncer(parent=self)
        self._checks.setTimeout(_CHECK_SOON_MS)
        self._build()
        self._connect()
        follow(self, napari_viewer.events.theme, self._restyle)
        self._restyle()
        self._settings_changed()
        self._reattach()

    def _build(self) -> None:
        stack_steps(self, (self.data, self.start, self.training))

    def _connect(self) -> None:
        self.data.chosen.connect(self._data_chosen)
        self.data.state_changed.connect(self._show_missing)
        self.start.changed.connect(self._settings_changed)
        self.start.start_changed.connect(self._checks.throttle)
        self._checks.triggered.connect(self._check)
        self.checking.yielded.connect(self._show_check)
        self.checking.failed.connect(self.data.show_failure)
        self.checking.state_changed.connect(lambda _: self._show_missing())
        self.timing.yielded.connect(self._timing_done)
        self.timing.failed.connect(self._timing_failed)
        self.timing.state_changed.connect(lambda _: self._show_cost())
        self.training.name.textChanged.connect(lambda _: self._show_missing())
        self.training.start_pressed.connect(self.begin)
        self.training.pause_pressed.connect(lambda: self._ask_to_stop(keep=False))
        self.training.keep_pressed.connect(self._keep)
        self.training.resume_pressed.connect(lambda: self._resume(keep=False))
        self.training.use_pressed.connect(self.use_model)
        self.training.copy_pressed.connect(self.copy_command)
        self.training.run_chosen.connect(self.attach)
        self.training.curve.clicked.connect(self.previews.jump)
        self.previews.moved.connect(self.training.curve.set_now)
        self.watch.phase_changed.connect(self._phase_changed)
        self.watch.status_changed.connect(self._status_changed)
        self.watch.metrics_changed.connect(self.training.show_metrics)
        self.watch.previews_changed.connect(self.previews.take)
        self.watch.refused.connect(self.training.show_refusal)

    def set_files(self, paths: Sequence[Path]) -> None:
        """Choose the fields to learn from."""
        self.data.set_files(paths)

    def suggest_files(self, paths: Sequence[Path]) -> None:
        """Take these as the fields to learn from, unless some were chosen."""
        if self.data.source.data is None:
            self.set_files(paths)

    def start_from(self, name: str) -> None:
        """Take this model of the list as the one to start from, in a new run."""
        if self.watch.run is not None:
            self.attach(None)
        self.start.choose(name)
        self.start.expand(animate=False)

    def refresh_models(self) -> None:
        """Read the list of models anew."""
        self.start.refresh()

    # ------------------------------------------------------------------ the request

    def request(self) -> TrainingConfig:
        """What would be trained now.

        Raises
        ------
        ConfigError
            Something is missing or impossible.
        """
        name = self.training.name.text().strip()
        given = self._given() | {"name": name, "output": free_folder(name, self.start.options.folder)}
        if self.data.excluded:
            given["data"] = given["data"] | {"exclude": self.data.excluded}
        if self.data.together.by is not None:
            given["split"] = given["split"] | {"by": self.data.together.by}
        return TrainingConfig.parse(given, source=f"Run {name}")

    def _given(self) -> dict[str, Any]:
        """The request with all fields, each by itself, and without a name."""
        data = self.data.data
        if data is None:
            raise ConfigError("There are no fields yet. Choose some in step 1.")
        target: dict[str, Any] = {"target": self.start.target}
        if "files" in data:
            target = {"targets": {self.start.target: self.data.truth}}
        return {**target, "data": data, "output": "run", **self.start.settings, **self.extra}

    # ------------------------------------------------------------------ checking the fields

    def _data_chosen(self) -> None:
        if self.data.peek is not None:
            self.start.suggest_for(self.data.role, self.data.peek.third_axis)
        self._checked_for = None  # the same files may hold something else by now
        self._checks.throttle()
        self._show_missing()

    def _check(self) -> None:
        """Read and check all fields, unless just these were checked against just this start model."""
        try:
            config = TrainingConfig.parse(self._given(), source="These settings")
        except ConfigError as error:
            self._checked, self._checked_for = None, None
            self.checking.reset()
            if self.data.data is not None:
                self.data.show_failure(describe(error))
            self._show_missing()
            return
        key = (config.data, config.targets, config.start_from, config.voxel_size_um)
        if key != self._checked_for or self.checking.state in (JobState.FAILED, JobState.IDLE):
            self._checked, self._checked_for = None, key
            self.data.show_failure(None)
            self.checking.start(checking(config))
        else:
            self._start_timing()

    def _show_check(self, found: Any) -> None:
        if isinstance(found, Listed):
            self.data.show_listed(found)
        elif isinstance(found, Checked):
            self._checked = found
            self.data.show_checked(found)
            self._start_timing()
        else:
            self.data.show_report(found)

    # ------------------------------------------------------------------ how long it will take

    def _settings_changed(self) -> None:
        self.data.set_seed(self.start.options.seed.value)
        self._start_timing()
        self._show_cost()
        self._show_missing()

    def _start_timing(self) -> None:
        """Time a few iterations, unless a training keeps this computer busy: then they would tell nothing."""
        if self._checked is None or self.watch.phase.at_work:
            return
        try:
            config = TrainingConfig.parse(self._given(), source="These settings")
        except ConfigError as error:
            self._timing_failed(describe(error))
            return
        key = (self._checked.ndim, config.model_dump_json(exclude=_NOT_TIMED))
        if key != self._timed_for:
            self._timed_for = key
            self._seconds = None
            self._timing_failure = None
            self.timing.start(timing(config, self._checked.ndim))

    def _timing_done(self, seconds: float) -> None:
        self._seconds = seconds
        self._show_cost()

    def _timing_failed(self, failure: Failure) -> None:
        self._timing_failure = failure
        self._show_cost()
        self._show_missing()

    def _show_cost(self) -> None:
        self.start.show_seconds(self._seconds, measuring=self.timing.state.busy, failure=self._timing_failure)

    def _show_missing(self) -> None:
        """Find out what is still missing before a run can start, and say it."""
        missing = ""
        note = _name_problem(self.training.name.text().strip())
        if note:
            missing = "see the note under Name"
        elif self.data.source.data is None:
            missing = "choose fields first"
        elif not self.data.failure.isHidden() or self.data.together.problem:
            missing = "see the notes under Data"
        elif not self.data.ready or self.checking.state.busy:
            missing = "the fields are being checked"
        elif self._timing_failure is not None:
            missing = "see the notes under Start from"
        else:
            try:
                self.request()
            except ConfigError as error:
                missing = "see the note under Name"
                note = str(error)
        self.training.show_missing(missing, note)

    # ------------------------------------------------------------------ running

    def begin(self) -> None:
        """Start a training of its own process."""
        self.training.show_failure(None)
        try:
            run = launch(self.request())
        except MitoPredictError as error:
            self.training.show_failure(describe(error))
            return
        self.attach(run, launched=True)

    def attach(self, run: Run | None, *, launched: bool = False) -> None:
        """Watch this run; None to prepare a new one."""
        self.training.show_failure(None)
        self.training.choose_run(run)
        self.previews.follow(run)
        self.training.show_phase(Phase.NONE, None)
        self.watch.watch(None)
        self.watch.watch(run, launched=launched)
        for step in (self.data, self.start):
            if run is None:
                step.expand(animate=False)
            else:
                step.collapse(animate=False)
        if run is None:
            self._settings_changed()

    def _reattach(self) -> None:
        """After napari was closed and opened again: the training may still be at work."""
        runs = known_runs()
        self.training.set_runs(runs)
        alive = next((run for run in runs if run.status.alive), None)
        if alive is not None:
            self.attach(alive)
        elif runs and runs[0].status.state == "interrupted":
            self.training.say(f"{runs[0].path.name} was interrupted: choose it above to go on with it.")

    def _ask_to_stop(self, *, keep: bool) -> None:
        if self.watch.run is None:
            return
        try:
            self.watch.run.request_stop(keep=keep)
        except MitoPredictError as error:
            self.training.show_failure(describe(error))
        self.watch.look()

    def _keep(self) -> None:
        if self.watch.phase.can_go_on:
            self._resume(keep=True)
        else:
            self._ask_to_stop(keep=True)

    def _resume(self, *, keep: bool) -> None:
        if self.watch.run is None:
            return
        try:
            self.watch.watch(launch(self.watch.run, keep=keep), launched=True)
        except MitoPredictError as error:
            self.training.show_failure(describe(error))

    def _phase_changed(self, phase: Phase) -> None:
        self.training.show_phase(phase, self.watch.run)
        if phase is Phase.DONE:
            tell_models_changed(self.viewer)

    def _status_changed(self, status: Status) -> None:
        run = self.watch.run
        self.training.set_has_model(run is not None and (run.model_folder / "model.json").is_file())
        self.training.show_status(status)

    # ------------------------------------------------------------------ using it

    def use_model(self) -> None:
        """Predict the image that is open with the best model so far."""
        if self.watch.run is not None:
            dock = open_dock(self.viewer, PREDICT)
            title = self.watch.run.path.name
            if self.watch.phase is not Phase.DONE:
                title = f"{title}, so far"
            dock.use_model(self.watch.run.model_folder, title)

    def copy_command(self) -> None:
        """Copy a command that trains the same, in a folder of its own."""
        try:
            if self.watch.run is not None:
                config = self.watch.run.config
            else:
                config = self.request()
            command = command_for(config)
        except MitoPredictError as error:
            self.training.show_failure(describe(error))
            return
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(command)
        self.training.say(f"Copied: {command}")

    def _restyle(self, event: object = None) -> None:
        theme = str(self.viewer.theme)
        self.setStyleSheet(style_sheet(theme))
        self.training.curve.restyle(theme)


def _name_problem(name: str) -> str:
    """Why a model cannot be called that; empty where it can."""
    if not name:
        return "The model needs a name."
    try:
        check_name(name)
    except ValueError as error:
        return f"{error}."
    return ""
