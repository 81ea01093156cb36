"""``mito-predict models export``, ``rename`` and ``remove``."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_mito_predict.cli._console import say
from napari_mito_predict.errors import OutputExistsError


class ExportFormat(StrEnum):
    """What a model is written as."""

    ZIP = "zip"
    FOLDER = "folder"
    BIOIMAGEIO = "bioimageio"
    CZANN = "czann"


def export(
    model: Annotated[str, typer.Argument(metavar="NAME", help="Name of a model, or path of a package.")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="PATH", help="A folder, or the file itself. Default: this folder."),
    ] = Path(),
    format_: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="zip or folder: for others who use this program; bioimageio: for the BioImage Model Zoo; czann: for "
            "ZEN and arivis.",
        ),
    ] = ExportFormat.ZIP,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")] = False,
) -> None:
    """Write a model into a file for others, with its card, licence and self-test.

    A zip file is the same, bit for bit, whenever and wherever it is made. Its
    SHA-256 is printed: with it, others can import the file from an address.

    Examples: `mito-predict models export mito-lab`,
    `mito-predict models export mito-lab -o shared/ --format folder`.
    """
    from napari_mito_predict.models import export_model

    try:
        written = export_model(model, output, file_format=format_.value, overwrite=overwrite)
    except OutputExistsError as error:
        if not overwrite:
            error.add_note("(--overwrite)")
        raise
    typer.echo(f"Written: {written}")
    if written.is_file():
        from napari_mito_predict._files import sha256_file

        say(f"SHA-256: {sha256_file(written)}")


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="One of your own models.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What to call it from now on.")],
) -> None:
    """Give one of your own models another name; all else of it stays.

    Predictions that were made with it keep the old name in their records.
    """
    from napari_mito_predict.models import rename_model

    info = rename_model(old, new)
    typer.echo(f"{old} is {info.name} now, in {info.path}")


def remove(
    model: Annotated[str, typer.Argument(metavar="NAME", help="One of your own models.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove one of your own models for good; asks first.

    Models that came with this program or with another package, and those in
    shared folders, stay as they are.
    """
    from napari_mito_predict.models import own_model, remove_model

    info = own_model(model)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter(f"'{model}' would be removed for good, and nobody can be asked here: say --yes")
        if not typer.confirm(f"Remove {info.name} ({info.path}) for good?"):
            say("Nothing was removed.")
            raise typer.Exit(1)
    typer.echo(f"Removed: {remove_model(model)}")
