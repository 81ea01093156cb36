"""``mito-predict train``: the trainer, as a command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mito_predict.cli._console import echo, print_table, progress, say
from napari_mito_predict.cli._folds import cross_validate, parse_folds, show_folds
from napari_mito_predict.errors import TrainingDataError, UnwritableOutputError

if TYPE_CHECKING:
    from napari_mito_predict.training import Run, TrainingConfig

_REFRESH_SECONDS = 1.0


def train(
    config: Annotated[Path | None, typer.Argument(help="What to train, from which files: a YAML file.")] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with the run in this folder.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="With --resume: do not go on, only finish the model of the stopped run.")
    ] = False,
    devices: Annotated[
        int | None, typer.Option("--devices", min=1, help="How many graphics cards (or processes) share each batch.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe", metavar="A1...H2", help="Train as in this row of the paper's Table 1; with --data, -o."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="With --recipe: folder of CZI, TIFF or OME-Zarr files of pairs.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="With --recipe: the run folder.")] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Only print the training configuration, as YAML to keep and change.")
    ] = False,
    allow_prediction_as_truth: Annotated[
        bool,
        typer.Option(
            "--allow-prediction-as-truth",
            help="Train on truths that are predictions themselves; else they are refused. The model's card says so.",
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only read and check the fields, and say how long training would take.")
    ] = False,
    folds: Annotated[
        str | None,
        typer.Option(
            "--folds",
            metavar="all|N",
            help="Cross-validate: hold out each group of `split.by` once (all), or deal the groups into N folds.",
        ),
    ] = None,
    processes: Annotated[int, typer.Option("--processes", min=1, help="With --folds: folds trained at a time.")] = 1,
) -> None:
    """Train or fine-tune a model on pairs of transmitted light and fluorescence.

    CONFIG names the files, the truth channels and the run folder; the documentation (fine-tuning) has an example.
    The run folder holds the loss curve (metrics.csv), the state (status.json) and the best model so far (model/),
    which `mito-predict predict -m RUN/model` takes. A file named `stop` in it, or Ctrl-C, pauses the run cleanly;
    `--resume RUN` goes on from there. `mito-predict runs` lists, shows and stops runs.

    Instead of CONFIG, `--recipe H1 --data FOLDER -o RUN` takes the settings of the paper.

    `--folds all` tells how well a model will do on the next dish: every group of fields is held out once, by a run of
    its own (fold-...) that never sees it. groups.csv and index.html beside these runs have the scores; repeat the
    command to go on with folds that were interrupted.
    """
    if sum(source is not None for source in (config, resume, recipe)) != 1:
        raise typer.BadParameter("give one of CONFIG.yaml, --resume RUN or --recipe NAME")
    if resume and (devices or check or print_config or allow_prediction_as_truth):
        raise typer.BadParameter(
            "--devices, --check, --print-config and --allow-prediction-as-truth go with CONFIG.yaml; a resumed run "
            "keeps what it began with"
        )
    if folds and resume:
        raise typer.BadParameter("--folds goes with CONFIG.yaml; repeat the command to go on with its folds")
    if processes > 1 and not folds:
        raise typer.BadParameter("--processes goes with --folds")
    if keep and not resume:
        raise typer.BadParameter("--keep goes with --resume RUN")
    if recipe and not (data and output):
        raise typer.BadParameter("--recipe needs the pairs (--data FOLDER) and the run folder (-o RUN)")
    if not recipe and (data or output):
        raise typer.BadParameter("--data and -o go with --recipe; CONFIG.yaml names files and run folder itself")
    from napari_mito_predict import training
    from napari_mito_predict.training.runs import remember

    request = None
    if config:
        request = _request(config, devices)
    elif recipe and data and output:
        request = _of_recipe(recipe, data, output, devices)
    if request and allow_prediction_as_truth:
        allowed = request.data.model_copy(update={"allow_prediction_as_truth": True})
        request = request.model_copy(update={"data": allowed})
    if print_config and request:
        echo(request.to_yaml(), nl=False)
        return
    if folds and request:
        with _way_out_named():
            _cross_validate(request, parse_folds(folds), processes, check=check)
        return
    if check and request:
        with _way_out_named():
            _check(request)
        return
    run = training.Run(resume or Path())
    if request:
        run = training.Run(request.output)
    with _way_out_named(), _stop_on_ctrl_c(run) as stopped, _progress_shown(run):
        training.train(request or run, keep=keep)
    remember(run)
    say(run.status.message)
    echo(run.model_folder)
    if stopped.is_set():
        say(f"Go on with: mito-predict train --resume {run.path}")
        raise typer.Exit(130)


def _request(path: Path, devices: int | None) -> TrainingConfig:
    from napari_mito_predict.training import TrainingConfig

    return _with_devices(TrainingConfig.load(path), devices)


def _of_recipe(name: str, data: Path, output: Path, devices: int | None) -> TrainingConfig:
    from napari_mito_predict.study.configs import files_in, recipe_config
    from napari_mito_predict.study.recipes import find_recipe

    return _with_devices(recipe_config(find_recipe(name), files_in(data), output), devices)


def _with_devices(config: TrainingConfig, devices: int | None) -> TrainingConfig:
    from napari_mito_predict.training import TrainingConfig

    if devices is None:
        return config
    return TrainingConfig.parse(config.model_dump() | {"devices": devices}, source=f"--devices {devices}")


def _cross_validate(config: TrainingConfig, number: int | None, processes: int, *, check: bool) -> None:
    """Train the folds, or only check what they would be trained on."""
    from napari_mito_predict.training.folds.plan import plan_folds

    if not check:
        cross_validate(config, number, processes)
        return
    planned = plan_folds(config, number)
    show_folds(planned)
    _check(planned.config_of(planned.folds[0]), planned.parts, runs=len(planned.folds), at_a_time=processes)


def _check(
    config: TrainingConfig, parts: Mapping[str, str] | None = None, *, runs: int = 1, at_a_time: int = 1
) -> None:
    """Print what is found in each field, and how long training would take; ends with 1 where it would not start.

    Of a cross-validation, `parts` are the folds that test on the fields, of which there are as many as `runs`.
    """
    from napari_mito_predict.training.checks import explain
    from napari_mito_predict.training.preflight import check_fields
    from napari_mito_predict.training.split import describe_groups

    with progress("Checking") as on_progress:
        checks = check_fields(config, on_progress, parts)
    rows = []
    for report in checks.reports:
        found = " ".join(explain("", report.findings))
        rows.append([report.name, report.part, found or "ok"])
    used = "USED FOR"
    if parts is not None:
        used = "TESTED BY"
    print_table(["FIELD", used, "FINDING"], rows)
    if config.split.by is not None:
        say(f"{describe_groups(report.group for report in checks.reports)}.")
    for line in explain("", checks.together):
        say(line)
    checks.refuse_errors()
    say(_duration(config, checks.ndim, runs, at_a_time))


def _duration(config: TrainingConfig, ndim: int, runs: int, at_a_time: int) -> str:
    """How long one training would take here, and several of them."""
    from napari_mito_predict.training.preflight import expected_duration

    duration = expected_duration(config, ndim)
    line = (
        f"{duration.seconds_each:.2f} s per iteration here: about {duration.minutes:.0f} min for "
        f"{config.iterations} iterations"
    )
    if duration.limit_minutes:
        line += f", limited to {duration.limit_minutes:g} min"
    if runs > 1:
        line += f", for each of {runs} folds"
    if at_a_time > 1:
        line += "; longer where folds that train at the same time share the processor"
    return f"{line}."


@contextmanager
def _way_out_named() -> Iterator[None]:
    """Say how to train on predictions all the same; the errors themselves speak to users of the dock too."""
    try:
        yield
    except TrainingDataError as error:
        if "prediction-as-truth" in error.codes:
            say("To train on predictions nevertheless, add --allow-prediction-as-truth.")
        raise


@contextmanager
def _stop_on_ctrl_c(run: Run) -> Iterator[threading.Event]:
    """Let the first Ctrl-C or SIGTERM end the run cleanly, as a `stop` file does; the second one breaks it off."""
    stopped = threading.Event()

    def on_interrupt(signum: int, frame: FrameType | None) -> None:
        stopped.set()
        _restore(before)
        try:
            run.request_stop()
        except UnwritableOutputError as error:  # no folder yet, or no way to write into it
            raise KeyboardInterrupt from error
        say("\nStopping after this iteration. Ctrl-C again breaks it off.")

    before = {signum: signal.signal(signum, on_interrupt) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        _restore(before)


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    for signum, handler in handlers.items():
        signal.signal(signum, handler)


@contextmanager
def _progress_shown(run: Run) -> Iterator[None]:
    """Show what the run folder says while the trainer writes it, on a terminal."""
    finished = threading.Event()

    def watch() -> None:
        while not finished.wait(_REFRESH_SECONDS):
            status = run.status
            if status.iterations:
                on_progress(status.iteration, status.iterations, status.message)

    with progress("Training") as on_progress:
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            finished.set()
            watcher.join()
