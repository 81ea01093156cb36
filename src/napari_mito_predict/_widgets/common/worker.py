"""Long work beside the viewer: one job, one state, and no error that gets lost.

Qt generator workers swallow every ``RuntimeError`` and leave a cancelled generator suspended. So the work is wrapped:
each error becomes a `Failure` for people, and the generator is always closed, in the thread it ran in.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from typing import Any, NamedTuple

from napari.qt.threading import GeneratorWorker
from napari.qt.threading import create_worker as create_task
from qtpy.QtCore import QObject, QThread, Signal
from superqt.utils import create_worker

from napari_mito_predict import errors
from napari_mito_predict._widgets.common.destruction import on_destruction

Work = Callable[[Callable[[], bool]], Iterator[object]]
"""Gets ``should_stop()`` to ask now and then; yields what the GUI shall see."""

_NICE = 5
"""Priority of long work on Linux, where 0 is that of the viewer and 19 the lowest."""


class Event(NamedTuple):
    """What a worker tells its job: an ``item``, or at the end ``done``, ``cancelled`` or ``failed``."""

    generation: int
    """Of the job when it started this worker; what comes from an earlier one is dropped."""
    kind: str
    payload: object


class JobState(StrEnum):
    """Where a job stands; the only thing that enables or disables a button."""

    IDLE = "idle"
    PREPARING = "preparing"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"

    @property
    def busy(self) -> bool:
        """Whether something is still computing."""
        return self in (JobState.PREPARING, JobState.RUNNING, JobState.CANCELLING)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in the words of the person at the microscope."""

    what: str
    cause: str
    fix: str
    details: str


def describe(error: BaseException, fixes: Mapping[type[BaseException], str] | None = None) -> Failure:
    """Put an error into words: what happened, its likely cause, what to do, and the details to report.

    Parameters
    ----------
    error : BaseException
        What was raised.
    fixes : mapping of exception class to str, optional
        What to do about some errors, where that is not the same as everywhere else.
    """
    what = str(error)
    if isinstance(error, MemoryError):
        what = f"There is not enough memory. {error}".rstrip()
    elif not isinstance(error, errors.MitoPredictError):
        what = f"Unexpected fault: {type(error).__name__}: {error}"
    cause, fix = next((words for kind, words in _EXPLANATIONS if isinstance(error, kind)), _UNFORESEEN)
    for kind, other_fix in (fixes or {}).items():
        if isinstance(error, kind):
            fix = other_fix
    return Failure(what, cause, fix, _details(error))


class Job(QObject):
    """One piece of work in a napari worker thread.

    All signals arrive on the GUI thread. Starting anew cancels what ran before and drops its results, however late
    they come. A job with a description is a long one: it goes on at low priority, and napari asks before closing the
    window loses it. A short one may go on at low priority too. `fixes` are for `describe`.
    """

    state_changed = Signal(object)
    yielded = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        parent: QObject,
        description: str = "",
        *,
        low_priority: bool = False,
        fixes: Mapping[type[BaseException], str] | None = None,
    ) -> None:
        super().__init__(parent)
        self._description = description
        self._fixes = fixes
        self._kind: type[_ClosingWorker] = _ClosingWorker
        if description or low_priority:
            self._kind = _PatientWorker
        self._state = JobState.IDLE
        self._generation = 0
        self._worker: GeneratorWorker | None = None
        self._cancelled = threading.Event()
        # The owner goes away with the viewer: whatever still computes must stop. The closure holds no widget.
        latest = self._latest = [self._cancelled]
        on_destruction(self, lambda: latest[0].set())

    @property
    def state(self) -> JobState:
        """Where the job stands."""
        return self._state

    def start(self, work: Work) -> None:
        """Run `work` in another thread; what it yields arrives by `yielded`."""
        self._cancelled.set()
        self._cancelled = self._latest[0] = threading.Event()
        self._generation += 1
        self._set_state(JobState.PREPARING)
        # napari asks about the workers that it made itself before it closes.
        create = create_task if self._description else create_worker
        worker = create(
            _named(_guarded, self._description),
            self._generation,
            work,
            self._cancelled,
            self._fixes,
            _worker_class=self._kind,
            _start_thread=False,
        )
        worker.yielded.connect(self._receive)
        worker.aborted.connect(self._quit_by_napari)
        self._worker = worker
        worker.start()

    def cancel(self) -> None:
        """Ask the work to stop; it does so at its next step."""
        if self._state.busy:
            self._cancelled.set()
            self._set_state(JobState.CANCELLING)

    def reset(self) -> None:
        """Forget a finished or failed job; a running one is cancelled and its results are dropped."""
        self._cancelled.set()
        self._generation += 1
        self._set_state(JobState.IDLE)

    def _receive(self, event: Event) -> None:
        if event.generation != self._generation:
            return
        if event.kind == "item":
            if self._state is JobState.PREPARING:
                self._set_state(JobState.RUNNING)
            self.yielded.emit(event.payload)
            return
        if event.kind == "failed":
            self.failed.emit(event.payload)
        self._set_state({"done": JobState.DONE, "failed": JobState.FAILED}.get(event.kind, JobState.IDLE))

    def _quit_by_napari(self, event: object = None) -> None:
        if self._state.busy and self._worker is not None and self._worker.abort_requested:
            self.reset()

    def _set_state(self, state: JobState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)


class _ClosingWorker(GeneratorWorker):
    """Closes its generator when it is told to quit, which superqt leaves suspended with all it holds."""

    def run(self) -> None:
        # When napari closes, Qt deletes the signals of a worker that may just begin or end. An error that leaves this
        # method aborts the process; those of the work itself never do, see `_guarded`.
        with suppress(RuntimeError):
            super().run()

    def work(self) -> object:
        try:
            return super().work()
        finally:
            self._gen.close()


class _PatientWorker(_ClosingWorker):
    """For what takes long: the viewer goes first."""

    def work(self) -> object:
        _yield_to_the_viewer()
        return super().work()


def _yield_to_the_viewer() -> None:
    """Let this thread, and those it starts, compute only when the viewer has nothing to do.

    Measured on two busy cores: the longest stalls of the event loop become half as long. Linux takes a nice value for
    one thread, the others listen to Qt.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    elif (thread := QThread.currentThread()) is not None:
        thread.setPriority(QThread.Priority.LowPriority)


def _guarded(
    generation: int, work: Work, cancelled: threading.Event, fixes: Mapping[type[BaseException], str] | None
) -> Iterator[Event]:
    kind: str = "done"
    payload: object = None
    items: Iterator[object] = iter(())
    try:
        items = work(cancelled.is_set)
        for item in items:
            yield Event(generation, "item", item)
            if cancelled.is_set():
                kind = "cancelled"
                break
    except (errors.PredictionCancelled, errors.MeasurementCancelled):
        kind = "cancelled"
    except Exception as error:  # noqa: BLE001  whatever escaped here would vanish: it is shown instead
        kind, payload = "failed", describe(error, fixes)
    finally:
        if isinstance(items, Generator):
            items.close()
    yield Event(generation, kind, payload)


def _named(function: Callable[..., Iterator[Event]], name: str) -> Callable[..., Iterator[Event]]:
    """A copy of `function` under another name: napari shows it when it asks whether to close."""

    def work(*args: Any) -> Iterator[Event]:
        yield from function(*args)

    work.__qualname__ = name
    return work


_UNFORESEEN = (
    "This is not a fault we foresaw; it may be ours.",
    "Try again. If it happens again, copy the details and report them.",
)
_EXPLANATIONS: tuple[tuple[type[BaseException], tuple[str, str]], ...] = (
    (
        errors.ResultTooLargeError,
        (
            "The predictions are larger than the memory that is free.",
            "Choose a folder in step 3: they are written there while they are computed, and opened from there.",
        ),
    ),
    (
        MemoryError,
        ("The image needs more memory than is free.", "Close other programs, or take a part of the image."),
    ),
    (
        errors.InsufficientMemoryError,
        (
            "The image or the model needs more memory than is free.",
            "Close other programs, or choose a smaller tile or the CPU under Advanced.",
        ),
    ),
    (
        errors.ImageContentError,
        (
            "Missing planes or pixels, or a channel without any signal.",
            "Look at the transmitted-light channel plane by plane, and choose another channel or file.",
        ),
    ),
    (
        errors.AmbiguousChannelError,
        ("More than one channel looks like transmitted light.", "Choose the transmitted-light channel in step 1."),
    ),
    (
        errors.ChannelNotFoundError,
        ("The channel names say nothing about transmitted light.", "Choose the transmitted-light channel in step 1."),
    ),
    (
        errors.UnknownAxesError,
        (
            "A plain TIFF does not say whether its planes are Z steps or time points.",
            "Drop the file onto napari's canvas instead, and then say in step 1 what its planes are.",
        ),
    ),
    (
        errors.ImageError,
        (
            "The file is damaged, incomplete, or of a kind we cannot predict from.",
            "Open the file in the microscope's software and save or export it again.",
        ),
    ),
    (
        errors.ModelMismatchError,
        ("The model was trained on another kind of image.", "Choose another model in step 2."),
    ),
    (
        errors.DownloadError,
        (
            "No connection, a proxy or firewall, or another file than announced.",
            "Check the connection and the address.",
        ),
    ),
    (
        errors.ForeignModelError,
        ("Formats of other programs hold less than ours, or more.", "Do what the message says."),
    ),
    (
        errors.ModelExistsError,
        ("Names tell models apart.", "Choose another name."),
    ),
    (
        errors.ProtectedModelError,
        ("Only your own models are changed.", "Export it, and import the copy: that is yours."),
    ),
    (
        errors.MissingExtraError,
        ("A package that only this needs is not installed.", "Install it as the message says, and start napari again."),
    ),
    (
        errors.ModelError,
        ("The model folder was changed, or copied incompletely.", "Choose another model, or install this one again."),
    ),
    (
        errors.DeviceUnavailableError,
        ("The graphics card is not there, or its driver does not fit.", "Choose another device under Advanced."),
    ),
    (
        errors.OutputError,
        (
            "The folder is write-protected or full, or holds this result already.",
            "Choose another folder under Advanced.",
        ),
    ),
    (
        errors.ConfigError,
        ("A setting is missing or impossible.", "Change what the message names."),
    ),
    (
        errors.TrainingDataError,
        (
            "Files are missing, or do not hold what their names and channels promise.",
            "Choose other files or channels in step 1.",
        ),
    ),
    (
        errors.TrainingError,
        ("The start model does not fit, or the folder of the run cannot be used.", "Change what the message names."),
    ),
    (
        errors.MeasurementError,
        ("The layers or settings do not fit what is to be measured.", "Change what the message names."),
    ),
    (
        errors.EvaluationError,
        ("The two layers do not show the same voxels.", "Choose the truth layer that belongs to this prediction."),
    ),
)


def _details(error: BaseException) -> str:
    packages = ("napari-mito-predict", "napari", "torch", "numpy")
    lines = [f"{name} {_version(name)}" for name in packages]
    lines += [f"Python {platform.python_version()}, {platform.platform()}", ""]
    return "\n".join([*lines, *traceback.format_exception(error)])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
