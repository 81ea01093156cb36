"""What runs in the worker thread once Start is pressed. Knows images and models, no layers and no Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._widgets.batch.queue import Doing, Stage
from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.image import is_predicted_file
from napari_mito_predict.models.registry import find_model
from napari_mito_predict.prediction.batch.outcome import write_outcomes
from napari_mito_predict.prediction.batch.watch import watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mito_predict._widgets.batch.queue import Pause, Queue
    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict.prediction.batch.inputs import Entry
    from napari_mito_predict.prediction.batch.outcome import Outcome
    from napari_mito_predict.prediction.batch.settings import BatchSettings
    from napari_mito_predict.prediction.run_state import OnProgress

TABLE = "predictions.csv"
"""In the folder of the predictions."""


@dataclass(frozen=True)
class Request:
    """What to do.

    Attributes
    ----------
    settings : BatchSettings
        With each image.
    watched : Path or None
        A folder whose files are taken when they are complete, until somebody cancels.
    scene : str or None
        Of files in that folder; see `find_entries`.
    ended : frozenset of Entry
        What nobody has to look at again, unless it is written anew.
    """

    settings: BatchSettings
    watched: Path | None = None
    scene: str | None = None
    ended: frozenset[Entry] = frozenset()


def predicting(request: Request, queue: Queue, pause: Pause) -> Work:
    """Work that predicts what waits in a queue, and what is added to it meanwhile; the queue is told what comes of it.

    The first thing that it yields is `request`: then there are a folder and models. The others are for nobody.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.prediction.batch.local import predict_batch

        _make_folder(request.settings.folder)
        for name in request.settings.models:
            find_model(name)
        yield request
        outcomes = predict_batch(
            _taken(request, queue, pause, should_stop),
            request.settings,
            on_image=lambda begun: _reporter(begun.entry, queue),
            on_outcome=queue.end,
            cancel=lambda: pause.wait(should_stop),
        )
        with closing(outcomes):
            yield from outcomes

    return work


def _make_folder(folder: Path | None) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutputError(f"cannot be made ({error.strerror or error}).", file=folder) from error


def _reporter(entry: Entry, queue: Queue) -> OnProgress:
    """What takes how far an image is."""

    def report(done: int, total: int, message: str) -> None:
        stage = Stage.PREDICTING if done < total else Stage.WRITING
        queue.tell(entry, Doing(stage, done / max(total, 1)))

    report(0, 1, "")
    return report


def _taken(request: Request, queue: Queue, pause: Pause, should_stop: Callable[[], bool]) -> Iterator[Entry | None]:
    """Give images as long as there are some; while a folder is watched, None where there are none at the moment."""
    found = _watched(request, queue, should_stop)
    while not pause.wait(should_stop):
        entry = queue.take(but_in=request.watched)
        if entry is None and request.watched is None:
            return
        if entry is None:
            entry = next(found, None)
        yield entry


def _watched(request: Request, queue: Queue, should_stop: Callable[[], bool]) -> Iterator[Entry | None]:
    """What is in the watched folder, and what is written into it, but predictions; None where there is nothing new."""
    if request.watched is None:
        return
    known = set(request.ended)
    for entry in watch(request.watched, scene=request.scene, stop=should_stop):
        if entry in known:
            known.discard(entry)  # given again, it is another file of this name
        elif entry is None or (not is_predicted_file(entry.path) and queue.take_found(entry)):
            yield entry


def writing_table(path: Path, outcomes: Sequence[Outcome]) -> Work:
    """Work that writes a row for each image as CSV, and yields the path."""

    def work(should_stop: Callable[[], bool]) -> Iterator[Path]:
        write_outcomes(path, outcomes)
        yield path

    return work
