"""Watching a run folder: a look every second, reading only what changed."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_mito_predict.training.runs import has_ended
from napari_mito_predict.training.status import Status

if TYPE_CHECKING:
    from pathlib import Path

    from napari_mito_predict.training.run import Run

_LOOK_EVERY_MS = 1000
_STARTUP_TIMEOUT_S = 60.0
"""How long a trainer may take until its first word: it imports torch first."""


class Phase(StrEnum):
    """Where a run stands, as far as buttons are concerned."""

    NONE = "none"
    STARTING = "starting"
    PREPARING = "preparing"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    DAMAGED = "damaged"
    GONE = "gone"

    @property
    def at_work(self) -> bool:
        """A trainer is busy with it."""
        return self in (Phase.STARTING, Phase.PREPARING, Phase.RUNNING, Phase.STOPPING)

    @property
    def can_go_on(self) -> bool:
        """It can be resumed."""
        return self in (Phase.STOPPED, Phase.FAILED, Phase.INTERRUPTED, Phase.DAMAGED)


class RunWatch(QObject):
    """Tells what changes in one run folder. Cheap enough for the GUI thread: pictures are only listed, not read."""

    phase_changed = Signal(object)
    status_changed = Signal(object)
    metrics_changed = Signal(object)
    previews_changed = Signal(object)
    refused = Signal(object)
    """The trainer that was launched ended without a word: it would not or could not begin."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.run: Run | None = None
        self.phase = Phase.NONE
        self.status = Status("preparing")
        self._launched: float | None = None
        self._heartbeat_before = 0.0
        self._seen: dict[str, object] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)

    def watch(self, run: Run | None, *, launched: bool = False) -> None:
        """Watch this run from now on; `launched` where its trainer has just been started."""
        self.run = run
        self._seen = {}
        self._launched = None
        if launched:
            self._launched = time.monotonic()
        # A trainer that was launched changes the heartbeat. Compared with the one before, not with the time of the
        # launch: the clock may have been set in between.
        self._heartbeat_before = 0.0
        if run is not None:
            self._heartbeat_before = run.status.heartbeat
        self.status = Status("preparing")
        if run is None:
            self._timer.stop()
            self._set_phase(Phase.NONE)
        else:
            self._timer.start()
            self.look()

    def look(self) -> None:
        """Look for changes now."""
        if self.run is None:
            return
        if not self.run.exists:  # its request is written before anybody looks
            self._set_phase(Phase.GONE)
            return
        self._look_at_status(self.run)
        if self._changed("metrics", self.run.path / "metrics.csv"):
            self.metrics_changed.emit(self.run.metrics)
        if self._changed("previews", self.run.path / "preview"):
            self.previews_changed.emit(self.run.previews)

    def _look_at_status(self, run: Run) -> None:
        status = run.status  # small; and a trainer that died changes no file
        phase = self._phase_of(run, status)
        if status != self.status:
            self.status = status
            self.status_changed.emit(status)
        self._set_phase(phase)
        if self._launched is not None and self._silent(status) and has_ended(run):
            self._launched = None
            self.refused.emit(run)

    def _phase_of(self, run: Run, status: Status) -> Phase:
        if self._is_starting(run, status):
            return Phase.STARTING
        if status.alive and run.stop_requested:
            return Phase.STOPPING
        return Phase(status.state)

    def _is_starting(self, run: Run, status: Status) -> bool:
        if self._launched is None or not self._silent(status) or has_ended(run):
            return False
        return time.monotonic() - self._launched < _STARTUP_TIMEOUT_S

    def _silent(self, status: Status) -> bool:
        """Whether the trainer has not said anything since it was launched."""
        return status.heartbeat == self._heartbeat_before

    def _set_phase(self, phase: Phase) -> None:
        if phase is not self.phase:
            self.phase = phase
            self.phase_changed.emit(phase)

    def _changed(self, what: str, path: Path) -> bool:
        """Whether a file or folder is another one than at the last look."""
        try:
            found = path.stat()
        except OSError:
            return False
        state = (found.st_mtime_ns, found.st_size)
        changed = self._seen.get(what) != state
        self._seen[what] = state
        return changed
