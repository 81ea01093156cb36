"""What a prediction gives: blocks while it runs, the whole at the end, and the record of how it was made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.models.record import Quantity

if TYPE_CHECKING:
    import numpy as np

    from napari_mito_predict.models.card import Target
    from napari_mito_predict.models.record import PredictionRecord
    from napari_mito_predict.prediction.volumes import VoxelSize


@dataclass(frozen=True)
class Output:
    """One result of a plan.

    Attributes
    ----------
    key : str
        The target's name, or ``target/model`` where several models give one target. Behind either ``/uncertainty`` for
        its deviation over orientations; ``target/disagreement`` for that of several models.
    target : Target
        Name, stain, colours, contrast limits.
    model_name : str
        Which model gives it; of a disagreement all of them, such as ``mito-a+mito-b``.
    shape : tuple of int
        Of the result.
    axes : str
        One letter per axis, for example ``"ZYX"``.
    voxel_size_um : tuple of float or None
        z, y, x.
    time_step_s : float or None
        Seconds between time points.
    disclaimer : str
        What has to be said with every showing of this result; empty for models of real cells.
    quantity : Quantity
        Whether it is the prediction itself, or how far several of them scatter.
    smooth_time : int
        Time points that each is smoothed over; 1 for none.
    """

    key: str
    target: Target
    model_name: str
    shape: tuple[int, ...]
    axes: str
    voxel_size_um: VoxelSize
    time_step_s: float | None
    disclaimer: str = ""
    quantity: Quantity = Quantity.PREDICTION
    smooth_time: int = 1

    @property
    def time_points(self) -> int:
        """How many there are; 1 without an axis of time."""
        return dict(zip(self.axes, self.shape, strict=True)).get("T", 1)

    @property
    def processing(self) -> str:
        """What was done with the prediction, as a sentence for whoever opens its file; empty for nothing."""
        if self.smooth_time == 1:
            return ""
        return f"{self.title}: smoothed over {self.smooth_time} time points."

    @property
    def title(self) -> str:
        """For layers and channels, for example ``TMRM predicted (mito-z)``, or ``TMRM uncertainty (mito-z)``."""
        word = "predicted" if self.quantity is Quantity.PREDICTION else self.quantity
        return f"{self.target.stain} {word} ({self.model_name})"

    @property
    def colour(self) -> str:
        """Of its channel in a file: that of its target, and gray where a target's colour would mislead."""
        return self.target.colormap if self.quantity is Quantity.PREDICTION else "gray"


def deviation_target(target: Target) -> Target:
    """How standard deviations of predictions of `target` are shown: from none to an eighth of the range of its card."""
    low, high = target.contrast_limits
    return target.model_copy(update={"colormap": "inferno", "contrast_limits": (0.0, (high - low) / 8)})


@dataclass(frozen=True)
class Block:
    """A part of a result that is final.

    Attributes
    ----------
    target : str
        Key of the output.
    t : int
        First time point it covers.
    slices : tuple of slice
        Where it lies in the result, one per axis.
    data : ndarray, float32
        Its values, of the shape of ``slices``.
    done, total : int
        Progress of the whole plan in tiles; `total` may grow when memory runs short.
    """

    target: str
    t: int
    slices: tuple[slice, ...]
    data: np.ndarray
    done: int
    total: int


@dataclass(frozen=True)
class Prediction:
    """One finished result, on the grid of what it was predicted from.

    Attributes
    ----------
    data : ndarray, float32
        Z-scores of the training truth: brightness is relative; or standard deviations in the same units, see
        ``output.quantity``.
    output : Output
        Axes, voxel size, names.
    record : PredictionRecord
        How it was made; `save` writes it beside the image.
    """

    data: np.ndarray
    output: Output
    record: PredictionRecord

    @property
    def target(self) -> str:
        """Name of the predicted structure."""
        return self.output.target.name

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.output.model_name

    @property
    def voxel_size_um(self) -> VoxelSize:
        """z, y, x in micrometres; None where unknown."""
        return self.output.voxel_size_um

    @property
    def time_step_s(self) -> float | None:
        """Seconds between time points."""
        return self.output.time_step_s

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the prediction, and ``<name>.prediction.json`` beside it, each completely or not at all.

        Parameters
        ----------
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
        OutputExistsError, UnwritableOutputError
            Nothing has been written then.
        """
        from napari_mito_predict.prediction.files import write_predictions

        return write_predictions(path, [self], self.record, overwrite=overwrite)
