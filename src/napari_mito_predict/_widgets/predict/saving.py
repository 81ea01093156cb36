"""Predictions as files from the dock: where they go, what is there already, and results larger than memory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._files import remove_abandoned
from napari_mito_predict._widgets.common.file_layers import lazy_stack

if TYPE_CHECKING:
    import numpy as np
    from dask.array import Array
    from numpy.typing import NDArray

    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.prediction import Execution, PredictionPlan

_TIFF = ".ome.tif"
_ZARR = ".ome.zarr"


class IfTaken(StrEnum):
    """What to do where there are results of an earlier prediction."""

    ASK = "ask"
    REPLACE = "replace"
    NUMBER = "number"


@dataclass(frozen=True)
class Destination:
    """Where to save predictions.

    Attributes
    ----------
    folder : Path
        Gets one file for each output.
    one_file : bool
        All outputs as the channels of one file instead.
    if_taken : IfTaken
        What to do where files of these names are there already.
    """

    folder: Path
    one_file: bool = False
    if_taken: IfTaken = IfTaken.ASK


@dataclass(frozen=True)
class Taken:
    """Nothing was computed: these files are there already, and nobody has said what to do about it."""

    files: tuple[Path, ...]


class Files:
    """The files of one prediction, found out before anything is computed.

    Parameters
    ----------
    plan : PredictionPlan
        What is predicted.
    source : ImageSource
        What is predicted from; files are named after it.
    destination : Destination
        Where to save.
    on_disk : bool
        As OME-Zarr, written while it is computed, because the results do not fit into memory; else as OME-TIFF.
    """

    def __init__(self, plan: PredictionPlan, source: ImageSource, destination: Destination, *, on_disk: bool) -> None:
        from napari_mito_predict.prediction.files import numbered, output_paths, taken

        remove_abandoned(destination.folder)  # first: what a killed run had moved away comes back
        suffix = _ZARR if on_disk else _TIFF
        one_file = destination.one_file
        self.on_disk = on_disk
        self._one_file = one_file
        self._replace = destination.if_taken is IfTaken.REPLACE
        self.paths = output_paths(destination.folder, source, plan.outputs, suffix, composite=one_file)
        if destination.if_taken is IfTaken.NUMBER and taken(self.paths.values()):
            self.paths = numbered(self.paths, suffix)
        self.taken: tuple[Path, ...] = ()
        if destination.if_taken is IfTaken.ASK:
            self.taken = tuple(taken(self.paths.values()))

    def check(self, plan: PredictionPlan) -> None:
        """Find out whether all of it can be written, before hours are spent on computing it.

        Raises
        ------
        OutputExistsError, UnwritableOutputError
            It cannot.
        """
        from napari_mito_predict.image import check_output
        from napari_mito_predict.prediction.files import check_record

        for path in self.paths.values():
            check_output(path, overwrite=self._replace, needed_bytes=plan.result_bytes)
            check_record(path, overwrite=self._replace)

    def save(self, execution: Execution, arrays: dict[str, NDArray[np.float32]]) -> None:
        """Write what was predicted, each file with its record, completely or not at all."""
        from napari_mito_predict.prediction import Prediction, save_composite

        predictions = {
            key: Prediction(arrays[key], output, execution.record(key))
            for key, output in execution.plan.outputs.items()
        }
        for key, path in self.paths.items():
            if self._one_file:
                save_composite(list(predictions.values()), path, overwrite=self._replace)
            else:
                predictions[key].save(path, overwrite=self._replace)

    def predict(self, execution: Execution) -> dict[str, Array]:
        """Predict into the files, block by block, and open what was written: every plane is read when it is shown.

        Returns
        -------
        dict of str to dask array, float32
            (T, Z, Y, X), without T for one time point, for each output.
        """
        from napari_mito_predict.image import open_image
        from napari_mito_predict.prediction import run_to_zarr

        if self._one_file:
            path = next(iter(self.paths.values()))
            run_to_zarr(execution, path, overwrite=self._replace)
            image = open_image(path)
            return {key: lazy_stack(image, channel) for channel, key in enumerate(execution.plan.outputs)}
        run_to_zarr(execution, self.paths, overwrite=self._replace)
        return {key: lazy_stack(open_image(path), 0) for key, path in self.paths.items()}
