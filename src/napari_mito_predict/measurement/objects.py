"""Measures of each object of a segmentation, as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_mito_predict.errors import MeasurementError
from napari_mito_predict.measurement.progress import SILENT, Progress
from napari_mito_predict.measurement.skeletons import Skeletons, skeletonise
from napari_mito_predict.measurement.voxels import Voxels

if TYPE_CHECKING:
    import pandas as pd

    from napari_mito_predict.measurement.segmentation import VoxelSize

Array = npt.NDArray[Any]
_TOLD_EVERY = 50


def measure_mitochondria(
    labels: Array,
    voxel_size_um: VoxelSize,
    *,
    pixels: Array | None = None,
    nuclei: Array | None = None,
    skeletons: Skeletons | None = None,
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """Measure shape, network and place of each mitochondrion.

    Parameters
    ----------
    labels : (Y, X) or (Z, Y, X) int array
        0 is background.
    voxel_size_um : sequence of float or None
        (z, y, x) or (y, x); None where unknown, then sizes are in pixels.
    pixels : array, optional
        What was segmented, for the mean intensity.
    nuclei : int array, optional
        Labels of nuclei, for the distance to the nearest.
    skeletons : Skeletons, optional
        Of the same labels, where they are there already.
    progress : Progress

    Returns
    -------
    pandas.DataFrame
        A row for each label; columns as `MEASURES` names them, sizes in micrometres or, where no size is known, in
        pixels. Coordinates of the centre in voxels.

    Raises
    ------
    MeasurementError
        Arrays of different shapes.
    MeasurementCancelled
    """
    voxels = Voxels.of(voxel_size_um, labels.ndim)
    _check_shapes(labels, pixels=pixels, nuclei=nuclei)
    table = _shapes(labels, voxels, pixels, progress)
    lines = skeletons or skeletonise(labels, voxels, progress)
    lengths = lines.branches.groupby("label")["length"]
    table["length"] = lengths.sum().reindex(table.index, fill_value=0.0)
    table["branches"] = lengths.count().reindex(table.index, fill_value=0)
    table["mean_branch_length"] = lengths.mean().reindex(table.index)
    table = table.join(lines.nodes)
    if nuclei is not None:
        table["distance_to_nucleus"] = mean_distance(labels, nuclei, voxels).reindex(table.index)
    return table


def measure_nuclei(
    labels: Array, voxel_size_um: VoxelSize, *, pixels: Array | None = None, progress: Progress = SILENT
) -> pd.DataFrame:
    """Measure area or volume, outline and intensity of each nucleus; parameters as of `measure_mitochondria`.

    ``touches_border`` is 1 for a nucleus that the border of the field in y or x cuts: its size is only a part.
    """
    voxels = Voxels.of(voxel_size_um, labels.ndim)
    _check_shapes(labels, pixels=pixels)
    table = _shapes(labels, voxels, pixels, progress)
    edges = [labels[..., 0, :], labels[..., -1, :], labels[..., :, 0], labels[..., :, -1]]
    at_border = np.unique(np.concatenate([edge.reshape(-1) for edge in edges]))
    table["touches_border"] = np.isin(table.index, at_border).astype(int)
    return table


def measure_puncta(
    labels: Array,
    voxel_size_um: VoxelSize,
    *,
    pixels: Array | None = None,
    mitochondria: Array | None = None,
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """Measure size, intensity and neighbourhood of each punctum.

    Parameters
    ----------
    labels, voxel_size_um, pixels, progress
        As of `measure_mitochondria`.
    mitochondria : int array, optional
        Labels of mitochondria: ``inside_mitochondria`` is 1 where the centre of the punctum lies in one.

    Returns
    -------
    pandas.DataFrame
        ``nearest_neighbour`` is the distance between centres, NaN for a single punctum.
    """
    from scipy.spatial import cKDTree

    voxels = Voxels.of(voxel_size_um, labels.ndim)
    _check_shapes(labels, pixels=pixels, mitochondria=mitochondria)
    table = _contents(labels, voxels, pixels)
    progress.step(1, 1, "puncta")
    centres = table[_axes(labels.ndim)].to_numpy()
    table["nearest_neighbour"] = math.nan
    if len(table) > 1:
        places = centres * np.asarray(voxels.spacing)
        distances = cKDTree(places).query(places, k=2)[0]
        table["nearest_neighbour"] = distances[:, 1]
    if mitochondria is not None:
        nearest = np.clip(np.round(centres).astype(int), 0, np.asarray(labels.shape) - 1)
        table["inside_mitochondria"] = (np.asarray(mitochondria)[tuple(nearest.T)] > 0).astype(int)
    return table


def mean_distance(labels: Array, nuclei: Array, voxels: Voxels) -> pd.Series:
    """Mean distance of the voxels of each object to the nearest nucleus, 0 within it; NaN without any nucleus."""
    import pandas as pd
    from scipy.ndimage import distance_transform_edt

    numbers = np.unique(labels[labels > 0])
    if not np.any(nuclei):
        return pd.Series(math.nan, index=numbers)
    distances = distance_transform_edt(np.asarray(nuclei) == 0, sampling=voxels.spacing)
    flat = labels.reshape(-1)
    sums = np.bincount(flat, distances.reshape(-1))
    return pd.Series(sums[numbers] / np.bincount(flat)[numbers], index=numbers)


def _shapes(labels: Array, voxels: Voxels, pixels: Array | None, progress: Progress) -> pd.DataFrame:
    """Content, outline and elongation of each label."""
    from skimage.measure import regionprops

    table = _contents(labels, voxels, pixels)
    regions = regionprops(labels, spacing=voxels.spacing)
    rows = []
    for number, region in enumerate(regions):
        if number % _TOLD_EVERY == 0:
            progress.step(number, len(regions), "measuring objects")
        rows.append(_outline(region, voxels))
    for name in _OUTLINES[labels.ndim]:
        table[name] = np.array([row[name] for row in rows], float)
    return table


_OUTLINES = {2: ("perimeter", "form_factor", "aspect_ratio"), 3: ("surface", "sphericity", "aspect_ratio")}


def _outline(region: Any, voxels: Voxels) -> dict[str, float]:
    size = float(region.num_pixels) * voxels.volume
    found = {"aspect_ratio": _aspect_ratio(region)}
    if voxels.ndim == 3:
        surface = _surface(region.image, voxels)
        found |= {"surface": surface, "sphericity": math.pi ** (1 / 3) * (6 * size) ** (2 / 3) / surface}
        return found
    perimeter = math.nan
    if voxels.is_square:
        perimeter = float(region.perimeter_crofton)
    form_factor = perimeter**2 / (4 * math.pi * size) if perimeter else math.nan
    return found | {"perimeter": perimeter, "form_factor": form_factor}


def _surface(image: Array, voxels: Voxels) -> float:
    """Area of the mesh of marching cubes (Lewiner et al. 2003) through the middle between inside and outside."""
    from skimage.measure import marching_cubes, mesh_surface_area

    mesh = marching_cubes(np.pad(image, 1).astype(np.float32), 0.5, spacing=voxels.spacing)
    return float(mesh_surface_area(mesh[0], mesh[1]))


def _aspect_ratio(region: Any) -> float:
    """Longest by shortest axis of the ellipse or ellipsoid of the same second moments; NaN where it has no width."""
    eigenvalues = np.maximum(region.inertia_tensor_eigvals, 0)
    ndim = len(eigenvalues)
    # The moments of inertia are sums of the variances along all other axes.
    variances = eigenvalues if ndim == 2 else eigenvalues.sum() / 2 - eigenvalues
    longest = float(max(variances))
    shortest = float(min(variances))
    if shortest <= 1e-9 * longest:
        return math.nan
    return math.sqrt(longest / shortest)


def _contents(labels: Array, voxels: Voxels, pixels: Array | None) -> pd.DataFrame:
    """Centre, number of voxels, area or volume, and mean intensity of each label."""
    import pandas as pd

    flat = np.asarray(labels).reshape(-1)
    counts = np.bincount(flat)
    numbers = np.flatnonzero(counts)
    numbers = numbers[numbers > 0]
    table = pd.DataFrame(index=pd.Index(numbers, name="label"))
    inside = np.nonzero(labels)
    owners = labels[inside]
    for axis, places in zip(_axes(labels.ndim), inside, strict=True):
        table[axis] = np.bincount(owners, places, len(counts))[numbers] / counts[numbers]
    table["area" if labels.ndim == 2 else "volume"] = counts[numbers] * voxels.volume
    if pixels is not None:
        sums = np.bincount(owners, np.asarray(pixels[inside], float), len(counts))
        table["mean_intensity"] = sums[numbers] / counts[numbers]
    return table


def _axes(ndim: int) -> list[str]:
    return ["z", "y", "x"][-ndim:]


def _check_shapes(labels: Array, **others: Array | None) -> None:
    if labels.ndim not in (2, 3) or labels.dtype.kind not in "iu":
        raise MeasurementError(
            f"labels are whole numbers in a plane (Y, X) or a stack (Z, Y, X), not {labels.dtype} of shape "
            f"{labels.shape}."
        )
    for name, other in others.items():
        if other is not None and other.shape != labels.shape:
            raise MeasurementError(
                f"labels of shape {labels.shape} and {name} of shape {other.shape} are not of one image."
            )
