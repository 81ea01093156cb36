"""From pixels to labels: mitochondria, nuclei, puncta."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_mito_predict.measurement.filters import (
    above_surroundings,
    band_pass,
    blobs,
    checked,
    noise_floor,
    odd_sides,
    otsu,
    ridges,
    sample,
    scatter,
)
from napari_mito_predict.measurement.measures import Structure
from napari_mito_predict.measurement.progress import SILENT, Progress
from napari_mito_predict.measurement.settings import (
    MeasureSettings,
    MitochondriaSettings,
    NucleiSettings,
    PunctaSettings,
)
from napari_mito_predict.measurement.voxels import Voxels

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int32]
VoxelSize = Sequence[float | None] | None
"""(z, y, x) or (y, x) in micrometres; None where unknown."""


def segment(
    structure: Structure,
    pixels: Array,
    voxel_size_um: VoxelSize,
    settings: MeasureSettings,
    *,
    nuclei: Array | None = None,
    progress: Progress = SILENT,
) -> Labels:
    """Find the objects of a structure; outside of `nuclei` those of nucleoids. As `segment_mitochondria`."""
    if structure is Structure.MITOCHONDRIA:
        return segment_mitochondria(pixels, voxel_size_um, settings.mitochondria, progress)
    if structure is Structure.NUCLEI:
        return segment_nuclei(pixels, voxel_size_um, settings.nuclei, progress)
    return segment_puncta(pixels, voxel_size_um, settings.nucleoids, outside=nuclei, progress=progress)


def segment_mitochondria(
    pixels: Array, voxel_size_um: VoxelSize, settings: MitochondriaSettings | None = None, progress: Progress = SILENT
) -> Labels:
    """Find mitochondria in a fluorescence image, recorded or predicted.

    A voxel belongs to a mitochondrion if its band-passed value exceeds half of the largest one around it, a part of
    Otsu's threshold of the whole image, and three standard deviations of the noise. What touches, also by a corner, is
    one mitochondrion.

    Parameters
    ----------
    pixels : (Y, X) or (Z, Y, X) array
        Real numbers. Brightness and contrast do not matter, only which voxels are brighter.
    voxel_size_um : sequence of float or None
        (z, y, x) or (y, x); None where unknown, then settings are in pixels.
    settings : MitochondriaSettings, optional
    progress : Progress

    Returns
    -------
    int32 array
        Of the same shape: 0 is background, objects are numbered from 1.

    Raises
    ------
    MeasurementError
        The array is no plane or stack, or settings in micrometres are given for an image of unknown size.
    ImageContentError
        Some pixels are no finite numbers.
    MeasurementCancelled
    """
    voxels = Voxels.of(voxel_size_um, checked(pixels).ndim)
    chosen = MitochondriaSettings.fitting(settings, voxels)
    band = (chosen.smoothing, chosen.background)
    if chosen.method == "ridge":
        values = ridges(pixels, voxels, *band, progress)
        floor = chosen.threshold * otsu(values)
    else:
        values = band_pass(pixels, voxels, *band, progress)
        floor = max(chosen.threshold * otsu(values), noise_floor(pixels, voxels, *band))
    mask = above_surroundings(values, voxels, chosen.neighbourhood, chosen.local_level, floor, progress)
    return label_objects(mask, voxels, chosen.least_diameter)


def segment_nuclei(
    pixels: Array, voxel_size_um: VoxelSize, settings: NucleiSettings | None = None, progress: Progress = SILENT
) -> Labels:
    """Find nuclei in an image of DNA.

    Otsu's threshold of the smoothed image, holes filled; nuclei that touch are separated by a watershed of the
    distance to the border. Parameters, result and errors as of `segment_mitochondria`.
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    voxels = Voxels.of(voxel_size_um, checked(pixels).ndim)
    chosen = NucleiSettings.fitting(settings, voxels)
    progress.step(0, 3, "smoothing")
    smooth = gaussian_filter(np.asarray(pixels, np.float32), voxels.in_voxels(chosen.smoothing))
    smooth -= smooth.min()
    floor = chosen.threshold * otsu(smooth)
    mask = smooth > floor
    if chosen.local:
        mask = smooth > np.maximum(uniform_filter(smooth, odd_sides(voxels, chosen.neighbourhood)), floor / 2)
    progress.step(1, 3, "filling holes")
    mask = _without_holes(mask)
    progress.step(2, 3, "separating nuclei")
    return _renumbered(_split(mask, voxels, chosen.split), voxels, chosen.least_diameter)


def segment_puncta(
    pixels: Array,
    voxel_size_um: VoxelSize,
    settings: PunctaSettings | None = None,
    *,
    outside: Labels | None = None,
    progress: Progress = SILENT,
) -> Labels:
    """Find puncta, such as nucleoids in an image of DNA.

    Local maxima of the Laplacian of a Gaussian, with a standard deviation at which it answers best to a disk
    (d / (2 sqrt 2)) or ball (d / (2 sqrt 3)) of the diameter; each with the voxels around it that answer at least
    half as much.

    Parameters
    ----------
    pixels, voxel_size_um, settings, progress
        As of `segment_mitochondria`.
    outside : int array, optional
        Puncta are looked for where it is 0 only: labels of nuclei.

    Returns
    -------
    int32 array
    """
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    voxels = Voxels.of(voxel_size_um, checked(pixels).ndim)
    chosen = PunctaSettings.fitting(settings, voxels)
    scale = chosen.diameter / (2 * math.sqrt(voxels.ndim))
    answer = blobs(pixels, voxels, scale, progress)
    allowed = np.ones(answer.shape, bool) if outside is None else np.asarray(outside) == 0
    if not allowed.any():
        return np.zeros(answer.shape, np.int32)
    noise = scatter(sample(answer[allowed]))
    rounding = float(np.finfo(np.float32).eps) * float(np.abs(answer).max())
    floor = max(chosen.threshold * noise, rounding)
    distance = max(1, round(chosen.least_distance / voxels.spacing[-1]))
    peaks = peak_local_max(
        np.where(allowed, answer, 0), min_distance=distance, threshold_abs=floor, exclude_border=False
    )
    progress.step(0, 1, "drawing puncta")
    markers = np.zeros(answer.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    basins = watershed(np.negative(answer), markers, mask=allowed & (answer > floor / 2))
    heights: Array = np.concatenate([[0], answer[tuple(peaks.T)]])
    return np.where(answer >= heights[basins] / 2, basins, 0).astype(np.int32)


def label_objects(mask: npt.NDArray[np.bool_], voxels: Voxels, least_diameter: float = 0.0) -> Labels:
    """Number what touches, also by a corner, from 1; without what is smaller than a circle or ball of a diameter."""
    from scipy.ndimage import generate_binary_structure, label

    labels, _ = label(mask, generate_binary_structure(mask.ndim, mask.ndim))
    return _renumbered(labels, voxels, least_diameter)


def _renumbered(labels: Array, voxels: Voxels, least_diameter: float) -> Labels:
    """Leave out small objects, and number the others without gaps."""
    sizes = np.bincount(labels.reshape(-1))
    keep = sizes >= voxels.content_of(least_diameter)
    keep[0] = False
    numbers = np.cumsum(keep, dtype=np.int32)
    numbers[~keep] = 0
    return np.asarray(numbers[labels])


def _without_holes(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Holes are filled plane by plane: a nucleus that the first plane cuts is open in 3-D."""
    from scipy.ndimage import binary_fill_holes

    if mask.ndim == 2:
        return np.asarray(binary_fill_holes(mask))
    return np.stack([binary_fill_holes(plane) for plane in mask])


def _split(mask: npt.NDArray[np.bool_], voxels: Voxels, apart: float) -> Labels:
    """Watershed of the distance to the border, from its maxima that are far enough apart."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter, generate_binary_structure, label
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    whole, _ = label(mask, generate_binary_structure(mask.ndim, mask.ndim))
    # A thin stack shows slices of nuclei: where they are apart is decided by their outlines in y and x.
    inside = mask if mask.ndim == 2 else mask.max(axis=0)
    flat = Voxels(voxels.spacing[-2:], voxels.unit)
    depth = distance_transform_edt(np.pad(inside, 1), sampling=flat.spacing)[1:-1, 1:-1]
    depth = gaussian_filter(depth, flat.in_voxels(apart / 6))
    outlines, _ = label(inside, np.ones((3, 3)))
    distance = max(1, round(apart / flat.spacing[-1]))
    peaks = peak_local_max(depth, min_distance=distance, labels=outlines, exclude_border=False)
    markers = np.zeros(inside.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    basins = watershed(-depth, markers, mask=inside)
    labels = np.where(mask, basins, 0)
    return np.where(labels > 0, labels, np.where(whole > 0, whole + labels.max(), 0)).astype(np.int32)
