"""``mito-predict models``: which models are there, what they are and are good for; bringing them in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_mito_predict.cli import _model_folders
from napari_mito_predict.cli._console import echo, print_json, say
from napari_mito_predict.cli._model_files import export, remove, rename
from napari_mito_predict.cli._model_import import import_
from napari_mito_predict.cli._model_judge import judge
from napari_mito_predict.cli._model_table import print_card, print_models, record

app = typer.Typer(
    help="List, show, verify and judge models; import and export, rename and remove them.", no_args_is_help=True
)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@app.command("list")
def list_(json: _Json = False) -> None:
    """List the models that can be named: your own, shared ones, those of installed packages, the bundled ones.

    Whatever lies among them and cannot be used is listed below, with the reason.
    """
    from napari_mito_predict.models import list_models

    models = list_models()
    if json:
        print_json([record(info) for info in models])
    elif models:
        print_models(models)
    else:
        say("No models found.")


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="Name of a model, or path of a model folder or zip file.")],
    json: _Json = False,
) -> None:
    """Show the card of a model: what it predicts, how it was trained, how far to trust it, where it is from."""
    from napari_mito_predict.models import find_model, list_models, printable, read_card

    path = find_model(model)
    card = read_card(path)
    if json:
        print_json({"path": printable(str(path)), **card.model_dump(mode="json"), "disclaimer": card.disclaimer})
        return
    print_card(path, card, next((info for info in list_models() if info.path == path), None))


@app.command()
def verify(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Names of models or paths of model folders or zip files; all models without it."),
    ] = None,
    json: _Json = False,
) -> None:
    """Check that models are intact: weights as on the card, and the stored sample gives the stored output."""
    from napari_mito_predict.errors import ModelError
    from napari_mito_predict.models import find_model, list_models, printable, verify_model

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
            passed, message = False, printable(str(error))
        results.append({"name": name, "path": printable(str(path)), "passed": passed, "message": message})
    if json:
        print_json(results)
    else:
        for result in results:
            word = "ok" if result["passed"] else "FAILED"
            echo(f"{word:<6}  {result['message']}")
    if not all(result["passed"] for result in results):
        raise typer.Exit(1)


app.command()(judge)
app.command("import")(import_)
app.command()(export)
app.command()(rename)
app.command()(remove)
app.add_typer(_model_folders.app, name="folders")
