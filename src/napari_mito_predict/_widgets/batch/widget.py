"""The dock widget "Many images": a list of images, what to do with them, and a run over all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari.layers import Image
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QWidget

from napari_mito_predict._widgets.batch.images_step import ImagesStep
from napari_mito_predict._widgets.batch.opening import Opened, opening
from napari_mito_predict._widgets.batch.pace import Pace
from napari_mito_predict._widgets.batch.predicting import TABLE, Request, predicting, writing_table
from napari_mito_predict._widgets.batch.queue import Pause, Queue, Stage
from napari_mito_predict._widgets.batch.run_step import ALL_DONE, Progress, RunStep
from napari_mito_predict._widgets.batch.settings_step import SettingsStep
from napari_mito_predict._widgets.common.docks import MANY_IMAGES
from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.removal import take_away
from napari_mito_predict._widgets.common.settings import use_models_folder
from napari_mito_predict._widgets.common.steps import stack_steps
from napari_mito_predict._widgets.common.style import style_sheet
from napari_mito_predict._widgets.common.worker import Job, JobState
from napari_mito_predict.prediction.batch.outcome import Outcome, State, summary

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_mito_predict._widgets.batch.listing import Found
    from napari_mito_predict._widgets.batch.rows import Row
    from napari_mito_predict.prediction.batch.inputs import Entry
    from napari_mito_predict.prediction.batch.settings import BatchSettings

_MILLISECONDS_BETWEEN_LOOKS: Final = 200
_MOST_OPENED: Final = 6
"""Images at a time: each is several layers."""


class ManyImagesWidget(QWidget):
    """One dock: add images, say what to do with them, predict them one after the other.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer it belongs to.
    """

    dock_name = MANY_IMAGES

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        use_models_folder()
        self.viewer = napari_viewer
        self._queue = Queue()
        self.images = ImagesStep(self._queue)
        self.settings = SettingsStep()
        self.run = RunStep()
        self.job = Job(self, "Mito Predict: many images")
        self._opening = Job(self)
        self._saving = Job(self)
        self._pause = Pause()
        self._pace = Pace()
        self._settings: BatchSettings | None = None
        self._opened_layers: list[Layer] = []
        self._look = QTimer(self)
        self._look.setInterval(_MILLISECONDS_BETWEEN_LOOKS)
        self._look.timeout.connect(self._show_progress)
        stack_steps(self, (self.images, self.settings, self.run))
        self._connect()
        follow(self, napari_viewer.events.theme, self._restyle)
        self._restyle()
        self._update()

    def _connect(self) -> None:
        self.images.found.connect(self._found)
        self.images.open_pressed.connect(self.open)
        self.images.remove_pressed.connect(self.remove)
        self.settings.changed.connect(self._update)
        self.run.start_pressed.connect(self.start)
        self.run.pause_pressed.connect(self.toggle_pause)
        self.run.cancel_pressed.connect(self.job.cancel)
        self.run.retry_pressed.connect(self.retry)
        self.run.save_pressed.connect(self.save_table)
        self.job.yielded.connect(self._begun)
        self.job.failed.connect(self.run.show_failure)
        self.job.state_changed.connect(self._job_changed)
        self._opening.yielded.connect(self._opened)
        self._opening.failed.connect(lambda failure: self.images.say_problems([failure.what]))
        self._saving.yielded.connect(self.run.show_saved)
        self._saving.failed.connect(self.run.show_failure)

    def event(self, event: QEvent | None) -> bool:
        """End what is under way when napari takes this out of its dock: that is all its x does."""
        handled = super().event(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._leave()
        return handled

    def _leave(self) -> None:
        self.images.stop()
        self._opening.reset()
        self.job.reset()

    def refresh_models(self) -> None:
        """Read the list of models anew: one was trained, or changed under its name."""
        self.settings.refresh_models()

    # ------------------------------------------------------------------ images

    def add(self, given: Sequence[Path]) -> None:
        """Add files, folders, patterns and plates; they are listed in another thread."""
        self.images.add(given)

    def _found(self, found: Found) -> None:
        if found.folder is not None:
            self.settings.offer_to_watch(found.folder)
        if found.has_plate:
            self.settings.offer_plates()
        if found.entries:
            self.settings.suggest_folder(found.entries[0].path)
        elif found.folder is not None:
            self.settings.suggest_folder(found.folder)
        waiting = self._add_rows(found.entries)
        if self.job.state.busy:
            self._queue.put(waiting)
        self._update()

    def _add_rows(self, entries: Sequence[Entry]) -> list[Entry]:
        """Add those that are not in the table yet, and give those of them that can be predicted."""
        new = self.images.images.new(entries)
        self.images.images.add(new)
        waiting = []
        for entry in new:
            refused = self._queue.claim(entry)
            if refused is None:
                waiting.append(entry)
            else:
                self.images.images.show_outcome(refused)
        return waiting

    def remove(self, rows: Sequence[Row]) -> None:
        """Take rows out of the list."""
        entries = [row.entry for row in rows]
        self._queue.remove(entries)
        self.images.images.remove(entries)
        self._update()

    @property
    def _rows(self) -> list[Row]:
        return self.images.images.rows

    @property
    def _waiting(self) -> list[Row]:
        return [row for row in self._rows if row.outcome is None]

    @property
    def _failed(self) -> list[Row]:
        return [row for row in self._rows if row.state is State.FAILED]

    @property
    def outcomes(self) -> list[Outcome]:
        """What became of the images that have ended."""
        return [row.outcome for row in self._rows if row.outcome is not None]

    # ------------------------------------------------------------------ running

    def start(self) -> None:
        """Predict what waits; where other settings were chosen since, all of it."""
        settings = self.settings.settings
        if settings is None or self.job.state.busy:
            return
        if self._is_all_to_do(settings):
            self._forget(self._rows)
        self._settings = settings
        self._queue.empty()
        self._queue.put(row.entry for row in self._waiting)
        ended = frozenset(outcome.entry for outcome in self.outcomes)
        request = Request(settings, self.settings.watched_folder, self.images.scene, ended)
        self._pause.end()
        self._pace.begin()
        self.job.start(predicting(request, self._queue, self._pause))

    def _is_all_to_do(self, settings: BatchSettings) -> bool:
        """Whether what has ended counts no more."""
        if self._settings is not None and settings != self._settings:
            return True
        return settings.overwrite and not self._waiting and self.settings.watched_folder is None

    def retry(self) -> None:
        """Let those that failed wait again, and start."""
        if not self.job.state.busy:
            self._forget(self._failed)
            self.start()

    def _forget(self, rows: Sequence[Row]) -> None:
        """Let rows wait again, but those whose predictions would go where others go."""
        self.images.images.forget_outcomes(rows)
        for row in rows:
            refused = self._queue.claim(row.entry)
            if refused is not None:
                self.images.images.show_outcome(refused)

    def toggle_pause(self) -> None:
        """Wait, or go on."""
        if self._pause.is_on:
            self._pace.go_on()
            self._pause.end()
        else:
            self._pause.begin()
            self._pace.pause()
        self._show_progress()

    def _begun(self, _: object) -> None:
        if not self._look.isActive():
            self._look.start()
            self._show_progress()

    def _end(self, outcome: Outcome) -> None:
        """Show what became of an image."""
        images = self.images.images
        images.add(images.new([outcome.entry]))
        images.show_outcome(outcome)
        if outcome.state is State.DONE:
            self._pace.count()

    def _show_progress(self) -> None:
        """Show what the worker does, five times a second, however much it has to tell."""
        images = self.images.images
        doing, outcomes = self._queue.news()
        images.add(images.new(doing))  # what came into a watched folder
        for outcome in outcomes:
            self._end(outcome)
        images.show_doing(doing)
        self.images.show_counts()
        under_way = sum(what.fraction for what in doing.values())
        ended = len(self.outcomes)
        names = tuple(entry.path.name for entry, what in doing.items() if what.stage is Stage.PREDICTING)
        left = self._pace.seconds_left(len(self._rows) - ended, under_way)
        watching = self.settings.watched_folder is not None
        failed = len(self._failed)
        self.run.show_ended(ended, failed)
        progress = Progress(ended, len(self._rows), under_way, left, failed, names, watching, self._pause.is_on)
        self.run.show_progress(progress)

    def _job_changed(self, state: JobState) -> None:
        if not state.busy:
            self._look.stop()
            self._pause.end()
            self._show_progress()
            self._queue.empty()
            self.images.images.show_doing({})
            self._conclude(state)
        self.settings.set_busy(state.busy)
        self.run.show_state(state)
        self._update()

    def _conclude(self, state: JobState) -> None:
        """Sum up, and write the table beside the predictions."""
        text = summary(self.outcomes)
        if self._waiting and state is not JobState.FAILED:
            text += f". {len(self._waiting)} wait: Start goes on with them."
        self.run.show_result(text if self.outcomes else "")
        folder = self.settings.output_folder
        if self.outcomes and folder is not None and folder.is_dir():
            self.save_table(folder / TABLE)
        if self._failed and not self.images.table.chosen:
            self.images.table.choose(self._failed[0])

    def save_table(self, path: Path) -> None:
        """Write what became of each image as CSV."""
        self._saving.start(writing_table(path, self.outcomes))

    # ------------------------------------------------------------------ looking at results

    def open(self, rows: Sequence[Row]) -> None:
        """Show images and their predictions as layers, instead of those that were opened from here before."""
        wanted = [(row.entry, _files_of(row)) for row in rows[:_MOST_OPENED]]
        self.images.say_problems([])
        take_away(self.viewer, self._opened_layers)
        self._opened_layers = []
        self._opening.start(opening(wanted))

    def _opened(self, opened: Opened) -> None:
        for data, keywords, _ in opened.layers:
            self._opened_layers.append(self.viewer.add_layer(Image(data, **keywords)))
        if opened.layers:
            self.viewer.reset_view()
        self.images.say_problems([failure.what for failure in opened.failures])

    # ------------------------------------------------------------------ saying

    def _update(self) -> None:
        """Say what is missing before it can start."""
        self.images.show_counts()
        self.run.show_ended(len(self.outcomes), len(self._failed))
        self.run.show_missing(self._missing())

    def _missing(self) -> str:
        settings = self.settings.settings
        if not self._rows and self.settings.watched_folder is None:
            return "add images"
        if settings is None:
            return self.settings.missing
        nothing_waits = not self._waiting and self.settings.watched_folder is None
        if nothing_waits and not self._is_all_to_do(settings):
            return ALL_DONE
        return ""

    def _restyle(self, event: object = None) -> None:
        self.setStyleSheet(style_sheet(str(self.viewer.theme)))
        self.images.images.restyle()


def _files_of(row: Row) -> tuple[Path, ...]:
    return () if row.outcome is None else tuple(row.outcome.files.values())
