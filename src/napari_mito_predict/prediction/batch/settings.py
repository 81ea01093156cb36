"""What is done with each image of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from napari_mito_predict.errors import OutputError


class FileFormat(StrEnum):
    """How predictions are written."""

    OME_TIFF = "ome-tiff"
    OME_ZARR = "ome-zarr"

    @property
    def suffix(self) -> str:
        """Of the files."""
        return _SUFFIXES[self]


_SUFFIXES = {FileFormat.OME_TIFF: ".ome.tif", FileFormat.OME_ZARR: ".ome.zarr"}


@dataclass(frozen=True)
class BatchSettings:
    """What is done with each image of a batch; can be sent to other processes.

    Attributes
    ----------
    folder : Path or None
        Gets the predictions, and has to exist; None for what goes into the plates that it is made from.
    models : tuple of str
        Names or paths; empty for those that `napari_mito_predict.prediction.choice.choose_models` takes for an image.
    file_format : FileFormat
        OME-Zarr is written while it is computed.
    composite : bool
        All targets as the channels of one file.
    into_plate : bool
        Images are fields of plates: all targets become one image beside the field, or in a new plate in `folder`.
    overwrite : bool
        Predict and replace what is there, also where it is what would be predicted now.
    strict : bool
        Refuse an image whose traffic light is not green for a model.
    axes : str, optional
        See `napari_mito_predict.image.open_image`.
    times, planes : range, optional
        Only these time points and Z steps.
    plan : mapping
        Further arguments of `napari_mito_predict.prediction.plan_prediction`.
    """

    folder: Path | None
    models: tuple[str, ...] = ()
    file_format: FileFormat = FileFormat.OME_TIFF
    composite: bool = False
    into_plate: bool = False
    overwrite: bool = False
    strict: bool = False
    axes: str | None = None
    times: range | None = None
    planes: range | None = None
    plan: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.folder is None and not self.into_plate:
            raise OutputError("Say which folder the predictions go to.")

    @property
    def in_one_file(self) -> bool:
        """Whether all outputs of an image are the channels of one file."""
        return self.composite or self.into_plate
