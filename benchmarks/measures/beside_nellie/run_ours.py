"""Our measures of one field, in the form that `run_nellie.py` gives; called by `run.py` in a process of its own.

python run_ours.py FIELD_FOLDER RESULT.json
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import tifffile
from scipy.ndimage import convolve, distance_transform_edt, label
from skan import Skeleton

from napari_mito_predict.measurement import (
    Voxels,
    measure_mitochondria,
    segment_mitochondria,
    skeletonise,
)


def main() -> None:
    """Measure, and write one JSON."""
    folder = Path(sys.argv[1])
    output = Path(sys.argv[2])
    image = tifffile.imread(folder / "image.tif")
    size = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["size_um"]
    _compile_skan()
    before = _memory_mib()
    start = time.process_time()
    labels = segment_mitochondria(image, size)
    segmented = time.process_time()
    table = measure_mitochondria(labels, size)
    found = {
        "cpu_s": {"segment": segmented - start, "measure": time.process_time() - segmented},
        "peak_mib": _memory_mib() - before,
    }
    columns = ("length", "branches", "end_points", "branch_points")
    found["objects"] = {
        "label": table.index.tolist(),
        "size": table["area" if labels.ndim == 2 else "volume"].tolist(),
        **{name: table[name].tolist() for name in columns},
        **of_skeletons(labels, size, table.index.to_numpy()),
    }
    tifffile.imwrite(output.with_suffix(".tif"), labels)
    output.write_text(json.dumps(found), encoding="utf-8")


def of_skeletons(labels: np.ndarray, size: list[float], numbers: np.ndarray) -> dict[str, list[float]]:
    """The same skeletons in the words of Nellie: each voxel by its number of neighbours, and radii at the ends."""
    lines = skeletonise(labels, Voxels.of(size, labels.ndim)).labels
    around = np.ones((3,) * labels.ndim, np.int32)
    neighbours = (convolve((lines > 0).astype(np.int32), around, mode="constant") - 1) * (lines > 0)
    radii = distance_transform_edt(labels > 0, sampling=size)
    most = int(labels.max()) + 1
    ends = neighbours == 1
    alone = (lines > 0) & (neighbours == 0)
    added = np.bincount(lines[ends], radii[ends], most) + 2 * np.bincount(lines[alone], radii[alone], most)
    junctions, _ = label(neighbours > 2, around)
    _, first = np.unique(junctions[junctions > 0], return_index=True)
    return {
        "skeleton_voxels": np.bincount(lines[lines > 0], minlength=most)[numbers].tolist(),
        "ends_by_neighbours": np.bincount(lines[ends], minlength=most)[numbers].tolist(),
        "junctions_by_neighbours": np.bincount(lines[junctions > 0][first], minlength=most)[numbers].tolist(),
        "branches_beyond_junctions": _branches_beyond(junctions > 0, lines, size, most)[numbers].tolist(),
        "end_radii": added[numbers].tolist(),
        "thickness": [_median(2 * radii[lines == number]) for number in numbers],
    }


def _branches_beyond(junctions: np.ndarray, lines: np.ndarray, size: list[float], most: int) -> np.ndarray:
    """Branches of skan, by object, without those that are steps between the voxels of one junction."""
    skeleton = Skeleton(lines > 0, spacing=size, keep_images=False)
    counts = np.zeros(most, int)
    for number in range(skeleton.n_paths):
        places = tuple(skeleton.path_coordinates(number).astype(int).T)
        if not junctions[places].all():
            counts[lines[places][0]] += 1
    return counts


def _median(values: np.ndarray) -> float | None:
    return float(np.median(values)) if len(values) else None


def _compile_skan() -> None:
    """Skan compiles itself at its first use in a process; that is not measured."""
    line = np.zeros((5, 12), np.int32)
    line[2, 2:10] = 1
    measure_mitochondria(line, None)


def _memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
