"""``mito-predict runs``: training runs on this computer, wherever they were started."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_mito_predict.cli._console import echo, print_json, print_table, say

if TYPE_CHECKING:
    from napari_mito_predict.training import Run

app = typer.Typer(help="List, show and stop training runs.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
_Which = Annotated[str, typer.Argument(metavar="RUN", help="Folder of a run, or the name of a known one.")]
_WIDTH, _HEIGHT = 60, 12
"""Of the curve, in characters; with its labels it fits a terminal of 80 columns."""
_STOP_TIMEOUT_S = 120


@app.command("list")
def list_(
    folder: Annotated[
        Path | None, typer.Argument(help="Look in this folder; without it, all runs this computer knows of.")
    ] = None,
    json: _Json = False,
) -> None:
    """List training runs, last changed first: state, how far, validation score, folder."""
    from napari_mito_predict.training.runs import known_runs, runs_in

    runs = known_runs() if folder is None else runs_in(folder)
    if json:
        print_json([_record(run) for run in runs])
    elif not runs:
        say("No runs found.")
    else:
        print_table(["NAME", "STATE", "ITERATION", "VALIDATION PCC", "FOLDER"], [_row(run) for run in runs])


@app.command()
def show(run: _Which, json: _Json = False) -> None:
    """Show one run: state, scores, and its curve drawn in the terminal."""
    found = _find(run)
    if json:
        print_json(_record(found) | {"metrics": found.metrics})
        return
    status = found.status
    echo(f"{found.path}\n{status.state}: {status.message}")
    if status.iterations:
        line = f"iteration {status.iteration} of {status.iterations}"
        if status.alive and status.seconds_left is not None:
            line += f", about {status.seconds_left / 60:.0f} min left"
        echo(line)
    for name, score in status.scores.items():
        echo(f"validation PCC, {name}: {score:.3f}")
    points = [(row["iteration"], row["val_pcc"]) for row in found.metrics if abs(row.get("val_pcc", 2)) <= 1]
    if len(points) > 1:
        echo("\n" + draw(points, "validation PCC"))


@app.command()
def stop(
    run: _Which,
    keep: Annotated[
        bool, typer.Option("--keep", help="Finish the model now instead of leaving the run to be resumed.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it has stopped.")] = False,
) -> None:
    """Stop a run after its current iteration; `mito-predict train --resume RUN` goes on later."""
    from napari_mito_predict.errors import TrainingError

    found = _find(run)
    if not found.status.alive:
        raise TrainingError(f"not running ({found.status.state}). {found.status.message}", file=found.path)
    found.request_stop(keep=keep)
    if not wait:
        say("Asked to stop; it does after its current iteration.")
        return
    end = time.monotonic() + _STOP_TIMEOUT_S
    while _find(run).status.alive and time.monotonic() < end:
        time.sleep(0.2)
    say(_find(run).status.message)


def draw(points: list[tuple[float, float]], title: str) -> str:
    """A curve in characters: one column per place along x, the last value there."""
    xs = [x for x, _ in points]
    ys = [y for _, y in points]
    left, right = min(xs), max(xs)
    low, high = min(ys), max(ys)
    span_x = (right - left) or 1.0
    span_y = (high - low) or 1.0
    cells = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for x, y in points:
        column = round((x - left) / span_x * (_WIDTH - 1))
        height = round((y - low) / span_y * (_HEIGHT - 1))
        cells[_HEIGHT - 1 - height][column] = "*"
    labels = {0: f"{high:7.3f}", _HEIGHT - 1: f"{low:7.3f}"}
    lines = [f"{labels.get(i, ' ' * 7)} |{''.join(row).rstrip()}" for i, row in enumerate(cells)]
    first, last = f"{left:.0f}", f"{right:.0f}"
    scale = first.ljust(_WIDTH - len(last)) + last
    return "\n".join([title, *lines, " " * 8 + "+" + "-" * _WIDTH, " " * 9 + scale])


def _find(which: str) -> Run:
    from napari_mito_predict.errors import TrainingError
    from napari_mito_predict.training import Run
    from napari_mito_predict.training.runs import known_runs

    if (run := Run(Path(which))).exists:
        return run
    for known in known_runs():
        if known.path.name == which:
            return known
    raise TrainingError(f"No run '{which}': neither a run folder nor a known run. `mito-predict runs list` shows them.")


def _record(run: Run) -> dict[str, Any]:
    return {"name": run.path.name, "path": run.path, **dataclasses.asdict(run.status)}


def _row(run: Run) -> list[str]:
    status = run.status
    best = status.scores.get("best")
    progress = f"{status.iteration} of {status.iterations}" if status.iterations else ""
    score = "" if best is None else f"{best:.3f}"
    return [run.path.name, status.state, progress, score, str(run.path)]
