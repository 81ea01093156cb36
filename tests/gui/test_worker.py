"""Work in threads: states, errors of every kind, cancelling, stale results."""

from __future__ import annotations

import gc
import threading
import time
import warnings

import numpy as np
import pytest
from qtpy.QtCore import QObject, QThread

from napari_mito_predict import errors
from napari_mito_predict._widgets.common.worker import Job, JobState, describe


@pytest.fixture
def owner(qtbot):
    owner = QObject()
    yield owner
    owner.deleteLater()


def wait(qtbot, job, *states):
    qtbot.waitUntil(lambda: job.state in states, timeout=30_000)


def test_results_arrive_on_the_gui_thread_and_states_follow(qtbot, owner):
    job, states, seen = Job(owner), [], []
    job.state_changed.connect(states.append)
    job.yielded.connect(lambda item: seen.append((item, QThread.currentThread() is owner.thread())))
    job.start(lambda cancelled: iter([1, 2]))
    wait(qtbot, job, JobState.DONE)
    assert seen == [(1, True), (2, True)]
    assert states == [JobState.PREPARING, JobState.RUNNING, JobState.DONE]


@pytest.mark.parametrize("error", [RuntimeError("CUDA driver error"), ValueError("odd"), errors.ModelError("broken")])
def test_every_error_is_shown_also_the_ones_qt_workers_swallow(qtbot, owner, error):
    def work(cancelled):
        yield "first"
        raise error

    job, failures = Job(owner), []
    job.failed.connect(failures.append)
    job.start(work)
    wait(qtbot, job, JobState.FAILED)
    assert str(error) in failures[0].what
    assert failures[0].cause
    assert failures[0].fix
    assert "Traceback" in failures[0].details


def test_an_error_before_the_first_step_is_shown(qtbot, owner):
    def work(cancelled):
        raise RuntimeError("not even a generator")

    job = Job(owner)
    job.start(work)
    wait(qtbot, job, JobState.FAILED)


def test_cancel_closes_the_work_at_once_and_frees_what_it_held(qtbot, owner):
    closed = threading.Event()

    def work(cancelled):
        try:
            while True:
                time.sleep(0.01)
                yield "step"
        finally:
            closed.set()

    job = Job(owner)
    job.start(work)
    wait(qtbot, job, JobState.RUNNING)
    job.cancel()
    assert job.state is JobState.CANCELLING
    wait(qtbot, job, JobState.IDLE)
    assert closed.is_set()


def test_work_that_raises_cancelled_ends_idle_not_failed(qtbot, owner):
    def work(cancelled):
        yield "started"
        while not cancelled():
            time.sleep(0.005)
        raise errors.PredictionCancelled

    job = Job(owner)
    job.start(work)
    wait(qtbot, job, JobState.RUNNING)
    job.cancel()
    wait(qtbot, job, JobState.IDLE)


def test_results_of_work_that_was_replaced_are_dropped(qtbot, owner):
    release = threading.Event()

    def slow(cancelled):
        release.wait(5)
        yield "stale"

    job, seen = Job(owner), []
    job.yielded.connect(seen.append)
    job.start(slow)
    job.start(lambda cancelled: iter(["fresh"]))
    release.set()
    wait(qtbot, job, JobState.DONE)
    qtbot.wait(50)
    assert seen == ["fresh"]


def test_work_stops_when_its_owner_is_deleted(qtbot):
    stopped = threading.Event()

    def work(cancelled):
        try:
            while not cancelled():
                time.sleep(0.005)
                yield None
        finally:
            stopped.set()

    owner = QObject()
    job = Job(owner)
    job.start(work)
    wait(qtbot, job, JobState.RUNNING)
    owner.deleteLater()
    qtbot.waitUntil(stopped.is_set, timeout=30_000)


def test_a_task_that_napari_quits_is_closed_too(qtbot, owner):
    closed = threading.Event()

    def work(cancelled):
        try:
            while True:
                time.sleep(0.005)
                yield None
        finally:
            closed.set()

    job = Job(owner, "Mito Predict")
    job.start(work)
    wait(qtbot, job, JobState.RUNNING)
    job._worker.quit()
    qtbot.waitUntil(closed.is_set, timeout=30_000)
    wait(qtbot, job, JobState.IDLE)


def test_a_numpy_warning_in_the_work_does_not_stop_it(qtbot, owner):
    def work(cancelled):
        with np.errstate(divide="warn"):
            yield float(np.float32(1) / np.float32(0))

    job, seen = Job(owner), []
    job.yielded.connect(seen.append)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        job.start(work)
        wait(qtbot, job, JobState.DONE)
    assert seen == [float("inf")]


def test_known_errors_have_their_own_explanation():
    assert "memory" in describe(errors.InsufficientMemoryError("tile of 4 GB")).cause
    assert describe(errors.InsufficientMemoryError("tile of 4 GB")).what == "tile of 4 GB"
    assert "report" in describe(KeyError("x")).fix


def test_work_stops_where_the_garbage_collector_takes_its_owner(qtbot):
    """What a collector destroys is emptied first: nothing of it may be called any more."""
    for _ in range(50):
        owner = QObject()
        owner.job = Job(owner)
        owner.itself = owner
        cancelled = owner.job._cancelled
        del owner
        gc.collect()
        assert cancelled.is_set()
