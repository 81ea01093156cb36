"""How good the network is on whole fields, predicted by the very engine that users predict with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from napari_mito_predict._files import atomic_path
from napari_mito_predict.evaluation import pcc
from napari_mito_predict.image.crops import centre_of, middle_plane
from napari_mito_predict.prediction import predict
from napari_mito_predict.training.start import of_normalised

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_mito_predict.models import Model
    from napari_mito_predict.training.pairs import Pair, VoxelSize

_SHOWN = 384


@dataclass(frozen=True)
class Validation:
    """Outcome of one validation.

    Attributes
    ----------
    loss : float
        Mean squared error.
    pcc : float
        Pearson correlation, mean over volumes and targets; 0 for a constant prediction.
    shown : ndarray
        Prediction of the first volume, (targets, [D,] Y, X).
    """

    loss: float
    pcc: float
    shown: NDArray[np.float32]


def validate(model: Model, pairs: tuple[Pair, ...], voxel_size_um: VoxelSize, precision: str = "auto") -> Validation:
    """Predict whole volumes and compare.

    Parameters
    ----------
    model : Model
    pairs : tuple of Pair
        At least one.
    voxel_size_um : tuple of float or None
        Of the pairs.
    precision : str
        Of the computation.
    """
    errors = []
    scores = []
    shown = None
    for pair in pairs:
        predicted = predict_pair(model, pair, voxel_size_um, precision)
        if shown is None:
            shown = predicted
        for prediction, truth in zip(predicted, pair.truth.astype(np.float32), strict=True):
            errors.append(float(np.mean((prediction - truth) ** 2)))
            scores.append(pcc(prediction, truth))
    if shown is None:
        raise ValueError("no volumes to validate on")
    return Validation(float(np.mean(errors)), float(np.mean(np.nan_to_num(scores))), shown)


def predict_pair(model: Model, pair: Pair, voxel_size_um: VoxelSize, precision: str = "auto") -> NDArray[np.float32]:
    """Prediction (targets, [D,] Y, X) from the input of a pair, already normalised as it is."""
    given = pair.input.astype(np.float32)
    result = predict(given, of_normalised(model), voxel_size_um=voxel_size_um, precision=precision)
    return np.stack([result[name].data for name in model.targets])


def save_preview(path: Path, pair: Pair, predicted: NDArray[np.float32]) -> None:
    """Write the middle of the middle plane: input, then each truth, then each prediction.

    Parameters
    ----------
    path : Path
        ``.tif``, axes CYX, float32.
    pair : Pair
    predicted : ndarray, (targets, [D,] Y, X)
    """
    planes = [_middle(image) for image in (pair.input, *pair.truth, *predicted)]
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            np.stack(planes).astype(np.float32),
            metadata={"axes": "CYX"},
            photometric="minisblack",
            compression="zlib",
        )


def _middle(image: NDArray[np.floating]) -> NDArray[np.floating]:
    plane = middle_plane(image)
    return plane[centre_of(plane.shape, (_SHOWN, _SHOWN))]
