"""From the objects of a field to numbers of the field, and how densely mitochondria lie around the nucleus."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_mito_predict.measurement.measures import Structure, measures_of
from napari_mito_predict.measurement.voxels import Voxels

if TYPE_CHECKING:
    import pandas as pd

    from napari_mito_predict.measurement.segmentation import VoxelSize

Array = npt.NDArray[Any]


def summarise(structure: Structure, objects: pd.DataFrame, dimensions: int) -> dict[str, float]:
    """Measures of a field, by name, see `FIELD_MEASURES`.

    Parameters
    ----------
    structure : Structure
    objects : pandas.DataFrame
        What `measure_mitochondria`, `measure_nuclei` or `measure_puncta` gave.
    dimensions : {2, 3}

    Returns
    -------
    dict of str to float
        NaN where there is nothing to take a mean of; without what the objects do not have, such as a distance to the
        nucleus where no nuclei were given.
    """
    content = objects["area" if dimensions == 2 else "volume"]
    found = _common(objects, content, dimensions)
    if structure is Structure.MITOCHONDRIA:
        found |= _network(objects, content)
    elif structure is Structure.NUCLEI:
        whole = content[objects["touches_border"] == 0]
        found[f"mean_{content.name}"] = _mean(whole)
    else:
        found["nearest_neighbour"] = _mean(objects["nearest_neighbour"])
        if "inside_mitochondria" in objects:
            found["inside_mitochondria"] = _mean(objects["inside_mitochondria"])
    declared = [measure.name for measure in measures_of(structure, "field", dimensions)]
    return {name: found[name] for name in declared if name in found}


def density_by_distance(
    mitochondria: Array, nuclei: Array, voxel_size_um: VoxelSize, step: float | None = None
) -> pd.DataFrame:
    """Part of the cytoplasm that mitochondria take, in shells of growing distance from the nearest nucleus.

    Parameters
    ----------
    mitochondria, nuclei : (Y, X) or (Z, Y, X) int array
        Labels.
    voxel_size_um : sequence of float or None
        (z, y, x) or (y, x); None where unknown.
    step : float, optional
        Thickness of a shell: by default 2 micrometres, or 20 pixels where no size is known.

    Returns
    -------
    pandas.DataFrame
        ``from``, ``to`` (distances), ``content`` (area or volume of mitochondria in the shell), ``density`` (part
        of the shell). Without nuclei it is empty.
    """
    import pandas as pd
    from scipy.ndimage import distance_transform_edt

    voxels = Voxels.of(voxel_size_um, mitochondria.ndim)
    step = step or {"um": 2.0, "px": 20.0}[voxels.unit]
    columns = ["from", "to", "content", "density"]
    outside = np.asarray(nuclei) == 0
    if outside.all() or not outside.any():
        return pd.DataFrame(columns=columns, dtype=float)
    shells = (distance_transform_edt(outside, sampling=voxels.spacing)[outside] / step).astype(int)
    total = np.bincount(shells)
    taken = np.bincount(shells, mitochondria[outside] > 0)
    starts = np.arange(len(total)) * step
    with np.errstate(invalid="ignore"):
        density = taken / total
    rows = zip(starts, starts + step, taken * voxels.volume, density, strict=True)
    return pd.DataFrame(list(rows), columns=columns)


def _common(objects: pd.DataFrame, content: pd.Series, dimensions: int) -> dict[str, float]:
    found = {
        "count": float(len(objects)),
        f"total_{content.name}": float(content.sum()),
        f"mean_{content.name}": _mean(content),
    }
    if "mean_intensity" in objects:
        found["mean_intensity"] = _mean(objects["mean_intensity"])
    return found


def _network(objects: pd.DataFrame, content: pd.Series) -> dict[str, float]:
    branches = float(objects["branches"].sum())
    length = float(objects["length"].sum())
    found = {
        "total_length": length,
        "mean_length": _mean(objects["length"]),
        "mean_branch_length": length / branches if branches else math.nan,
        "branches": branches,
        "branch_points": float(objects["branch_points"].sum()),
        "networks": float((objects["branch_points"] > 0).sum()),
        "largest_part": float(content.max() / content.sum()) if len(content) else math.nan,
        "mean_aspect_ratio": _mean(objects["aspect_ratio"]),
    }
    if "surface" in objects:
        found["total_surface"] = float(objects["surface"].sum())
        found["mean_sphericity"] = _mean(objects["sphericity"])
    else:
        found["mean_form_factor"] = _mean(objects["form_factor"])
    if "distance_to_nucleus" in objects:
        weights = content / content.sum()
        found["distance_to_nucleus"] = float((objects["distance_to_nucleus"] * weights).sum(min_count=1))
    return found


def _mean(values: pd.Series) -> float:
    return float(values.mean())
