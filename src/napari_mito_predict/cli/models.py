"""``mito-predict models``: which models are there, what they are, whether they are intact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mito_predict.cli._console import print_json, print_table, say

if TYPE_CHECKING:
    from napari_mito_predict.models import ModelCard, ModelInfo

app = typer.Typer(help="List, show and verify models.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
_THIRD_AXIS = {"z": "z-stack", "t": "time series"}


@app.command("list")
def list_(json: _Json = False) -> None:
    """List the models that can be named: your own, those of installed packages, the bundled ones.

    Your own models are looked for in the folder MITO_PREDICT_MODELS names, or in the user data folder.
    """
    from napari_mito_predict.models import list_models

    models = list_models()
    if json:
        print_json([_record(info) for info in models])
        return
    if not models:
        say("No models found.")
        return
    print_table(
        ["NAME", "PREDICTS", "FROM", "VOXEL SIZE (µm, z y x)", "CELLS", "NOTE"],
        [_row(info) for info in models],
    )


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="Name of a model, or path of a model folder.")], json: _Json = False
) -> None:
    """Show the card of a model: what it predicts, how it was trained, how far to trust it."""
    from napari_mito_predict.models import find_model, read_card

    path = find_model(model)
    card = read_card(path)
    if json:
        print_json({"path": path, **card.model_dump(mode="json"), "disclaimer": card.disclaimer})
    else:
        typer.echo(card.to_markdown().rstrip())
        typer.echo(f"\nFolder: {path}")


@app.command()
def verify(
    models: Annotated[
        list[str] | None, typer.Argument(help="Names of models or paths of model folders; all models without it.")
    ] = None,
    json: _Json = False,
) -> None:
    """Check that models are intact: weights as on the card, and the stored sample gives the stored output."""
    from napari_mito_predict.errors import ModelError
    from napari_mito_predict.models import find_model, list_models, verify_model

    results = []
    found: list[tuple[str, Path, str | None]]
    if models:
        found = [(name, find_model(name), None) for name in models]
    else:
        found = [(info.name, info.path, info.problem) for info in list_models()]
    for name, path, problem in found:
        try:
            if problem:
                raise ModelError(problem)
            report = verify_model(path)
            passed, message = report.passed, report.message
        except ModelError as error:
            passed, message = False, str(error)
        results.append({"name": name, "path": path, "passed": passed, "message": message})
    if json:
        print_json(results)
    else:
        for result in results:
            word = "ok" if result["passed"] else "FAILED"
            typer.echo(f"{word:<6}  {result['message']}")
    if not all(result["passed"] for result in results):
        raise typer.Exit(1)


def _record(info: ModelInfo) -> dict[str, object]:
    record: dict[str, object] = {
        "name": info.name,
        "path": info.path,
        "bundled": info.bundled,
        "source": info.source,
        "distribution": info.distribution,
        "problem": info.problem,
        "title": None,
        "targets": [],
        "third_axes": [],
        "voxel_size_um": None,
        "simulated": None,
        "cells": "",
        "licence": "",
        "disclaimer": "",
    }
    card = info.card
    if card is not None:
        record |= {
            "title": card.title,
            "targets": [target.model_dump(mode="json") for target in card.targets],
            "third_axes": card.input.third_axes,
            "voxel_size_um": card.input.voxel_size_um,
            "simulated": card.simulated,
            "cells": card.cells,
            "licence": card.licence,
            "disclaimer": card.disclaimer,
        }
    return record


def _row(info: ModelInfo) -> list[str]:
    card = info.card
    if card is None:
        return [info.name, "", "", "", "", f"cannot be used: {info.problem}"]
    note = card.disclaimer
    if not note and info.bundled:
        note = "bundled"
    elif not note:
        note = info.distribution
    return [
        info.name,
        ", ".join(f"{target.name} ({target.stain})" for target in card.targets),
        ", ".join(_THIRD_AXIS[axis] for axis in card.input.third_axes) or "single plane",
        _sampling(card),
        card.cells,
        note,
    ]


def _sampling(card: ModelCard) -> str:
    if not card.input.sampling_known:
        estimated = card.input.estimated_pixel_um
        return f"unknown, about {estimated:g}" if estimated else "unknown"
    return " ".join("-" if size is None else f"{size:g}" for size in card.input.voxel_size_um)
