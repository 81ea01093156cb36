"""Several predictions of one image as one picture: the channels of one file, each in its colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.prediction.files import check_one_grid, write_predictions
from napari_mito_predict.prediction.record import composite_record

if TYPE_CHECKING:
    from napari_mito_predict.prediction.result import Prediction


def save_composite(predictions: Sequence[Prediction], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write predictions of the same image as the channels of one file, and ``<name>.prediction.json`` beside it.

    Parameters
    ----------
    predictions : sequence of Prediction
        From one image, such as the values of what `predict` gives: from several models, or from one with several
        targets.
    path : str or Path
        ``*.ome.zarr`` or ``*.zarr`` for OME-Zarr, anything else is written as OME-TIFF.
    overwrite : bool
        Replace existing files.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OutputError
        None were given, or they are not of the same size and axes.
    OutputExistsError, UnwritableOutputError
        Nothing has been written then.
    """
    predictions = list(predictions)
    outputs = [prediction.output for prediction in predictions]
    check_one_grid(path, outputs)
    record = composite_record(outputs, [prediction.record for prediction in predictions])
    return write_predictions(path, predictions, record, overwrite=overwrite)
