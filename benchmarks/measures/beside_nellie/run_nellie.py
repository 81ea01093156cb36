"""Run Nellie on one field, with the interpreter of an environment that has it; called by `run.py`.

    /path/of/nellie/bin/python run_nellie.py FIELD_FOLDER RESULT.json [otsu]

Nothing of this project is imported here, and nothing of Nellie is changed: its stages are called as its own `run` calls
them, with its defaults, and without those that follow objects over time. Then the labels that its `Label` has written
are replaced by ours, and the stages after it are run again. What no table of Nellie has (ends and junctions of
skeletons, by object) is counted in the images it writes.
With `otsu` it looks where the image is brighter than Otsu's threshold, which is an option of Nellie.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from nellie.feature_extraction.hierarchical import Hierarchy
from nellie.im_info.verifier import FileInfo, ImInfo
from nellie.segmentation.filtering import Filter
from nellie.segmentation.labelling import Label
from nellie.segmentation.mocap_marking import Markers
from nellie.segmentation.networking import Network
from scipy.ndimage import label

TIP = 2
JUNCTION = 4


def main() -> None:
    """Measure, and write one JSON."""
    folder = Path(sys.argv[1])
    output = Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as made:
        shutil.copy(folder / "image.tif", made)
        info = _opened(Path(made) / "image.tif")
        before = _memory_mib()
        start = time.process_time()
        Filter(info, device="cpu").run()
        Label(info, otsu_thresh_intensity=sys.argv[3:] == ["otsu"], device="cpu").run()
        segmented = time.process_time()
        _measure(info)
        seconds = {"segment": segmented - start, "measure": time.process_time() - segmented}
        found = {
            "version": importlib.metadata.version("nellie"),
            "cpu_s": seconds,
            "peak_mib": _memory_mib() - before,
            "end_to_end": _objects(info),
        }
        tifffile.imwrite(output.with_suffix(".tif"), _array(info, "im_instance_label").astype(np.int32))
        labels = tifffile.imread(folder / "labels.tif")
        info.allocate_memory(info.pipeline_paths["im_instance_label"], data=labels[None].astype(np.int32))
        _measure(info)
        found["same_labels"] = _objects(info)
    output.write_text(json.dumps(found), encoding="utf-8")


def _measure(info: ImInfo) -> None:
    Network(info, device="cpu").run()
    Markers(info, device="cpu").run()
    Hierarchy(info, skip_nodes=True, device="cpu").run()


def _opened(path: Path) -> ImInfo:
    info = FileInfo(str(path))
    info.find_metadata()
    info.load_metadata()
    return ImInfo(info)


def _objects(info: ImInfo) -> dict[str, list[float]]:
    """A row for each object, as columns."""
    organelles = pd.read_csv(info.pipeline_paths["features_organelles"])
    branches = pd.read_csv(info.pipeline_paths["features_branches"])
    labels = _array(info, "im_instance_label")
    kinds = _array(info, "im_pixel_class")
    lines = _array(info, "im_skel")
    owner = labels[lines > 0]
    of_branch = dict(zip(lines[lines > 0].tolist(), owner.tolist(), strict=True))
    branches["object"] = branches["label"].map(of_branch)
    by_object = branches.groupby("object")["branch_length_raw"]
    clusters, _ = label(kinds == JUNCTION, np.ones((3,) * kinds.ndim))
    _, first = np.unique(clusters[clusters > 0], return_index=True)
    most = int(labels.max()) + 1
    numbers = organelles["label"].astype(int)
    return {
        "label": numbers.tolist(),
        "size": organelles["organelle_area_raw"].tolist(),
        "length": by_object.sum().reindex(numbers, fill_value=0.0).tolist(),
        "branches": by_object.count().reindex(numbers, fill_value=0).tolist(),
        "thickest": branches.groupby("object")["branch_thickness_raw"].max().reindex(numbers).tolist(),
        "skeleton_voxels": np.bincount(labels[kinds > 0], minlength=most)[numbers].tolist(),
        "end_points": np.bincount(labels[kinds == TIP], minlength=most)[numbers].tolist(),
        "branch_points": np.bincount(labels[clusters > 0][first], minlength=most)[numbers].tolist(),
    }


def _array(info: ImInfo, name: str) -> np.ndarray:
    return np.array(info.get_memmap(info.pipeline_paths[name], read_mode="r"))[0]


def _memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
