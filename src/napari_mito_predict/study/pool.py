"""A few processes that train one task after the other: starting one costs as much as a short training.

A worker outlives its leader for a moment: when the leader is killed, its workers see the end of their input, and pause
their runs cleanly (see `worker`).
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from napari_mito_predict.errors import StudyError
from napari_mito_predict.study.tasks import Outcome, TrainingTask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_PAUSE_TIMEOUT_S = 60.0
"""For pausing a run cleanly: it ends its iteration and writes a checkpoint."""
_POLL_S = 0.2


class Worker:
    """One process that trains.

    Parameters
    ----------
    log : Path
        Gets what it prints.
    threads : int
    answers : Queue
        Gets (worker, outcome) for each task, and (worker, None) when the process has ended.
    """

    def __init__(self, log: Path, threads: int, answers: queue.Queue[tuple[Worker, Outcome | None]]) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "napari_mito_predict.study.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONUTF8": "1"},
                # Ctrl-C is for this process, which then pauses its workers.
                start_new_session=sys.platform != "win32",
            )
        self.log = log
        self._listener = threading.Thread(target=self._listen, args=(answers,), daemon=True)
        self._listener.start()

    def give(self, task: TrainingTask) -> None:
        """Hand it a task."""
        if self._process.stdin is None:
            raise StudyError("A training process could not be given its task.")
        with suppress(BrokenPipeError):  # it has died, which the listener tells
            self._process.stdin.write(task.to_json().encode())
            self._process.stdin.flush()

    def dismiss(self) -> None:
        """End its input: it pauses what it does, and ends."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def wait(self, seconds: float) -> None:
        """Wait for its end; kill it after so many seconds."""
        try:
            self._process.wait(max(0.1, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def last_words(self) -> str:
        """Why it ended, as far as one can tell."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            lines = []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return f"its process ended with code {self._process.poll()}, after: {last}"

    def _listen(self, answers: queue.Queue[tuple[Worker, Outcome | None]]) -> None:
        for line in self._process.stdout or ():
            answers.put((self, Outcome.from_json(line.decode("utf-8"))))
        answers.put((self, None))


class Pool:
    """Workers that share a list of tasks; leaving the context pauses whatever is under way.

    Parameters
    ----------
    logs : Path
        Folder of their logs.
    processes : int
        Workers at most.
    threads : int
        Of each worker.
    """

    def __init__(self, logs: Path, processes: int, threads: int) -> None:
        self._logs = logs
        self._processes = processes
        self._threads = threads
        self._answers: queue.Queue[tuple[Worker, Outcome | None]] = queue.Queue()
        self._idle: list[Worker] = []
        self._busy: dict[Worker, TrainingTask] = {}
        self._started = 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exception: object) -> None:
        workers = [*self._idle, *self._busy]
        for worker in workers:
            worker.dismiss()
        end = time.monotonic() + _PAUSE_TIMEOUT_S
        for worker in workers:
            worker.wait(end - time.monotonic())

    @property
    def under_way(self) -> list[TrainingTask]:
        """Tasks being done now."""
        return list(self._busy.values())

    def do(self, tasks: Sequence[TrainingTask]) -> Iterator[tuple[TrainingTask, Outcome] | None]:
        """Do all tasks; yields each with its outcome as it ends, and ``None`` now and then, to show progress."""
        waiting = list(tasks)
        while waiting or self._busy:
            while waiting and len(self._busy) < self._processes:
                worker = self._free_worker()
                self._busy[worker] = waiting.pop(0)
                worker.give(self._busy[worker])
            try:
                worker, outcome = self._answers.get(timeout=_POLL_S)
            except queue.Empty:
                yield None
                continue
            yield from self._take(worker, outcome)

    def _take(self, worker: Worker, outcome: Outcome | None) -> Iterator[tuple[TrainingTask, Outcome]]:
        """Yield the task that a worker has done, or (without an outcome) died of; it may have had none."""
        task = self._busy.pop(worker, None)
        if outcome is not None:
            self._idle.append(worker)
        else:
            self._idle = [idle for idle in self._idle if idle is not worker]
            worker.dismiss()
            worker.wait(_PAUSE_TIMEOUT_S)
        if task is not None:
            yield task, outcome or Outcome("failed", worker.last_words)

    def _free_worker(self) -> Worker:
        """An idle one, or a new one."""
        if self._idle:
            return self._idle.pop()
        self._started += 1
        return Worker(self._logs / f"worker-{self._started}.txt", self._threads, self._answers)
