"""Many images on the command line: run, with what is said of each. Imported when something is to be predicted."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from napari_mito_predict.cli._console import print_json, say
from napari_mito_predict.cli._outcomes import Bars, Report, option_that_helps, written
from napari_mito_predict.errors import PredictedInputError
from napari_mito_predict.image.zarr_plates import check_local
from napari_mito_predict.models.registry import find_model
from napari_mito_predict.prediction.batch.inputs import ALL_SCENES, Entry, find_entries
from napari_mito_predict.prediction.batch.outcome import Outcome, State, summary, write_outcomes
from napari_mito_predict.prediction.batch.watch import watch as watch_folder
from napari_mito_predict.prediction.many import run_batch

if TYPE_CHECKING:
    from napari_mito_predict.cli._console import OnProgress
    from napari_mito_predict.prediction.batch.settings import BatchSettings
    from napari_mito_predict.prediction.batch.stages import Begun

TABLE = "predictions.csv"
"""In the folder of the predictions of several images."""


class Workers(NamedTuple):
    """Who predicts: so many processes of this machine, or the workers of a scheduler."""

    jobs: int
    scheduler: str | None


def predict(
    inputs: Sequence[Path], scene: str | None, settings: BatchSettings, workers: Workers, *, json: bool
) -> None:
    """Predict images; ends with 1 where one could not be predicted.

    Raises
    ------
    MitoPredictError
        The only image that was named cannot be predicted.
    """
    _require_models(settings)
    if settings.into_plate:
        for path in inputs:
            check_local(path)
        scene = scene or ALL_SCENES
    entries = find_entries(inputs, scene=scene, axes=settings.axes)
    is_alone = len(entries) == 1 and entries[0].asked_for and scene != ALL_SCENES
    report, bars = Report(), Bars(len(entries))
    outcomes = []
    with bars.shown():
        for outcome in _outcomes(entries, settings, workers, report, bars):
            if is_alone and outcome.error is not None:
                report.known(outcome)
                option = option_that_helps(outcome.error)
                if option:
                    outcome.error.add_note(option)
                raise outcome.error
            report.ended(outcome)
            outcomes.append(outcome)
    _conclude(outcomes, inputs, settings, json=json)


def watch(inputs: Sequence[Path], scene: str | None, settings: BatchSettings, workers: Workers) -> None:
    """Predict what is written into a folder, until Ctrl-C."""
    if len(inputs) != 1:
        raise typer.BadParameter("one folder can be watched at a time", param_hint="--watch")
    _require_models(settings)
    stopped = threading.Event()
    entries = watch_folder(inputs[0], scene=scene, axes=settings.axes, stop=stopped.is_set)
    report, bars = Report(), Bars(None)
    say(f"Watching {inputs[0]}. Ctrl-C ends it.")
    try:
        with bars.shown():
            for outcome in _outcomes(entries, settings, workers, report, bars):
                if outcome.state is not State.LEFT_OUT:  # predictions that are written into the same folder
                    report.ended(outcome)
    finally:
        stopped.set()


def _require_models(settings: BatchSettings) -> None:
    """Find the models: one that is not there would fail with each image."""
    for name in settings.models:
        find_model(name)


def _outcomes(
    entries: Iterable[Entry | None], settings: BatchSettings, workers: Workers, report: Report, bars: Bars
) -> Iterator[Outcome]:
    def on_image(begun: Begun) -> OnProgress:
        report.begun(begun)
        return bars.begin(begun.image.name)

    jobs, scheduler = workers
    for outcome in run_batch(entries, settings, jobs=jobs, scheduler=scheduler, on_image=on_image):
        bars.end()
        yield outcome


def _conclude(outcomes: Sequence[Outcome], inputs: Sequence[Path], settings: BatchSettings, *, json: bool) -> None:
    """Sum up a batch; ends with 1 where something could not be predicted."""
    if all(outcome.state is State.LEFT_OUT for outcome in outcomes):
        raise PredictedInputError("there are only predictions here, and nothing to predict from.", file=inputs[0])
    if len(outcomes) > 1:
        say(f"{summary(outcomes)}.")
    if len(outcomes) > 1 and settings.folder is not None:
        write_outcomes(settings.folder / TABLE, outcomes)
        say(f"Wrote {settings.folder / TABLE}")
    if json:
        print_json(written(outcomes))
    failed = sum(outcome.state is State.FAILED for outcome in outcomes)
    if failed:
        say(f"{failed} of {len(outcomes)} images could not be predicted.")
        raise typer.Exit(1)
