"""What a cluster is asked for, and what follows from what it gives: parts of long series, and names for their files."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from napari_mito_predict._files import put_in_place, remove, unfinished_of, writer_token
from napari_mito_predict.errors import ClusterError, MissingExtraError, MitoPredictError
from napari_mito_predict.image.output import writing
from napari_mito_predict.prediction.batch.outcome import Outcome, State
from napari_mito_predict.prediction.batch.parts import Division, Finished, Part, Sharing
from napari_mito_predict.prediction.batch.worker import finish_entry, predict_entry, predict_part
from napari_mito_predict.prediction.files import recorded

if TYPE_CHECKING:
    from distributed import Client, Future

    from napari_mito_predict.prediction.batch.inputs import Entry
    from napari_mito_predict.prediction.batch.settings import BatchSettings

GPU: Final = "GPU"
"""The resource of workers that have one: ``dask worker ADDRESS --resources GPU=1``."""
_POLL_S = 0.5


@dataclass(eq=False)
class _Image:
    """An image that is under way, with what is known of its parts where it is divided."""

    entry: Entry
    writer: str = field(default_factory=writer_token)
    parts: list[Part] = field(default_factory=list)
    shared_since: float = 0.0


class _Waiting(NamedTuple):
    """A part of an image that no worker was asked for yet."""

    image: _Image
    division: Division
    times: range


class Tasks:
    """Tasks of a cluster; each is about one image.

    What is known of a part is kept here, so that a worker that is lost takes nothing with it but what it was doing.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    settings : BatchSettings
        What to do with each image.
    """

    def __init__(self, client: Client, settings: BatchSettings) -> None:
        self._client = client
        self._settings = settings
        self._under_way: dict[Future, _Image] = {}
        self._waiting: deque[_Waiting] = deque()

    def __len__(self) -> int:
        """How many there are, with the parts that wait."""
        return len(self._under_way) + len(self._waiting)

    def begin(self, entry: Entry, threads: int) -> None:
        """Give an image to a worker, which divides it among so many threads where it is a long series."""
        image = _Image(entry)
        self._submit(image, predict_entry, entry, self._settings, Sharing(threads, image.writer))

    def share(self, most: int) -> None:
        """Give parts that wait to workers, until so many tasks are under way."""
        while self._waiting and len(self._under_way) < most:
            part = self._waiting.popleft()
            self._submit(part.image, predict_part, part.division, self._settings, part.times)

    def ended(self) -> Iterator[Outcome]:
        """Go on with what has ended, after the first task did, or after a moment.

        Yields
        ------
        Outcome
            Of each image that nothing is to be done for any more.
        """
        for future in self._wait():
            image = self._under_way.pop(future, None)
            if image is None:  # given up meanwhile
                continue
            error = future.exception()
            outcome = self._follow(image, future) if error is None else self._fail(image, error)
            if outcome is not None:
                yield outcome

    def close(self) -> None:
        """Give up what is under way."""
        images = [*self._under_way.values(), *(part.image for part in self._waiting)]
        self._waiting.clear()
        self._client.cancel(list(self._under_way), force=True)
        for image in images:
            self._remove_files(image)

    def _submit(self, image: _Image, work: Callable[..., object], *arguments: object) -> None:
        """Ask for something; what was asked for before is a new task each time, since files change."""
        resources = {GPU: 1} if has_gpus(self._client) else None
        self._under_way[self._client.submit(work, *arguments, pure=False, resources=resources)] = image

    def _wait(self) -> list[Future]:
        futures = list(self._under_way)
        if not futures:
            return []
        try:
            return list(import_distributed().wait(futures, timeout=_POLL_S, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            return []

    def _follow(self, image: _Image, future: Future) -> Outcome | None:
        """Do what follows from what a task gave; what has become of its image, if that is known by it."""
        match future.result():
            case Division() as division:
                image.shared_since = time.monotonic()
                self._waiting += [_Waiting(image, division, times) for times in division.parts]
            case Part() as part:
                future.release()  # known here, it is not computed again when its worker is lost
                image.parts.append(part)
                if len(image.parts) == len(part.division.parts):
                    self._submit(image, finish_entry, part.division, self._settings, image.parts)
            case Finished() as finished:
                return self._complete(image, finished)
            case outcome:
                known: Outcome = outcome
                return known
        return None

    def _complete(self, image: _Image, finished: Finished) -> Outcome:
        """Put the files of an image in place, each with its record."""
        try:
            give_names(finished)
        except MitoPredictError as error:
            return self._fail(image, error)
        seconds = finished.outcome.seconds + time.monotonic() - image.shared_since
        return replace(finished.outcome, seconds=seconds)

    def _fail(self, image: _Image, error: BaseException) -> Outcome:
        """Give an image up; a worker that ended again and again over it is a reason too."""
        others = [future for future, other in self._under_way.items() if other is image]
        self._client.cancel(others, force=True)
        for future in others:
            del self._under_way[future]
        self._waiting = deque(part for part in self._waiting if part.image is not image)
        self._remove_files(image)
        if not isinstance(error, MitoPredictError):
            error = ClusterError(f"its worker failed ({type(error).__name__}: {error})", file=image.entry.path)
        return Outcome(image.entry, State.FAILED, error=error)

    def _remove_files(self, image: _Image) -> None:
        """Remove what is not complete; workers that write into it stop then."""
        if self._settings.folder is not None:
            for unfinished in unfinished_of(image.writer, self._settings.folder):
                remove(unfinished)


def give_names(finished: Finished) -> None:
    """Put the files of an image in place, each with its record.

    Raises
    ------
    UnwritableOutputError
        The operating system refused.
    """
    for path, record in finished.records.items():
        with recorded(path, record), writing(path):
            put_in_place(finished.unfinished[path], path, replace=True)


def has_gpus(client: Client) -> bool:
    """Whether there are workers with the resource `GPU`."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(worker["resources"].get(GPU) for worker in workers)


def import_distributed() -> Any:
    """Import dask.distributed.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            "Several processes at a time need dask.distributed: `pip install napari-mito-predict[distributed]`."
        ) from error
    return distributed
