"""Predictions into plates: for each field one image beside it in its well, or in the same well of another plate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.image.zarr_new_plate import field_in_new_plate
from napari_mito_predict.image.zarr_plates import plate_field
from napari_mito_predict.prediction.execute import run
from napari_mito_predict.prediction.run_state import RunContext
from napari_mito_predict.prediction.to_zarr import run_to_zarr

if TYPE_CHECKING:
    from napari_mito_predict.prediction.execute import Execution
    from napari_mito_predict.prediction.plan import PredictionPlan
    from napari_mito_predict.prediction.run_state import Cancel, OnProgress

SUFFIX = "predicted"
"""Of the path of a prediction in its well, behind that of the field."""


def predict_into_field(
    plan: PredictionPlan,
    *,
    suffix: str = SUFFIX,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    cancel: Cancel | None = None,
) -> Path:
    """Predict from a field of a plate into the plate: all outputs are the channels of one image beside the field.

    The image is written block by block, in the version of NGFF that the plate has, and appears in its well when it is
    complete; then the well lists it, in the acquisition of the field. Nothing else in the plate changes. After an
    error, a cancel or Ctrl-C the plate is as it was. The record is in the attributes of the image.

    Parameters
    ----------
    plan : PredictionPlan
        From `plan_prediction`, of an image that is a field of a plate.
    suffix : str
        What the path of the image has behind that of the field: ``A/1/0predicted`` for ``A/1/0``; letters and digits.
    overwrite : bool
        Replace an earlier prediction of that name.
    on_progress, cancel : callable, optional
        See `predict`.

    Returns
    -------
    Path
        The image.

    Raises
    ------
    OutputError
        The image is no field of a plate, or of another version than 0.4 and 0.5.
    OutputExistsError, UnwritableOutputError
        There is a prediction of that name, or the plate is read-only; nothing is computed.
    MissingReaderError
        The extra ``zarr`` is not installed.
    MitoPredictError
        As `predict`.
    """
    return run_into_field(run(plan, RunContext(on_progress, cancel)), suffix=suffix, overwrite=overwrite)


def run_into_field(execution: Execution, *, suffix: str = SUFFIX, overwrite: bool = False) -> Path:
    """Predict as `predict_into_field` does, by a run that nothing was asked of; it tells what it found."""
    field = plate_field(execution.plan.subject.image)
    path = field.beside(suffix)
    field.check_free(path, overwrite=overwrite)
    run_to_zarr(execution, path, overwrite=True, version=field.version, beside=False)
    field.list_image(path)
    return path


def run_into_new_plate(execution: Execution, plate: str | Path, *, overwrite: bool = False) -> Path:
    """Predict from a field of a plate into a plate of predictions, which has the same rows, columns and wells.

    The plate is made with its first image, as NGFF 0.5; other fields are added to it. An image has the path of the
    field that it is made from, and its record in its attributes.

    Parameters
    ----------
    execution : Execution
        From `run`, of an image that is a field of a plate.
    plate : str or Path
        The new plate; its folder must exist.
    overwrite : bool
        Replace an earlier prediction of the field there.

    Returns
    -------
    Path
        The image.

    Raises
    ------
    OutputError
        The image is no field of a plate.
    OutputExistsError, UnwritableOutputError
        There is a prediction of the field, or something else than a plate of predictions; nothing is computed.
    MitoPredictError
        As `predict`.
    """
    field = plate_field(execution.plan.subject.image)
    with field_in_new_plate(Path(plate), field, overwrite=overwrite) as path:
        run_to_zarr(execution, path, overwrite=overwrite, beside=False)
    return path
