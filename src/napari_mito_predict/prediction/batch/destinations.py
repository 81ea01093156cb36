"""Where the predictions of an image go: files in a folder, its own plate, or a new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from napari_mito_predict.image import ImageSource, check_output
from napari_mito_predict.image.names import file_stem, image_stem
from napari_mito_predict.image.zarr_new_plate import list_in_new_plate
from napari_mito_predict.image.zarr_plates import PlateField, plate_field
from napari_mito_predict.prediction.files import check_record, complete_record, output_paths
from napari_mito_predict.prediction.to_plate import SUFFIX, run_into_field, run_into_new_plate
from napari_mito_predict.prediction.to_zarr import run_to_zarr

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding
    from napari_mito_predict.prediction.batch.settings import BatchSettings
    from napari_mito_predict.prediction.execute import Execution


def destinations(image: ImageSource, keys: Iterable[str], settings: BatchSettings) -> dict[str, Path]:
    """Where the outputs of an image go; all of them in one key where they share a file.

    Raises
    ------
    OutputError
        They are to go into a plate, and the image is no field of one.
    """
    if not settings.into_plate:
        folder = cast("Path", settings.folder)  # else the settings could not have been made
        return output_paths(folder, image, keys, settings.file_format.suffix, composite=settings.composite)
    field = plate_field(image)
    path = field.beside(SUFFIX)
    if settings.folder is not None:
        path = _new_plate(field, settings.folder) / field.well.parent.name / field.well.name / field.name
    return {" + ".join(keys): path}


def notes_on(image: ImageSource, settings: BatchSettings) -> list[Finding]:
    """What is to be known of where the outputs of an image go."""
    if settings.into_plate and settings.folder is None:
        return plate_field(image).findings()
    return []


def check_destinations(
    image: ImageSource, paths: Iterable[Path], settings: BatchSettings, *, needed_bytes: int = 0
) -> None:
    """Find out whether all can be written, each with its record; `needed_bytes` in all.

    Raises
    ------
    OutputExistsError, UnwritableOutputError
        One cannot.
    """
    if not settings.into_plate:
        for path in paths:
            check_output(path, overwrite=settings.overwrite, needed_bytes=needed_bytes)
            check_record(path, overwrite=settings.overwrite)
    elif settings.folder is None:
        field = plate_field(image)
        for path in paths:
            field.check_free(path, overwrite=settings.overwrite)
    # A new plate is checked when the run begins, before anything is computed.


def complete(image: ImageSource, paths: Iterable[Path], settings: BatchSettings) -> None:
    """Do what is left of writing outputs that are there, where a run was killed: records beside, lists of a plate.

    Raises
    ------
    UnwritableOutputError
        It cannot be written.
    """
    for path in paths:
        if not settings.into_plate:
            complete_record(path)
        elif settings.folder is None:
            plate_field(image).list_image(path)
        else:
            field = plate_field(image)
            list_in_new_plate(_new_plate(field, settings.folder), field)


def written_folders(paths: Iterable[Path], settings: BatchSettings) -> set[Path]:
    """Folders that something is written into with these outputs; they need not exist."""
    if not settings.into_plate:
        return {path.parent for path in paths}
    levels = [[path, *path.parents[:3]] for path in paths]  # attributes of the image, its well, row and plate
    return set(chain.from_iterable(levels))


def write_blocks(execution: Execution, paths: Mapping[str, Path], settings: BatchSettings) -> None:
    """Predict into OME-Zarr, block by block."""
    if not settings.into_plate:
        where: Path | dict[str, Path] = dict(paths)
        if settings.composite:
            (where,) = paths.values()
        run_to_zarr(execution, where, overwrite=settings.overwrite)
    elif settings.folder is None:
        run_into_field(execution, overwrite=settings.overwrite)
    else:
        plate = _new_plate(plate_field(execution.plan.subject.image), settings.folder)
        run_into_new_plate(execution, plate, overwrite=settings.overwrite)


def _new_plate(field: PlateField, folder: Path) -> Path:
    return folder / f"{file_stem(image_stem(field.plate))}_predicted.ome.zarr"
