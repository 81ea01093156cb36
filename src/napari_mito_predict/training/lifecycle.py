"""A run from request to finished model."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import psutil
import torch

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.errors import (
    MitoPredictError,
    ModelError,
    RunInUseError,
    TrainingError,
    UnwritableOutputError,
)
from napari_mito_predict.evaluation import pcc
from napari_mito_predict.models import add_to_models, load_model
from napari_mito_predict.prediction import predict
from napari_mito_predict.training.baselines import predict_without_network
from napari_mito_predict.training.config import TrainingConfig
from napari_mito_predict.training.data import FieldReader, TrainingData, load_data, make_store
from napari_mito_predict.training.devices import is_first_process, make_fabric
from napari_mito_predict.training.export import finish_model
from napari_mito_predict.training.heartbeat import Heartbeat
from napari_mito_predict.training.lock import NO_LOCKS, only_trainer
from napari_mito_predict.training.pictures import save_picture
from napari_mito_predict.training.run import Run
from napari_mito_predict.training.start import of_normalised, start_model, start_network
from napari_mito_predict.training.trainer import Trainer

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from napari_mito_predict.models import Model
    from napari_mito_predict.training.checks import FieldReport, Reference
    from napari_mito_predict.training.store import PairStore

_log = logging.getLogger(__name__)


def train(request: TrainingConfig | Run, *, keep: bool = False) -> Run:
    """Train in a new run folder, or go on with an interrupted run.

    Parameters
    ----------
    request : TrainingConfig or Run
        What to train; or a run, which goes on from its newest checkpoint exactly where it stopped.
    keep : bool
        Do not go on, only finish the model of a stopped run.

    Returns
    -------
    Run
        The finished (or cleanly stopped) run; its `model` is the best one found.

    Raises
    ------
    TrainingError
        The data, the configuration or the numbers do not allow (further) training; the run folder says so too. Or
        there is no run that can go on; everything in its folder stays as it is then.
    RunInUseError
        Another process is training this run.
    """
    if isinstance(request, Run):
        run = request
    else:
        run = Run(request.output)
    if not is_first_process():  # the first one holds the lock, keeps the log and writes the status
        config = request
        if isinstance(config, Run):
            config = config.config
        with Heartbeat(run, silent=True) as heartbeat:
            _run(run, config, heartbeat)
        return run
    if isinstance(request, TrainingConfig):
        Run.create(request)
    elif not run.exists:
        raise TrainingError("no run there (no config.yaml). `mito-predict runs list` shows those known.", file=run.path)
    else:
        _refuse_in_use(run)
    with only_trainer(run.path) as locked:
        if isinstance(request, Run):
            _reopen(run, keep=keep)
        with run.logging(), Heartbeat(run) as heartbeat:
            if not locked:
                _log.warning(NO_LOCKS, run.path)
            with _failure_reported(heartbeat):
                # The request is read back from its file: what is on disk is what runs, now and when it is resumed.
                _run(run, run.config, heartbeat)
    return run


@contextmanager
def _failure_reported(heartbeat: Heartbeat) -> Iterator[None]:
    """Say in the run folder how a training ended that failed or was broken off."""
    try:
        yield
    except MitoPredictError as error:
        heartbeat.say(state="failed", message=str(error), seconds_left=None)
        _log.error("%s", error)
        raise
    except KeyboardInterrupt:
        heartbeat.say(state="stopped", message="Broken off; it goes on from its last checkpoint.")
        raise
    except Exception as error:
        heartbeat.say(state="failed", message=f"{type(error).__name__}: {error}", seconds_left=None)
        _log.exception("The training ended unexpectedly.")
        raise


def _run(run: Run, config: TrainingConfig, heartbeat: Heartbeat) -> None:
    """Read the fields, train, and finish the model, in one of the processes of a run."""
    with _threads(config.threads):
        _fit_and_finish(run, config, heartbeat)


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    """Let torch use so many threads of the processor; whoever called goes on with those it had."""
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fit_and_finish(run: Run, config: TrainingConfig, heartbeat: Heartbeat) -> None:
    began = time.monotonic()
    fabric = make_fabric(config)
    fabric.launch()
    # A resumed run has looked for shifts already, which takes a prediction of each field.
    look_for_shifts = config.look_for_shifts and not (run.path / "fields.json").exists()
    reader = FieldReader(config, reference_of(config), look_for_shifts=look_for_shifts)
    store = make_store(config, reader, run.path / "cache", psutil.virtual_memory().available)
    data = _read(run, config, reader, store, fabric, heartbeat)
    heartbeat.say(message="Starting.", iterations=config.iterations, scores=_baseline_scores(data))
    trainer = Trainer(run, config, data, fabric, heartbeat, began)
    heartbeat.say(state="running", message="Training.", iteration=trainer.progress.iteration)
    outcome = trainer.fit()
    if not fabric.is_global_zero:
        return
    if outcome == "paused":
        heartbeat.say(state="stopped", message="Paused; it can be resumed.", seconds_left=None)
        return
    heartbeat.say(message="Testing the best model on the test fields.")
    card = finish_model(run, config, data, reader)
    best = trainer.progress.best_pcc
    score = data.fields.score_name(config.select)
    message = f"Done after {trainer.progress.iteration} iterations, {score} {best:.2f}."
    if config.add_to_models:
        message = f"{message} {_add_to_models(run)}"
    store.clear()
    run.clear_stop()
    heartbeat.say(state="done", message=message, seconds_left=None)
    _log.info("%s", message)
    for where, scores in card.metrics.items():
        _log.info("%s: %s", where, ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))


def _add_to_models(run: Run) -> str:
    """Put the model into the user's list, and say so; where that cannot be, the run has succeeded all the same."""
    try:
        return f"It is in the model list as {add_to_models(run.model_folder).name}."
    except (ModelError, UnwritableOutputError) as error:
        _log.warning("%s", error)
        return str(error)


def _reopen(run: Run, *, keep: bool) -> None:
    """Make sure that a run can go on, and tidy up after one that was killed; what is refused is left as it is.

    Raises
    ------
    RunInUseError
        Another process is working on it.
    TrainingError
        It is finished, or none of its checkpoints can be used.
    """
    _refuse_in_use(run)
    status = run.status
    if status.state == "done":
        raise TrainingError(
            "this run is finished; to go on from its model, `start_from` it in a new run.", file=run.path
        )
    run.load_checkpoint()
    run.tidy()
    run.clear_stop()
    if keep:
        run.request_stop(keep=True)


def _refuse_in_use(run: Run) -> None:
    """Name the process that trains this run: a lock does not tell, and not every drive has locks."""
    status = run.status
    if status.alive and status.pid != os.getpid():
        raise RunInUseError(f"process {status.pid} is training this run already. Stop it first.", file=run.path)


def _read(
    run: Run, config: TrainingConfig, reader: FieldReader, store: PairStore, fabric: Fabric, heartbeat: Heartbeat
) -> TrainingData:
    """Read all fields: the first process checks and stores them, the others take them from the store."""
    total = len(reader.all_fields)

    def on_field(report: FieldReport, done: int) -> None:
        heartbeat.say(message=f"Reading and checking field {done} of {total}: {report.name}.")
        if report.picture is not None:
            save_picture(run.path / "checks" / f"{done:03d}.png", report.picture)

    gap = start_network(config, reader.sampling.ndim).receptive_field[-1]
    data = None
    if fabric.is_global_zero:
        data = load_data(reader, store, gap=gap, on_field=on_field)
        reader.look_for_shifts = False
        _write_reports(run, data)
        for message in data.messages:
            _log.warning("%s", message)
    fabric.barrier()
    return data or load_data(reader, store, gap=gap, follow=True)


def _write_reports(run: Run, data: TrainingData) -> None:
    rows = [
        {
            "name": report.name,
            "part": report.part,
            "group": report.group,
            "digest": report.digest,
            "shape": report.shape,
            "volumes": report.volumes,
            "findings": [dataclasses.asdict(finding) for finding in report.findings],
        }
        for report in data.reports
    ]
    atomic_write_text(run.path / "fields.json", json.dumps(rows, indent=1))


def _baseline_scores(data: TrainingData) -> dict[str, float]:
    """Validation PCC of what needs no network, mean over volumes and targets as for the model; 0 where it has none."""
    scores: dict[str, list[float]] = {name: [] for name in data.baselines}
    for pair in data.validation:
        for name, baseline in data.baselines.items():
            scores[name] += map(pcc, predict_without_network(baseline, pair.input), pair.truth)
    return {name: float(np.mean(np.nan_to_num(values))) for name, values in scores.items()}


def reference_of(config: TrainingConfig) -> Reference | None:
    """What truths should look like: the start model's prediction, where it predicts the same targets."""
    name = config.start_from
    if name is None:
        return None
    try:
        targets = load_model(name).targets
    except ModelError as error:
        raise TrainingError(f"The start model cannot be used. {error}") from error
    if not set(config.targets) & set(targets):
        return None

    @cache
    def fitting(ndim: int) -> Model:
        return start_model(name, ndim)

    def expect(given: np.ndarray) -> list[np.ndarray | None]:
        result = predict(given, of_normalised(fitting(given.ndim)), precision=config.precision)
        expected: list[np.ndarray | None] = []
        for name in config.targets:
            if name in result:
                expected.append(result[name].data)
            else:
                expected.append(None)
        return expected

    return expect
