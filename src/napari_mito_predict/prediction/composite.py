"""Several predictions of one image as one picture: the channels of one file, each in its colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_mito_predict.errors import OutputError
from napari_mito_predict.prediction.result import Prediction, write_predictions


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
    if not predictions:
        raise OutputError(f"{path}: there are no predictions to put together.")
    grids = {f"{p.output.axes} {' x '.join(map(str, p.data.shape))}" for p in predictions}
    if len(grids) > 1:
        raise OutputError(f"{path}: predictions of one grid go together, these have {' and '.join(sorted(grids))}.")
    return write_predictions(path, predictions, _record(predictions), overwrite=overwrite)


def _record(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """One record for all: the disclaimers where readers of single records look for them, then each in full."""
    disclaimers = dict.fromkeys(p.output.disclaimer for p in predictions if p.output.disclaimer)
    channels = [{"channel": p.output.title, **p.record} for p in predictions]
    return {"disclaimer": " ".join(disclaimers), "channels": channels}
