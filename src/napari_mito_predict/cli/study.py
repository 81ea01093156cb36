"""``mito-predict study``: the paper's experiments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mito_predict.cli._console import echo, prepare_folder, print_table, progress, say

if TYPE_CHECKING:
    from napari_mito_predict.study.plan import Plan


def study(
    name: Annotated[
        str, typer.Argument(help="models, training-size, patch-size, architecture, combined, or all of them: all.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the study; go on in it by repeating.")],
    scale: Annotated[
        str,
        typer.Option(help="smoke (two minutes, numbers mean nothing), cpu (an hour or two), paper (days, with a GPU)."),
    ] = "cpu",
    processes: Annotated[int, typer.Option(min=1, help="Simulations, then trainings, at the same time.")] = 1,
    data: Annotated[
        Path | None,
        typer.Option(help="Your own pairs instead of simulated cells: a folder with a folder for each recipe letter."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done, and about how long it would take.")
    ] = False,
) -> None:
    """Repeat the experiments of Hsu, Lee & Wei 2021, on simulated cells or on your own pairs.

    The folder gets the data (data/), every training (runs/), a table for each study that says of each number which
    run and field it is from (results/), figures (figures/) and one page with everything: index.html. What is finished
    is not repeated: stop with Ctrl-C, repeat the command to go on.

    Example: mito-predict study architecture --scale cpu --processes 2 -o study
    """
    from napari_mito_predict.study.experiments import find_studies
    from napari_mito_predict.study.plan import make_plan
    from napari_mito_predict.study.scales import find_scale

    plan = make_plan(find_studies(name), find_scale(scale), output, own=data)
    if dry_run:
        _show(plan, processes)
    else:
        _run(plan, processes)


def _show(plan: Plan, processes: int) -> None:
    from napari_mito_predict.study.estimate import estimate

    found = estimate(plan, processes)
    print_table(["RUN", "STUDIES", "ITERATIONS", "HOURS"], found.rows)
    for line in found.lines:
        say(line)


def _run(plan: Plan, processes: int) -> None:
    from napari_mito_predict.errors import StudyError
    from napari_mito_predict.study.page import write_page
    from napari_mito_predict.study.runner import run_plan

    prepare_folder(plan.folder)
    try:
        with progress("Study") as on_progress:
            failures = run_plan(plan, processes, say, on_progress)
    except KeyboardInterrupt:
        say("Stopped. Repeat the command to go on.")
        raise
    if len(failures) < len(plan.runs):
        echo(write_page(plan))
    if failures:
        raise StudyError(f"{len(failures)} trainings failed, the first: {failures[0]} (logs: {plan.folder / 'logs'})")
