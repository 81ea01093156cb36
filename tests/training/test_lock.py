"""One trainer per run folder: by a lock of the system, and by what the trainer said of its process."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from napari_mito_predict.errors import RunInUseError, TrainingError, UnwritableOutputError
from napari_mito_predict.training import Run, Status, train
from napari_mito_predict.training.lock import LOCK, only_trainer
from napari_mito_predict.training.status import process_start, trainer_is_alive

_YEAR_S = 365 * 24 * 3600.0


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    """Another process that lives for the whole test."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


def _say(run: Run, **changes: Any) -> None:
    """Let `status.json` say that a trainer is at work, with these changes."""
    run.write_status(Status("running", iteration=3, iterations=30))
    path = run.path / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def _start(run: Run) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "napari_mito_predict", "train", "--resume", str(run.path)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_of_two_resumed_at_once_one_trains(fields, make_config) -> None:
    for number in range(3):
        run = Run.create(make_config(fields, f"run{number}", iterations=20, validate_every=4))
        trainers = [_start(run), _start(run)]
        said = [trainer.communicate(timeout=300)[1] for trainer in trainers]
        assert sorted(trainer.returncode for trainer in trainers) == [0, 1], said
        refused = said[0] if trainers[0].returncode else said[1]
        assert "training this run already" in refused or "this run is finished" in refused
        iterations = [row["iteration"] for row in run.metrics]
        assert iterations == sorted(set(iterations))
        assert run.status.state == "done"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
def test_a_suspended_trainer_is_alive_however_old_its_heartbeat(fields, make_config) -> None:
    run = Run.create(make_config(fields, "run", iterations=100_000, validate_every=1000))
    trainer = _start(run)
    try:
        while trainer.poll() is None and not run.metrics:
            time.sleep(0.05)
        trainer.send_signal(signal.SIGSTOP)
        # The heartbeat may just have been about to be written; a suspended process writes no more.
        while psutil.Process(trainer.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        status = json.loads((run.path / "status.json").read_text(encoding="utf-8"))
        (run.path / "status.json").write_text(json.dumps(status | {"heartbeat": 1.0}), encoding="utf-8")
        assert run.status.alive
        with pytest.raises(RunInUseError, match=f"process {trainer.pid} is training this run already"):
            train(run)
        (run.path / "status.json").unlink()  # the lock alone
        with pytest.raises(RunInUseError, match="another process is training this run already"):
            train(run)
    finally:
        trainer.kill()
        trainer.communicate()
    assert not Run(run.path).status.alive


def test_a_killed_trainer_leaves_no_lock(fields, make_config) -> None:
    run = Run.create(make_config(fields, "run", iterations=100_000, validate_every=1000))
    trainer = _start(run)
    while trainer.poll() is None and not run.metrics:
        time.sleep(0.05)
    trainer.kill()
    trainer.communicate()
    assert run.status.state == "interrupted"
    with only_trainer(run.path) as locked:
        assert locked


@pytest.mark.parametrize("ahead", [-_YEAR_S, 0.0, _YEAR_S], ids=["old", "fresh", "a year ahead"])
def test_a_process_number_used_again_is_not_the_trainer(fields, make_config, sleeper, ahead: float) -> None:
    """Whatever the heartbeat says: the clock may have been wrong when it was written."""
    run = Run.create(make_config(fields, "run", iterations=2, validate_every=1))
    began = process_start(sleeper)
    _say(run, pid=sleeper.pid, started=began - 100, heartbeat=time.time() + ahead)
    assert run.status.state == "interrupted"
    _say(run, pid=sleeper.pid, started=began, heartbeat=time.time() + ahead)
    assert run.status.state == "running"
    with pytest.raises(RunInUseError, match=f"process {sleeper.pid} is training this run already"):
        train(run)
    _say(run, pid=sleeper.pid, started=began - 100, heartbeat=time.time() + ahead, iteration=0)
    assert train(run).status.state == "done"


def test_of_another_computer_only_the_heartbeat_is_known() -> None:
    there = {"state": "running", "pid": os.getpid(), "host": "another-computer", "started": 1.0}
    assert trainer_is_alive(Status(**there, heartbeat=time.time()))
    assert not trainer_is_alive(Status(**there, heartbeat=time.time() - 120))
    assert not trainer_is_alive(Status(**there, heartbeat=time.time() + _YEAR_S))


def test_an_earlier_version_did_not_say_when_it_began(sleeper) -> None:
    assert trainer_is_alive(Status("running", pid=sleeper.pid, heartbeat=time.time()))
    assert not trainer_is_alive(Status("running", pid=sleeper.pid, heartbeat=time.time() + _YEAR_S))


@pytest.mark.parametrize(
    "content",
    [
        '{"state": "running", "pid": -1, "heartbeat": 9e9}',
        '{"state": "running", "pid": "many"}',
        '{"state": "asleep"}',
        '{"state": "running", "scores": [1]}',
        '{"state": "running", "iteration": NaN}',
        '{"state": "running", "schema_version": 2}',
        "[]",
        "",
        "[" * 100_000,
        '{"state": "running", "pid": 1' + "0" * 400 + "}",
    ],
    ids=["pid", "text", "state", "scores", "nan", "newer", "list", "empty", "deep", "huge"],
)
def test_a_status_that_cannot_be_read_is_said_to_be_damaged(fields, make_config, content: str) -> None:
    run = Run.create(make_config(fields, "run", iterations=2, validate_every=1))
    (run.path / "status.json").write_text(content, encoding="utf-8")
    assert run.status.state == "damaged"
    assert str(run.path / "status.json") in run.status.message
    assert train(run).status.state == "done"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks otherwise")
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_drive_without_locks_is_said(
    fields, make_config, sleeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    import fcntl

    def no_locks(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    run = train(make_config(fields, "run", iterations=2, validate_every=1))
    assert run.status.state == "done"
    assert "has no file locks" in caplog.text
    assert "has no file locks" in (run.path / "log.txt").read_text(encoding="utf-8")
    _say(run, pid=sleeper.pid, started=process_start(sleeper))
    with pytest.raises(RunInUseError, match=f"process {sleeper.pid}"):
        train(run)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks otherwise")
def test_a_folder_that_cannot_be_written_is_said(fields, make_config, tmp_path: Path) -> None:
    run = Run.create(make_config(fields, "run", iterations=2, validate_every=1))
    (run.path / LOCK).unlink()
    (run.path / LOCK).mkdir()  # root may write anywhere, but not into a folder
    with pytest.raises(UnwritableOutputError, match="cannot be written to"):
        train(run)


def test_two_new_runs_in_one_folder(fields, make_config) -> None:
    config = make_config(fields, "run", iterations=2, validate_every=1)
    config.output.mkdir()
    with only_trainer(config.output), pytest.raises(RunInUseError):
        Run.create(config)
    assert not (config.output / "config.yaml").exists()
    Run.create(config)
    with pytest.raises(TrainingError, match="holds a run already"):
        Run.create(config)


def test_a_run_is_trained_once_within_a_process(fields, make_config) -> None:
    run = Run.create(make_config(fields, "run"))
    with only_trainer(run.path), pytest.raises(RunInUseError, match="another process"):
        train(run)
