"""Images that wait, and what is done with those taken: the dock adds, a worker takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from napari_mito_predict.prediction.batch.inputs import Names
from napari_mito_predict.prediction.batch.outcome import Outcome, name_taken

if TYPE_CHECKING:
    from napari_mito_predict.prediction.batch.inputs import Entry

_LOOK_EVERY_S: Final = 0.05


class Stage(StrEnum):
    """What is done with an image that was taken."""

    OPENING = "opening"
    PREDICTING = "predicting"
    WRITING = "writing"


class Doing(NamedTuple):
    """What is done with an image now, and which part of its prediction is computed."""

    stage: Stage
    fraction: float = 0.0


class News(NamedTuple):
    """What happens to images, all at one moment."""

    doing: dict[Entry, Doing]
    outcomes: list[Outcome]


class Queue:
    """The images of a dock that nobody has predicted yet, in order; used by several threads.

    No two of them get predictions of the same name.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names_lock = threading.Lock()  # one of its own: who claims a name may wait for a disk
        self._names = Names()
        self._waiting: dict[Entry, None] = {}
        self._doing: dict[Entry, Doing] = {}
        self._outcomes: list[Outcome] = []

    def claim(self, entry: Entry) -> Outcome | None:
        """Keep the name of its predictions for an image; where another one has it, what that means for this one."""
        with self._names_lock:
            other = self._names.claim(entry)
        return None if other is None else name_taken(entry, other)

    def put(self, entries: Iterable[Entry]) -> None:
        """Let images wait to be taken."""
        with self._lock:
            self._waiting |= dict.fromkeys(entries)

    def remove(self, entries: Iterable[Entry]) -> None:
        """Forget images that nobody has taken."""
        for entry in entries:
            with self._names_lock:
                self._names.release(entry)
            with self._lock:
                self._waiting.pop(entry, None)

    def empty(self) -> None:
        """Let nothing wait any more; nothing is under way either."""
        with self._lock:
            self._waiting.clear()
            self._doing.clear()

    def take(self, *, but_in: Path | None = None) -> Entry | None:
        """Take the next image that waits, of those outside of a folder; None where there is none."""
        with self._lock:
            fitting = (entry for entry in self._waiting if entry.path.parent != but_in)
            entry = next(fitting, None)
            if entry is not None:
                self._begin(entry)
            return entry

    def take_found(self, entry: Entry) -> bool:
        """Take an image that came by itself; False where another one has its name, which is its outcome."""
        refused = self.claim(entry)
        with self._lock:
            if refused is not None:
                self._outcomes.append(refused)
                return False
            self._begin(entry)
            return True

    def _begin(self, entry: Entry) -> None:
        self._waiting.pop(entry, None)
        self._doing[entry] = Doing(Stage.OPENING)

    def tell(self, entry: Entry, doing: Doing) -> None:
        """Say what is done with an image now."""
        with self._lock:
            self._doing[entry] = doing

    def end(self, outcome: Outcome) -> None:
        """Say what became of an image."""
        with self._lock:
            self._doing.pop(outcome.entry, None)
            self._outcomes.append(outcome)

    def news(self) -> News:
        """What is done now, and what became of images since the last time that somebody asked."""
        with self._lock:
            news = News(dict(self._doing), self._outcomes)
            self._outcomes = []
        return news


class Pause:
    """Lets a worker wait between two layers of a network, until it may go on or has to stop."""

    def __init__(self) -> None:
        self._may_go_on = threading.Event()
        self._may_go_on.set()

    @property
    def is_on(self) -> bool:
        """Whether the worker waits, or will in a moment."""
        return not self._may_go_on.is_set()

    def begin(self) -> None:
        """Let it wait."""
        self._may_go_on.clear()

    def end(self) -> None:
        """Let it go on."""
        self._may_go_on.set()

    def wait(self, should_stop: Callable[[], bool]) -> bool:
        """Wait as long as it is on; whether to stop."""
        while not should_stop():
            if self._may_go_on.wait(_LOOK_EVERY_S):
                return should_stop()
        return True
