"""A batch on many workers: dask.distributed decides which of them does what, and repeats what a lost one began."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from napari_mito_predict.errors import ClusterError, MissingExtraError, MitoPredictError, PredictionCancelled
from napari_mito_predict.prediction.batch.outcome import Outcome, State
from napari_mito_predict.prediction.batch.stages import Begun, Computed, Stages

if TYPE_CHECKING:
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
    """Predict images on the workers of a cluster, each as one task.

    Workers have to see the images and the folder of the predictions under the same paths, and load each model once.
    Results do not depend on where they were computed. Where workers have the resource `GPU`, only those get tasks.

    Parameters
    ----------
    entries : iterable of Entry or None
        From `find_entries`, or `watch`, whose None means that there is no other at the moment. Two for each thread of
        the cluster are under way, so that memory stays bounded.
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
    under_way: dict[Future, Entry] = {}
    is_more = True
    try:
        while is_more or under_way:
            if cancel is not None and cancel():
                raise PredictionCancelled("Cancelled; what was written is complete.")
            places = _AHEAD * _threads(client) - len(under_way)
            new, is_more = _next_entries(waiting, places)
            under_way |= {_submit(client, entry, settings): entry for entry in new}
            for future in _ended(under_way):
                yield _outcome(future, under_way.pop(future))
    finally:
        client.cancel(list(under_way), force=True)


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


def _submit(client: Client, entry: Entry, settings: BatchSettings) -> Future:
    """Give a task to the cluster; the same entry is a new task each time, since files change."""
    resources = {GPU: 1} if _has_gpus(client) else None
    return client.submit(predict_entry, entry, settings, pure=False, resources=resources)


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


def _outcome(future: Future, entry: Entry) -> Outcome:
    """What a task gave; a worker that ended again and again over it is the reason why it gave nothing."""
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    if not isinstance(error, MitoPredictError):
        error = ClusterError(f"its worker failed ({type(error).__name__}: {error})", file=entry.path)
    return Outcome(entry, State.FAILED, error=error)


# ------------------------------------------------------------------ on a worker

_opening = threading.Lock()
_computing = threading.Lock()
"""A network uses all threads that its process may use: threads of a worker take turns."""
_kept: list[Stages] = []
"""Of the batch that this worker works for, with its models."""


def predict_entry(entry: Entry, settings: BatchSettings) -> Outcome:
    """Predict one image in this process, which keeps the models for the next ones."""
    with _opening:
        if not _kept or _kept[0].settings != settings:
            _kept[:] = [Stages(settings)]
        stages = _kept[0]
        result: Begun | Computed | Outcome = stages.begin(entry)
    if isinstance(result, Begun):
        with _computing:
            result = stages.compute(result)
    if isinstance(result, Computed):
        result = stages.finish(result)
    return result


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            "Several processes at a time need dask.distributed: `pip install napari-mito-predict[distributed]`."
        ) from error
    return distributed
