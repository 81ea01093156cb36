"""A batch on many workers: dask.distributed decides which of them does what, and repeats what a lost one began."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from napari_mito_predict._files import put_in_place, remove, writer_token
from napari_mito_predict.errors import ClusterError, MissingExtraError, MitoPredictError, PredictionCancelled
from napari_mito_predict.image.output import writing
from napari_mito_predict.prediction.batch.outcome import Outcome, State
from napari_mito_predict.prediction.batch.parts import Division, Finished, Part, Sharing
from napari_mito_predict.prediction.batch.worker import finish_entry, predict_entry, predict_part
from napari_mito_predict.prediction.files import recorded

if TYPE_CHECKING:
    from pathlib import Path

    from distributed import Client, Future

    from napari_mito_predict.prediction.batch.inputs import Entry
    from napari_mito_predict.prediction.batch.settings import BatchSettings
    from napari_mito_predict.prediction.run_state import Cancel

GPU: Final = "GPU"
"""The resource of workers that have one: ``dask worker ADDRESS --resources GPU=1``."""
_AHEAD = 2
"""Images for each thread of the cluster that it knows of: one that is computed, and one that waits for it."""
_POLL_S = 0.5
_CONNECT_S = 20.0
_WORKERS_S = 60.0


@contextmanager
def local_cluster(workers: int, *, threads: int | None = None) -> Iterator[Client]:
    """Start workers on this machine; they end with the block.

    Parameters
    ----------
    workers : int
        How many processes.
    threads : int, optional
        That each of them computes with; an equal share of the processors by default.

    Raises
    ------
    MissingExtraError
        dask.distributed is not installed.
    """
    distributed = _distributed()
    if threads is None:
        threads = max(1, (os.cpu_count() or 1) // workers)
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.ERROR,
            env={"OMP_NUM_THREADS": str(threads)},
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to the scheduler of a cluster, such as ``tcp://10.0.0.5:8786``.

    Raises
    ------
    MissingExtraError
        dask.distributed is not installed.
    ClusterError
        Nobody answers at this address.
    """
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=_CONNECT_S)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no scheduler of dask answers at {address} ({error}). Start one with `dask scheduler`, and give the "
            "address that it prints."
        ) from error
    with client:
        yield client


def predict_on_cluster(
    entries: Iterable[Entry | None], settings: BatchSettings, client: Client, *, cancel: Cancel | None = None
) -> Generator[Outcome]:
    """Predict images on the workers of a cluster, each as one task; a long series that becomes an OME-Zarr as several.

    Workers have to see the images and the folder of the predictions under the same paths, and load each model once.
    Results do not depend on where they were computed. Where workers have the resource `GPU`, only those get tasks.

    Parameters
    ----------
    entries : iterable of Entry or None
        From `find_entries`, or `watch`, whose None means that there is no other at the moment. Two tasks for each
        thread of the cluster are under way, so that memory stays bounded.
    settings : BatchSettings
        What to do with each.
    client : distributed.Client
        Of the cluster.
    cancel : callable, optional
        Asked twice a second; True stops, and what was not begun is not begun any more.

    Yields
    ------
    Outcome
        One for each entry, as they end.

    Raises
    ------
    ClusterError
        There are no workers, or the scheduler is gone.
    PredictionCancelled
        `cancel` said so. Everything that was yielded is complete.
    """
    waiting = iter(entries)
    is_more = True
    with closing(_Tasks(client, settings)) as tasks:
        while is_more or len(tasks):
            if cancel is not None and cancel():
                raise PredictionCancelled("Cancelled; what was written is complete.")
            threads = _threads(client)
            tasks.share(_AHEAD * threads)
            new, is_more = _next_entries(waiting, _AHEAD * threads - len(tasks))
            for entry in new:
                tasks.begin(entry, threads)
            yield from tasks.ended()


@dataclass
class _Shared:
    """An image whose parts are predicted by several workers."""

    division: Division
    begun: float
    parts: list[Part] = field(default_factory=list)


class _Task(NamedTuple):
    """What a worker was asked for: a whole image, or something of one that is shared."""

    entry: Entry
    shared: _Shared | None = None


class _Tasks:
    """What the cluster was given and what follows from it: parts of images that are divided, and names for their files.

    What is known of a part is kept here, so that a worker that is lost takes nothing with it but what it was doing.

    Parameters
    ----------
    client : distributed.Client
    settings : BatchSettings
    """

    def __init__(self, client: Client, settings: BatchSettings) -> None:
        self._client = client
        self._settings = settings
        self._under_way: dict[Future, _Task] = {}
        self._waiting: deque[tuple[_Shared, range]] = deque()
        self._unfinished: set[Path] = set()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._under_way) + len(self._waiting)

    def begin(self, entry: Entry, threads: int) -> None:
        """Give an image to a worker, which divides it among so many threads where it is a long series."""
        self._submit(_Task(entry), predict_entry, entry, self._settings, Sharing(threads, writer_token()))

    def share(self, most: int) -> None:
        """Give parts that wait to workers, until so many tasks are under way."""
        while self._waiting and len(self._under_way) < most:
            shared, times = self._waiting.popleft()
            task = _Task(shared.division.entry, shared)
            self._submit(task, predict_part, shared.division, self._settings, times)

    def ended(self) -> Iterator[Outcome]:
        """Go on with what has ended, after the first task did, or after a moment; give the images that are done."""
        for future in _ended(self._under_way):
            task = self._under_way.pop(future, None)
            if task is None:  # of an image that was given up meanwhile
                continue
            outcome = self._followed(future, task)
            if outcome is not None:
                yield outcome

    def close(self) -> None:
        """Give up what is under way."""
        self._client.cancel(list(self._under_way), force=True)
        for folder in self._unfinished:
            remove(folder)

    def _submit(self, task: _Task, work: Callable[..., object], *arguments: object) -> None:
        """Ask for something; what was asked for before is a new task each time, since files change."""
        resources = {GPU: 1} if _has_gpus(self._client) else None
        self._under_way[self._client.submit(work, *arguments, pure=False, resources=resources)] = task

    def _followed(self, future: Future, task: _Task) -> Outcome | None:
        """Do what follows from a task that has ended; what has become of the image, if that is known."""
        error = future.exception()
        if error is not None:
            return self._failed(task, error)
        result = future.result()
        future.release()  # what is known here is not computed again when its worker is lost
        if isinstance(result, Division):
            shared = _Shared(result, time.monotonic())
            self._unfinished.update(result.folders)
            self._waiting += [(shared, times) for times in result.parts]
        elif isinstance(result, Part) and task.shared is not None:
            shared = task.shared
            shared.parts.append(result)
            if len(shared.parts) == len(shared.division.parts):
                self._submit(task, finish_entry, shared.division, self._settings, shared.parts)
        elif isinstance(result, Finished) and task.shared is not None:
            try:
                _give_names(result)
            except MitoPredictError as refused:
                return self._failed(task, refused)
            self._unfinished.difference_update(task.shared.division.folders)
            seconds = task.shared.division.seconds + time.monotonic() - task.shared.begun
            return replace(result.outcome, seconds=seconds)
        else:
            outcome: Outcome = result
            return outcome
        return None

    def _failed(self, task: _Task, error: BaseException) -> Outcome:
        """Why an image is not predicted; a worker that ended again and again over it is a reason too."""
        shared = task.shared
        if shared is not None:
            others = [future for future, other in self._under_way.items() if other.shared is shared]
            self._client.cancel(others, force=True)
            for future in others:
                del self._under_way[future]
            self._waiting = deque(waiting for waiting in self._waiting if waiting[0] is not shared)
            for folder in shared.division.folders:
                remove(folder)  # workers stop then
        if not isinstance(error, MitoPredictError):
            error = ClusterError(f"its worker failed ({type(error).__name__}: {error})", file=task.entry.path)
        return Outcome(task.entry, State.FAILED, error=error)


def _give_names(finished: Finished) -> None:
    """Put the files of an image in place, each with its record."""
    for path, record in finished.records.items():
        with recorded(path, record), writing(path):
            put_in_place(finished.unfinished[path], path, replace=True)


def _next_entries(waiting: Iterator[Entry | None], most: int) -> tuple[list[Entry], bool]:
    """Up to `most` of those that are there at the moment, and whether there may be more of them later."""
    found: list[Entry] = []
    while len(found) < most:
        try:
            entry = next(waiting)
        except StopIteration:
            return found, False
        if entry is None:
            break
        found.append(entry)
    return found, True


def _ended(under_way: Iterable[Future]) -> list[Future]:
    """Tasks that have ended, after the first did, or after a moment."""
    futures = list(under_way)
    if not futures:
        return []
    try:
        return list(_distributed().wait(futures, timeout=_POLL_S, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        return []


def _threads(client: Client) -> int:
    """Of all workers that get tasks; a worker that was lost may be on its way back.

    Raises
    ------
    ClusterError
        There are none, and none come.
    """
    threads = _threads_now(client)
    end = time.monotonic() + _WORKERS_S
    while threads == 0:
        if time.monotonic() > end:
            raise ClusterError("The cluster has no workers. Start some, with `dask worker ADDRESS`.")
        time.sleep(_POLL_S)
        threads = _threads_now(client)
    return threads


def _threads_now(client: Client) -> int:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if _has_gpus(client):
        workers = [worker for worker in workers if worker["resources"].get(GPU)]
    threads: int = sum(worker["nthreads"] for worker in workers)
    return threads


def _has_gpus(client: Client) -> bool:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(worker["resources"].get(GPU) for worker in workers)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            "Several processes at a time need dask.distributed: `pip install napari-mito-predict[distributed]`."
        ) from error
    return distributed
