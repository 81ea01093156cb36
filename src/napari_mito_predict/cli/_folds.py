"""``train --folds``: a cross-validation, as a part of the command that trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from napari_mito_predict.cli._console import echo, print_table, progress, say
from napari_mito_predict.errors import TrainingError, UnwritableOutputError

if TYPE_CHECKING:
    from napari_mito_predict.training import TrainingConfig
    from napari_mito_predict.training.folds.plan import CrossValidation, Fold
    from napari_mito_predict.training.folds.results import Results


def parse_folds(text: str) -> int | None:
    """``all`` is None, a fold for each group; else the number of folds, two at least."""
    if text == "all":
        return None
    if text.isdecimal() and int(text) >= 2:
        return int(text)
    raise typer.BadParameter(f"'{text}' is neither all nor a number of folds, 2 or more")


def cross_validate(config: TrainingConfig, number: int | None, processes: int) -> None:
    """Train the folds that are not finished, and write and print the results.

    Raises
    ------
    TrainingError
        Folds are not finished; names them. Or the folder holds something else.
    """
    from napari_mito_predict.training.folds.page import write_page
    from napari_mito_predict.training.folds.plan import plan_folds
    from napari_mito_predict.training.folds.record import claim
    from napari_mito_predict.training.folds.runner import run_folds

    planned = plan_folds(config, number)
    claim(planned)
    failures: dict[str, str] = {}

    def on_end(fold: Fold, reason: str) -> None:
        if reason:
            failures[fold.name] = reason
        say(f"{fold.name}: {reason or planned.run_of(fold).status.message}")
        # Such as a table that is open in another program: no reason to stop the trainings that go on.
        try:
            write_page(planned, _results(planned))
        except UnwritableOutputError as error:
            say(str(error))

    try:
        with progress("Folds") as on_progress:
            run_folds(planned, processes, on_progress, on_end)
    except KeyboardInterrupt:
        say("Stopped. Repeat the command to go on.")
        raise
    results = _results(planned)
    page = write_page(planned, results)
    _print(results)
    echo(page)
    unfinished = {**results.unfinished, **failures}
    if unfinished:
        reasons = " ".join(f"{name}: {reason}" for name, reason in unfinished.items())
        raise TrainingError(
            f"{len(unfinished)} of {len(planned.folds)} folds are not finished. {reasons} Repeat the command to go on."
        )
    if results.unscored:
        reasons = " ".join(f"{name}: {reason}" for name, reason in results.unscored.items())
        raise TrainingError(
            f"{len(results.unscored)} of {len(planned.folds)} folds have ended without all of their scores. {reasons} "
            "To train one anew, delete its folder and repeat the command."
        )


def show_folds(planned: CrossValidation) -> None:
    """Print which groups each fold tests on, and validates on."""
    rows = []
    for fold in planned.folds:
        parts = planned.parts_of(fold)
        sizes = [str(len(fields)) for fields in (parts.training, parts.validation, parts.test)]
        tested = ", ".join(fold.held_out)
        rows.append([fold.name, tested, planned.validated_on(fold), "/".join(sizes)])
    print_table(["FOLD", "TESTED ON", "VALIDATED ON", "FIELDS: TRAIN/VALIDATE/TEST"], rows)


def _results(planned: CrossValidation) -> Results:
    """Gather the scores there are, and write them as a table."""
    from napari_mito_predict.training.folds.results import TABLE, collect, write_groups

    results = collect(planned)
    write_groups(planned.folder / TABLE, results.scores)
    return results


def _print(results: Results) -> None:
    from napari_mito_predict.training.folds.page import table_rows, verdict
    from napari_mito_predict.training.folds.results import summarise

    for summary in summarise(results.scores):
        head, rows = table_rows(summary)
        say(f"{summary.target}, PCC of each group held out")
        print_table([column.upper() for column in head], rows)
        say(verdict(summary))
