"""A batch on many workers: dask.distributed decides which of them does what, and repeats what a lost one began."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from napari_mito_predict.errors import ClusterError, PredictionCancelled
from napari_mito_predict.prediction.batch.inputs import Entry
from napari_mito_predict.prediction.batch.tasks import GPU, Tasks, has_gpus, import_distributed

if TYPE_CHECKING:
    from distributed import Client

    from napari_mito_predict.prediction.batch.outcome import Outcome
    from napari_mito_predict.prediction.batch.settings import BatchSettings
    from napari_mito_predict.prediction.run_state import Cancel

_AHEAD = 2
"""Tasks for each thread of the cluster that it knows of: one that is computed, and one that waits for it."""
_POLL_S = 0.5
_CONNECT_S = 20.0
_WORKERS_S = 60.0
_RESTART = "10 minutes"


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
    distributed = import_distributed()
    if threads is None:
        threads = max(1, (os.cpu_count() or 1) // workers)
    with (
        _patience(),
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",  # any free port: another cluster may run
            silence_logs=logging.ERROR,
            env={"OMP_NUM_THREADS": str(threads)},
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def _patience() -> AbstractContextManager[Any]:
    """Let a worker that was killed come back: a busy machine does not start one within the default of 15 s."""
    import dask

    patience: AbstractContextManager[Any] = dask.config.set({"distributed.deploy.lost-worker-timeout": _RESTART})
    return patience


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
    distributed = import_distributed()
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
    entries: Iterable[Entry | Outcome | None],
    settings: BatchSettings,
    client: Client,
    *,
    cancel: Cancel | None = None,
) -> Generator[Outcome]:
    """Predict images on the workers of a cluster, each as one task; a long series that becomes an OME-Zarr as several.

    Workers have to see the images and the folder of the predictions under the same paths, and load each model once.
    Results do not depend on where they were computed. Where workers have the resource `GPU`, only those get tasks.

    Parameters
    ----------
    entries : iterable of Entry, Outcome or None
        From `find_entries`, or `watch`, whose None means that there is no other at the moment. An outcome stands for
        an image that nothing is done with. Two tasks for each thread of the cluster are under way, so that memory
        stays bounded.
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
    with closing(Tasks(client, settings)) as tasks:
        while is_more or len(tasks):
            if cancel is not None and cancel():
                raise PredictionCancelled("Cancelled; what was written is complete.")
            threads = _threads(client)
            tasks.share(_AHEAD * threads)
            new, is_more = _next_entries(waiting, _AHEAD * threads - len(tasks))
            for entry in new:
                if isinstance(entry, Entry):
                    tasks.begin(entry, threads)
                else:
                    yield entry
            yield from tasks.ended()


def _next_entries(waiting: Iterator[Entry | Outcome | None], most: int) -> tuple[list[Entry | Outcome], bool]:
    """Up to `most` of those that are there at the moment, and whether there may be more of them later."""
    found: list[Entry | Outcome] = []
    while len(found) < most:
        try:
            entry = next(waiting)
        except StopIteration:
            return found, False
        if entry is None:
            break
        found.append(entry)
    return found, True


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
    if has_gpus(client):
        workers = [worker for worker in workers if worker["resources"].get(GPU)]
    threads: int = sum(worker["nthreads"] for worker in workers)
    return threads
