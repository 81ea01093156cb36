"""``mito-predict predict``: files and folders in, predicted images out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mito_predict.cli._console import parse_range, parse_tile, prepare_folder, print_json, say
from napari_mito_predict.cli._predicting import OutputFormat, PredictionJob
from napari_mito_predict.errors import (
    IncompleteImageError,
    MetadataError,
    MitoPredictError,
    OutputExistsError,
    PredictedInputError,
    PredictionCancelled,
    ResultTooLargeError,
    UnknownAxesError,
    UnreadableImageError,
)

if TYPE_CHECKING:
    from napari_mito_predict.image import ImageSource

_ALL = "all"
"""Of the scenes."""
_MOST_NAMED = 8
"""Scenes of a file, of which a plate has thousands."""


def predict(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Images (CZI, TIFF, OME-Zarr, ...), or folders of them.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the predictions; made if missing.")
    ],
    models: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            help="Name or folder of a model; repeat for several. Without it: the bundled pair, or for a single plane "
            "of bright-field the installed model of real cells.",
        ),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option("--channel", help="Transmitted-light channel, by name or number from 0, if it is not found."),
    ] = None,
    scene: Annotated[
        str | None, typer.Option("--scene", help="Scene by name or number from 0, or `all`. Default: the first.")
    ] = None,
    times: Annotated[
        str | None,
        typer.Option("--times", metavar="FIRST-LAST", help="Only these time points, from 0: 0-12, or one like 3."),
    ] = None,
    planes: Annotated[
        str | None, typer.Option("--planes", metavar="FIRST-LAST", help="Only these Z steps, from 0: 2-20.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps ...")] = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="auto, 32, bf16 or 16; 32 is the most exact and works everywhere.")
    ] = "auto",
    format_: Annotated[
        OutputFormat,
        typer.Option(
            "--format", help="File format of the predictions; ome-zarr is written while predicting, for large images."
        ),
    ] = OutputFormat.OME_TIFF,
    tile: Annotated[
        str,
        typer.Option(
            "--tile", help="auto, whole, or voxels like 64x256x256 (z, y, x); changes memory use, not results."
        ),
    ] = "auto",
    tta: Annotated[
        bool,
        typer.Option(
            "--tta", help="Average over all 8 flips and quarter turns: slightly better, 8 times the computing."
        ),
    ] = False,
    resample: Annotated[
        bool,
        typer.Option(
            "--resample/--no-resample",
            help="Give a model the image at the voxel size that it was trained at, or pixel for pixel.",
        ),
    ] = True,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Refuse an image whose traffic light is amber or red, before anything is computed.",
        ),
    ] = False,
    composite: Annotated[
        bool, typer.Option("--composite", help="All targets as the channels of one file, each in its colour.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace predictions that exist.")] = False,
    axes: Annotated[
        str | None, typer.Option("--axes", help="Axes of a TIFF or OME-Zarr that does not say them, like ZYX or TYX.")
    ] = None,
    voxel_size: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            "--voxel-size",
            metavar="Z Y X",
            help="Voxel size in micrometres, where the file does not know it or is wrong.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Predict mitochondria and DNA from the transmitted-light channel of each INPUT.

    For `cells.czi` and the bundled models, DIR then holds `cells_mitochondria.ome.tif` and `cells_dna.ome.tif`, on
    the input's own grid, each with a JSON file that says how it was made. In a folder, files that cannot be predicted
    are skipped with the reason, and the command ends with 1; predictions are skipped too, for they are no recordings.

    Before that each image is looked at, and for each model a traffic light says whether its prediction can be believed:
    green, amber (with care) or red (do not believe it), with the reasons.

    Examples: `mito-predict predict cells.czi -o predicted`, `mito-predict predict scans/ -o predicted -m mito-z`.
    """
    options = {
        "channel": channel,
        "voxel_size_um": voxel_size,
        "resample": resample,
        "device": device,
        "precision": precision,
        "tile": parse_tile(tile),
        "tta": tta,
    }
    part = {"times": parse_range(times), "planes": parse_range(planes)}
    job = PredictionJob(output, format_, overwrite, composite, tuple(models or ()), strict, options)
    prepare_folder(output)
    files = list(chain.from_iterable(_images_in(entry) for entry in inputs))
    is_alone = len(files) == 1 and scene != _ALL
    images = 0
    failed = 0
    left_out = 0
    for file, which, opened in chain.from_iterable(_open(file, scene, axes) for file in files):
        images += 1
        try:
            if isinstance(opened, MitoPredictError):
                raise opened
            job.run(opened.crop(**part) if any(part.values()) else opened)
        except PredictionCancelled:
            raise
        except MitoPredictError as error:
            option = _option_that_helps(error)
            if is_alone:
                if option:
                    error.add_note(option)
                raise
            # Where results go into the folder of their inputs, the next run finds them there: nothing has failed.
            if file not in inputs and _is_prediction(file, error):
                left_out += 1
            else:
                failed += 1
            reason = " ".join(error.reason_about(file).split())  # on one line
            say(f"Skipped {file}{which}: {reason} {option}".rstrip())
    if left_out == images:
        raise PredictedInputError("there are only predictions here, and nothing to predict from.", file=inputs[0])
    if json:
        print_json(job.records)
    if failed:
        say(f"{failed} of {images} images could not be predicted.")
        raise typer.Exit(1)


def _option_that_helps(error: MitoPredictError) -> str:
    """Name the option for what an error advises: errors are read in the dock as well, which has no options."""
    if isinstance(error, OutputExistsError):
        return "(--overwrite)"
    if isinstance(error, IncompleteImageError):
        return "(--times, --planes)"
    if isinstance(error, UnknownAxesError):
        return "" if "--axes" in str(error) else "(--axes)"
    if isinstance(error, MetadataError):
        return "(--voxel-size)"
    if isinstance(error, ResultTooLargeError):
        return "(--format ome-zarr)"
    return ""


def _images_in(entry: Path) -> list[Path]:
    """`entry` itself, or what looks like an image in that folder."""
    from napari_mito_predict.image import is_zarr, list_images

    if not entry.is_dir() or is_zarr(entry):
        return [entry]
    found = list_images(entry)
    if not found:
        raise UnreadableImageError("no CZI, TIFF, OME-Zarr or PNG image in this folder.", file=entry)
    return found


def _is_prediction(file: Path, error: MitoPredictError) -> bool:
    """Whether that is why a file could not be predicted from; one that does not open is judged by its record."""
    from napari_mito_predict.image import is_predicted_file

    return isinstance(error, PredictedInputError) or is_predicted_file(file)


def _named(scenes: Sequence[str]) -> str:
    """Say which scenes there are, and how to choose one or all of them."""
    names = ", ".join(scenes[:_MOST_NAMED])
    if len(scenes) > _MOST_NAMED:
        names += ", ..."
    return f'{len(scenes)} scenes: {names}. This is the first. Others: --scene "{scenes[1]}", for example, or all.'


def _open(
    file: Path, scene: str | None, axes: str | None
) -> Iterator[tuple[Path, str, ImageSource | MitoPredictError]]:
    """Open what is wanted of a file: the image, or why there is none, with the file and words on which scene it is."""
    from napari_mito_predict.image import open_image, open_scenes

    try:
        if scene == _ALL:
            for name, opened in open_scenes(file, axes=axes):
                yield file, f", scene {name}", opened
            return
        image = open_image(file, scene=scene, axes=axes)
    except MitoPredictError as error:
        yield file, "", error
        return
    if scene is None and len(image.scenes) > 1:
        say(f"{file.name} holds {_named(image.scenes)}")
    yield file, "", image
