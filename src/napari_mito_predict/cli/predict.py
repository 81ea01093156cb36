"""``mito-predict predict``: files and folders in, predicted images out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_mito_predict.cli._console import parse_range, parse_tile, prepare_folder
from napari_mito_predict.prediction.batch.settings import BatchSettings, FileFormat


def predict(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help="Images (CZI, TIFF, OME-Zarr, ...), folders of them, patterns like 'scans/*.czi', OME-Zarr plates.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for the predictions; made if missing.")
    ] = None,
    into_plate: Annotated[
        bool,
        typer.Option(
            "--into-plate",
            help="Write into the plate (OME-Zarr) that INPUT is, for each field one image beside it in its well; with "
            "-o into a new plate of the same wells there. Predicts all fields, or the one of --scene.",
        ),
    ] = False,
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
        str | None,
        typer.Option("--scene", help="Scene by name or number from 0, or `all`. Default: the first, of a plate all."),
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
        FileFormat,
        typer.Option(
            "--format", help="File format of the predictions; ome-zarr is written while predicting, for large images."
        ),
    ] = FileFormat.OME_TIFF,
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
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Also write how far these 8 predictions scatter, voxel by voxel, and how far several models of one "
            "target do. Costs what --tta costs: try a part (--times 3, --planes 8-16). It is not the error: on real "
            "cells the brightness of the prediction told more of it (rank correlation 0.79, against 0.75 of this).",
        ),
    ] = False,
    smooth_time: Annotated[
        int,
        typer.Option(
            "--smooth-time",
            metavar="N",
            help="Smooth a series over N time points, such as 3: less flicker, where structures move little.",
        ),
    ] = 1,
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
    jobs: Annotated[
        int,
        typer.Option(
            "-j",
            "--jobs",
            "--local-cluster",
            min=1,
            help="Processes of this machine that predict at the same time and share its processors; for small images, "
            "and long series as OME-Zarr.",
        ),
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Let the workers of this dask scheduler predict, such as tcp://10.0.0.5:8786.",
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Go on with images that are written into the folder INPUT later, until Ctrl-C."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Predict mitochondria and DNA from the transmitted-light channel of each INPUT.

    For `cells.czi` and the bundled models, DIR then holds `cells_mitochondria.ome.tif` and `cells_dna.ome.tif`, on
    the input's own grid, each with a JSON file that says how it was made. Of several images, those that cannot be
    predicted are skipped with the reason, and the command ends with 1; predictions are skipped too, for they are no
    recordings. What is there already of the same image, model and parameters is not predicted again: an interrupted
    command goes on where it was. `predictions.csv` in DIR says what became of each image.

    Before that each image is looked at, and for each model a traffic light says whether its prediction can be believed:
    green, amber (with care) or red (do not believe it), with the reasons.

    Examples: `mito-predict predict cells.czi -o predicted`, `mito-predict predict scans/ -o predicted -m mito-z`,
    `mito-predict predict screen.ome.zarr --into-plate`.
    """
    if output is None and not into_plate:
        raise typer.BadParameter("Give a folder for the predictions (-o), or --into-plate.")
    options = {
        "channel": channel,
        "voxel_size_um": voxel_size,
        "resample": resample,
        "device": device,
        "precision": precision,
        "tile": parse_tile(tile),
        "tta": tta,
        "uncertainty": uncertainty,
        "smooth_time": smooth_time,
    }
    settings = BatchSettings(
        None if output is None else output.absolute(),
        tuple(models or ()),
        format_,
        composite,
        into_plate,
        overwrite,
        strict,
        axes,
        parse_range(times),
        parse_range(planes),
        options,
    )
    if output is not None:
        prepare_folder(output)
    from napari_mito_predict.cli import _batch

    workers = _batch.Workers(jobs, scheduler)
    if watch:
        _batch.watch(inputs, scene, settings, workers)
    else:
        _batch.predict(inputs, scene, settings, workers, json=json)
