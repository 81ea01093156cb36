"""``mito-predict models folders``: where models are looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_mito_predict.cli._console import echo, print_json, print_table

app = typer.Typer(
    help="Say in which folders models are looked for, such as one that a lab shares.", no_args_is_help=True
)


@app.command("list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False) -> None:
    """List the folders with models, in the order in which a name is looked up.

    Your own models lie in the folder that MITO_PREDICT_MODELS names, or in
    the user data folder. Shared folders are those that
    MITO_PREDICT_SHARED_MODELS names, and those that were added.
    """
    from napari_mito_predict.models import shared_folders, user_models_folder

    found = [{"kind": "own", "folder": user_models_folder()}]
    found += [{"kind": "shared", "folder": folder} for folder in shared_folders()]
    if json:
        print_json(found)
    else:
        print_table(["MODELS", "FOLDER"], [[str(entry["kind"]), str(entry["folder"])] for entry in found])


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With models in it.")],
) -> None:
    """Look for models in a further folder from now on; nothing is ever written there."""
    from napari_mito_predict.models import add_shared_folder

    add_shared_folder(folder)
    echo(f"Models are looked for in {folder.expanduser().absolute()} too.")


@app.command()
def forget(folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="One that was added.")]) -> None:
    """Look for models in a folder no more; nothing in it is changed."""
    from napari_mito_predict.models import forget_shared_folder

    forget_shared_folder(folder)
    echo(f"Models are looked for in {folder.expanduser().absolute()} no more.")
