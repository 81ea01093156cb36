"""``mito-predict models export``, ``rename`` and ``remove``."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mito_predict.cli._console import echo, say
from napari_mito_predict.errors import ImageError, OutputExistsError

if TYPE_CHECKING:
    from napari_mito_predict.models.czann import FixedInput


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
    images: Annotated[
        list[Path] | None,
        typer.Option(
            "--image",
            metavar="IMAGE",
            help="For czann: an image like those that ZEN will predict from. Several, each with --image, show what "
            "fixed constants cost.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")] = False,
) -> None:
    """Write a model into a file for others, with its card, licence and self-test.

    A zip file is the same, bit for bit, whenever and wherever it is made. Its
    SHA-256 is printed: with it, others can import the file from an address.

    Examples: `mito-predict models export mito-lab`,
    `mito-predict models export mito-lab -o shared/ --format folder`,
    `mito-predict models export mito-2d --format czann --image a.czi --image b.czi`.
    """
    from napari_mito_predict.models import export_model

    fixed = _fixed_input(model, format_, images or [])
    try:
        written = export_model(model, output, file_format=format_.value, overwrite=overwrite, fixed=fixed)
    except OutputExistsError as error:
        if not overwrite:
            error.add_note("(--overwrite)")
        raise
    echo(f"Written: {written}")
    if written.is_file():
        from napari_mito_predict._files import sha256_file

        say(f"SHA-256: {sha256_file(written)}")
    if fixed is not None:
        say(str(fixed))


def _fixed_input(model: str, file_format: ExportFormat, images: list[Path]) -> FixedInput | None:
    """Constants for ZEN; None for other formats."""
    if file_format is not ExportFormat.CZANN:
        if images:
            raise typer.BadParameter("--image is for --format czann")
        return None
    from napari_mito_predict.prediction.zen import fixed_input

    try:
        return fixed_input(model, images)
    except ImageError as error:
        if not images:
            error.add_note("(--image IMAGE)")
        raise


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="One of your own models.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What to call it from now on.")],
) -> None:
    """Give one of your own models another name; all else of it stays.

    Predictions that were made with it keep the old name in their records.
    """
    from napari_mito_predict.models import rename_model

    info = rename_model(old, new)
    echo(f"{old} is {info.name} now, in {info.path}")


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
    echo(f"Removed: {remove_model(model)}")
