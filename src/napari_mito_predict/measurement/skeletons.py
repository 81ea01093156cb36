"""Skeletons of labels: their branches, lengths and junctions, as skan has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_mito_predict.measurement.progress import SILENT, Progress

if TYPE_CHECKING:
    import pandas as pd

    from napari_mito_predict.measurement.voxels import Voxels

Array = npt.NDArray[Any]
_RING = 3
"""Kind of a branch."""


@dataclass(frozen=True, slots=True, eq=False)
class Skeletons:
    """Middle lines of objects.

    Attributes
    ----------
    labels : int32 array
        Of the shape of the objects: the number of its object on a skeleton, else 0.
    branches : pandas.DataFrame
        A row for each branch: ``label``, ``length`` in the unit of the voxels, ``kind`` as skan counts (0: between
        two ends, 1: from a junction to an end, 2: between junctions, 3: a ring).
    nodes : pandas.DataFrame
        A row for each label: ``branch_points`` and ``end_points``.
    """

    labels: npt.NDArray[np.int32]
    branches: pd.DataFrame
    nodes: pd.DataFrame


def skeletonise(labels: Array, voxels: Voxels, progress: Progress = SILENT) -> Skeletons:
    """Thin objects to their middle lines (Zhang & Suen 1984 in 2-D, Lee et al. 1994 in 3-D), and follow them.

    Objects that touch keep skeletons of their own. An object whose skeleton is a single voxel has no branch, and a
    length of 0: a middle line ends about a radius before its object does.

    Parameters
    ----------
    labels : (Y, X) or (Z, Y, X) int array
    voxels : Voxels
    progress : Progress

    Raises
    ------
    MeasurementCancelled
    """
    import pandas as pd

    progress.step(0, 2, "thinning")
    lines = _thinned(labels)
    progress.step(1, 2, "following branches")
    summary, degrees = _followed(lines > 0, voxels)
    on_line = np.flatnonzero(lines)
    owners = lines.reshape(-1)
    numbers = np.unique(labels[labels > 0])
    branches = pd.DataFrame(
        {
            "label": owners[summary["first"]],
            "length": summary["length"],
            "kind": summary["kind"],
        }
    )
    nodes = _nodes(lines, on_line, degrees.reshape(-1)[on_line], numbers)
    return Skeletons(lines, branches, nodes)


def _thinned(labels: Array) -> npt.NDArray[np.int32]:
    from skimage.morphology import skeletonize

    if labels.ndim == 3 and labels.shape[0] == 1:
        return _thinned(labels[0])[None]
    lines = skeletonize(_apart(labels)) > 0
    return np.where(lines, labels, 0).astype(np.int32)


def _apart(labels: Array) -> npt.NDArray[np.bool_]:
    """A mask in which objects that touch are separated by a gap; labels of what does not touch stay as they are."""
    from scipy.ndimage import maximum_filter

    mask = labels > 0
    return np.asarray(mask & (maximum_filter(labels, 3) == labels))


def _followed(lines: npt.NDArray[np.bool_], voxels: Voxels) -> tuple[dict[str, Array], Array]:
    """Branches of a skeleton image, and how many neighbours on it each voxel has."""
    if np.count_nonzero(lines) < 2:
        nothing = np.empty(0, np.int64)
        return {"first": nothing, "length": np.empty(0), "kind": nothing}, np.zeros(lines.shape, np.int32)
    from skan import Skeleton

    try:
        skeleton = Skeleton(lines, spacing=np.asarray(voxels.spacing), keep_images=False)
    except ValueError:  # nothing but single voxels
        return _followed(np.zeros_like(lines), voxels)
    ends = skeleton.paths.indptr
    begin = skeleton.paths.indices[ends[:-1]]
    end = skeleton.paths.indices[ends[1:] - 1]
    first = np.ravel_multi_index(tuple(skeleton.coordinates[begin].T.astype(int)), lines.shape)
    free = (skeleton.degrees[begin] == 1).astype(int) + (skeleton.degrees[end] == 1)
    kind = np.where(begin == end, _RING, 2 - free)
    degrees = np.zeros(lines.shape, np.int32)
    degrees[tuple(skeleton.coordinates.T.astype(int))] = skeleton.degrees
    return {"first": first, "length": skeleton.path_lengths(), "kind": kind}, degrees


def _nodes(lines: Array, on_line: Array, degrees: Array, numbers: Array) -> pd.DataFrame:
    """Count junctions, neighbouring voxels of which are one, and ends."""
    import pandas as pd
    from scipy.ndimage import generate_binary_structure, label

    junctions = np.zeros(lines.shape, bool)
    junctions.reshape(-1)[on_line[degrees > 2]] = True
    parts, _ = label(junctions, generate_binary_structure(lines.ndim, lines.ndim))
    inside = parts > 0
    _, first = np.unique(parts[inside], return_index=True)
    owners = lines.reshape(-1)
    counts = pd.DataFrame(index=pd.Index(numbers, name="label"))
    counts["branch_points"] = pd.Series(lines[inside][first]).value_counts()
    counts["end_points"] = pd.Series(owners[on_line[degrees == 1]]).value_counts()
    return counts.fillna(0).astype(int)
