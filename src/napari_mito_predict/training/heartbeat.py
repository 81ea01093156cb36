"""Keeping `status.json` true while a trainer lives, whatever it is busy with."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.training.status import Status

if TYPE_CHECKING:
    from napari_mito_predict.training.run import Run

_log = logging.getLogger(__name__)

_EVERY_S = 5.0
_AT_MOST_EVERY_S = 0.5


class Heartbeat:
    """Writes the status whenever it changes, at most twice a second, and every few seconds anyway.

    A status that cannot be written (full disk) is not worth a training: the next one may be.

    Parameters
    ----------
    run : Run
    silent : bool
        Another process writes the status of this run.
    """

    def __init__(self, run: Run, *, silent: bool = False) -> None:
        self._run, self._silent = run, silent
        self.status = Status("preparing")
        self._lock = threading.Lock()
        self._written = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def say(self, **changes: Any) -> None:
        """Change fields of the status; a new state is written at once."""
        before = self.status.state
        self.status = dataclasses.replace(self.status, **changes)
        if self.status.state != before or time.monotonic() - self._written > _AT_MOST_EVERY_S:
            self._write()

    def _beat(self) -> None:
        self._write()
        while not self._ended.wait(_EVERY_S):
            self._write()

    def _write(self) -> None:
        if self._silent:
            return
        with self._lock:
            self._written = time.monotonic()
            try:
                self._run.write_status(self.status)
            except UnwritableOutputError as error:
                _log.warning("%s", error)
