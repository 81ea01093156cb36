"""A batch in this process: the next image is opened, and the last one written, while one is computed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from napari_mito_predict.errors import PredictionCancelled
from napari_mito_predict.prediction.batch.inputs import Entry
from napari_mito_predict.prediction.batch.stages import Begun, Computed, Stages
from napari_mito_predict.prediction.prefetch import prefetch

if TYPE_CHECKING:
    from napari_mito_predict.prediction.batch.outcome import Outcome
    from napari_mito_predict.prediction.batch.settings import BatchSettings
    from napari_mito_predict.prediction.run_state import Cancel, OnProgress

OnImage = Callable[["Begun"], "OnProgress | None"]
"""Told which image is computed now, and the plan; gives what is told how far that is."""


def predict_batch(
    entries: Iterable[Entry | Outcome | None],
    settings: BatchSettings,
    *,
    on_image: OnImage = lambda _: None,
    on_outcome: Callable[[Outcome], object] = lambda _: None,
    cancel: Cancel | None = None,
) -> Generator[Outcome]:
    """Predict images one after the other.

    Parameters
    ----------
    entries : iterable of Entry, Outcome or None
        From `find_entries`, or `watch`, whose None means that there is no other at the moment. An outcome stands for
        an image that nothing is done with.
    settings : BatchSettings
        What to do with each.
    on_image : callable, optional
        Takes what is computed now, a `Begun`; gives what takes tiles done, tiles in all, and a message.
    on_outcome : callable, optional
        Takes each `Outcome` as soon as it is known, in another thread: one is yielded when the next image is computed.
    cancel : callable, optional
        Asked before every layer of the network; True stops. It may wait before it answers: that is a pause.

    Yields
    ------
    Outcome
        One for each entry, in order.

    Raises
    ------
    PredictionCancelled
        `cancel` said so. What was yielded is complete, and nothing else was written.
    """
    stages = Stages(settings)
    begun = prefetch(_begin(entries, stages))
    with closing(begun), ThreadPoolExecutor(1, thread_name_prefix="write") as pool:
        writing: Future[Outcome] | None = None
        for each in begun:
            try:
                result = stages.compute(each, on_image(each), cancel) if isinstance(each, Begun) else each
            except PredictionCancelled:
                if writing is not None:
                    yield writing.result()
                raise
            if writing is not None:  # one result waits to be written, no more: memory stays bounded
                yield writing.result()
                writing = None
            if result is not None:
                writing = pool.submit(_finish, stages, result, on_outcome)
        if writing is not None:
            yield writing.result()


def _begin(entries: Iterable[Entry | Outcome | None], stages: Stages) -> Generator[Begun | Outcome | None]:
    for entry in entries:
        yield stages.begin(entry) if isinstance(entry, Entry) else entry


def _finish(stages: Stages, result: Computed | Outcome, on_outcome: Callable[[Outcome], object]) -> Outcome:
    outcome = stages.finish(result) if isinstance(result, Computed) else result
    on_outcome(outcome)
    return outcome
