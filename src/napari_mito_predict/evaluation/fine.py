"""PCC of fine structure: what is left of an image without its coarse brightness."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.fft import dctn, idctn

from napari_mito_predict.evaluation.correlation import as_float, same_shape
from napari_mito_predict.evaluation.streaming import StreamingPcc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_mito_predict.image import ImageSource

FINE_SIGMA_UM = 1.3
FINE_SIGMA_PIXELS = 12.0
"""Where the voxel size is unknown: 1.3 um at 0.108 um, which is common at high magnification."""


def fine_pcc(
    prediction: ArrayLike,
    truth: ArrayLike,
    voxel_size_um: Sequence[float | None] | None = None,
    *,
    mask: ArrayLike | None = None,
) -> float:
    """Pearson correlation of fine structure, see `fine_structure`.

    A prediction that only tells where the cell is, or where it is granular, has a high PCC; its fine PCC is low.

    Parameters
    ----------
    prediction, truth : array_like
        Same shape, ``(..., Y, X)``; planes are taken one after the other.
    voxel_size_um : sequence of float or None, optional
        Micrometres; the last two are those of y and x.
    mask : array_like of bool, optional
        Of the same shape: correlate only where it is true. What is subtracted is from whole planes all the same.

    Returns
    -------
    float
        NaN where one image is constant, or has no planes.

    Raises
    ------
    EvaluationError
        The shapes differ.
    """
    if np.ndim(prediction) < 2:
        return math.nan
    score = StreamingFinePcc(voxel_size_um)
    score.add(prediction, truth, mask)
    return score.value


@dataclass
class StreamingFinePcc:
    """Fine PCC of images larger than memory: exact, since each plane has its own fine structure.

    Parameters
    ----------
    voxel_size_um : sequence of float or None, optional
        See `fine_pcc`.

    Attributes
    ----------
    whole : StreamingPcc
        Of the same voxels as they are.
    """

    voxel_size_um: Sequence[float | None] | None = None
    whole: StreamingPcc = field(default_factory=StreamingPcc, init=False)
    _fine: StreamingPcc = field(default_factory=StreamingPcc, init=False)

    def add(self, prediction: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> None:
        """Take in whole planes, (..., Y, X); what is not finite in both, or outside the mask, is left out."""
        a, b = (as_float(image) for image in same_shape(prediction, truth))
        chosen = np.ones(a.shape, np.bool_) if mask is None else np.asarray(mask) != 0
        for plane_a, plane_b, wanted in zip(_planes(a), _planes(b), _planes(chosen), strict=True):
            if not wanted.any():
                continue
            fine_a, fine_b = (fine_structure(plane, self.voxel_size_um) for plane in (plane_a, plane_b))
            self.whole.add(plane_a[wanted], plane_b[wanted])
            self._fine.add(fine_a[wanted], fine_b[wanted])

    @property
    def value(self) -> float:
        """Fine PCC over all planes so far; NaN where prediction or truth is constant."""
        if math.isnan(self.whole.value):  # the fine structure of a constant are rounding errors
            return math.nan
        return self._fine.value


def stream_pcc_and_fine(prediction: ImageSource, truth: ImageSource, truth_channel: int) -> StreamingFinePcc:
    """PCC and fine PCC of two images on one grid, reading one plane of each at a time.

    Parameters
    ----------
    prediction : ImageSource
        Its first channel is compared.
    truth : ImageSource
        Of the same sizes; its voxel size counts.
    truth_channel : int
        From 0.
    """
    score = StreamingFinePcc(truth.voxel_size_um)
    for t in range(truth.sizes["T"]):
        for z in range(truth.sizes["Z"]):
            score.add(prediction.read(t, 0, z), truth.read(t, truth_channel, z))
    return score


def fine_structure(
    plane: NDArray[np.floating], voxel_size_um: Sequence[float | None] | None = None
) -> NDArray[np.floating]:
    """`plane` minus its blur by a Gaussian of `FINE_SIGMA_UM`, or of `FINE_SIGMA_PIXELS` where sizes are unknown.

    The blur is a product in the discrete cosine transform, which is the Gaussian with the image mirrored at its border
    (``mode="reflect"`` of `scipy.ndimage.gaussian_filter`), and takes the same time for every sigma.

    Parameters
    ----------
    plane : ndarray, (Y, X)
        Values that are not finite stay so, and have no part in the blur of others.
    voxel_size_um : sequence of float or None, optional
        Micrometres; the last two are those of y and x.
    """
    sigmas = fine_sigmas(voxel_size_um)
    finite = np.isfinite(plane)
    if finite.all():
        centred = plane - plane.dtype.type(plane.mean(dtype=np.float64))
        fine: NDArray[np.floating] = centred - _blurred(centred, sigmas)
        return fine
    if not finite.any():
        return np.full_like(plane, np.nan)
    filled = np.where(finite, plane - plane[finite].mean(dtype=np.float64), 0.0)
    weight = _blurred(finite.astype(np.float64), sigmas)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(finite, filled - _blurred(filled, sigmas) / weight, np.nan)


def fine_sigmas(voxel_size_um: Sequence[float | None] | None) -> tuple[float, float]:
    """Standard deviations of the Gaussian along y and x, in pixels."""
    y, x = (None, None) if voxel_size_um is None else voxel_size_um[-2:]
    if not y or not x:
        return FINE_SIGMA_PIXELS, FINE_SIGMA_PIXELS
    return FINE_SIGMA_UM / y, FINE_SIGMA_UM / x


def _blurred(plane: NDArray[np.floating], sigmas: tuple[float, float]) -> NDArray[np.floating]:
    spectrum = dctn(plane, type=2)
    for axis, sigma in enumerate(sigmas):
        size = plane.shape[axis]
        frequency = np.arange(size) / (2 * size)
        passed = np.exp(-2 * (np.pi * sigma * frequency) ** 2).astype(plane.dtype)
        spectrum *= np.expand_dims(passed, 1 - axis)
    blurred: NDArray[np.floating] = idctn(spectrum, type=2, overwrite_x=True)
    return blurred


def _planes(image: NDArray[Any]) -> NDArray[Any]:
    return image.reshape(-1, *image.shape[-2:])
