"""The fields that both programs are given, as files: TIFF images, labels, and what is true of them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import tifffile
from skimage.io import imread

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from measures.simulated import SEEDS, Array, simulate
from run_ours import of_skeletons

from napari_mito_predict.measurement import (
    Structure,
    measure_mitochondria,
    segment_mitochondria,
    summarise,
)

IMAGE = "image.tif"
LABELS = "labels.tif"
TRUTH = "truth.json"
REAL = Path(os.environ.get("MITO_PREDICT_REAL_DATA", Path(__file__).parents[4] / "shared" / "real"))
REAL_PLANES = (
    "cell_painting_brightfield_mito_dna/BR00143976_C03_f3_mito.tiff",
    "h9c2_brightfield_to_mito/target/008_t001_z009_1.png",
    "h9c2_brightfield_to_mito/target/008_t025_z010_0.png",
)
"""Recorded mitochondria; what they are like is in the folder's README."""
NOMINAL_UM = 0.1
"""Taken for the size of a pixel of real planes: none of the files states it, and both programs want one."""


def prepare(folder: Path) -> list[Path]:
    """Simulate what is not there yet; a folder for each field."""
    found = []
    for kind, seeds in SEEDS.items():
        for seed in seeds:
            path = folder / f"{kind}-{seed}"
            if not (path / TRUTH).exists():
                path.mkdir(parents=True, exist_ok=True)
                _simulated(kind, seed, path)
                print(path.name, flush=True)
            found.append(path)
    return found


def prepare_real(folder: Path) -> list[Path]:
    """Real planes, where they are; without a truth."""
    found = []
    for number, name in enumerate(REAL_PLANES):
        path = folder / f"real-{number}"
        if (REAL / name).exists():
            path.mkdir(parents=True, exist_ok=True)
            _write(path, imread(REAL / name), (NOMINAL_UM, NOMINAL_UM), {})
            found.append(path)
    return found


def _simulated(kind: str, seed: int, folder: Path) -> None:
    field = simulate(kind, seed, predicting=False)
    dimensions = len(field.size_um)
    tifffile.imwrite(folder / "true_labels.tif", field.true_mitochondria)
    table = measure_mitochondria(field.true_mitochondria, field.size_um)
    skeletons = of_skeletons(field.true_mitochondria, list(field.size_um), table.index.to_numpy())
    known = {
        "branches_beyond_junctions": sum(skeletons["branches_beyond_junctions"]),
        "junctions_by_neighbours": sum(skeletons["junctions_by_neighbours"]),
        "measures": summarise(Structure.MITOCHONDRIA, table, dimensions),
        "drawn_length": field.true_length_um,
    }
    _write(folder, field.recorded["mitochondria"], field.size_um, known)


def _write(folder: Path, image: Array, size_um: tuple[float, ...], known: dict[str, object]) -> None:
    write_plane_or_stack(folder / IMAGE, image, size_um)
    tifffile.imwrite(folder / LABELS, segment_mitochondria(image, size_um))
    known = {"size_um": [float(step) for step in size_um], **known}
    (folder / TRUTH).write_text(json.dumps(known, indent=1), encoding="utf-8")


def write_plane_or_stack(path: Path, image: Array, size_um: tuple[float, ...]) -> None:
    """Write an OME-TIFF, from which both programs read the voxel size."""
    axes = "ZYX"[-image.ndim :]
    sizes = {f"PhysicalSize{axis}": float(step) for axis, step in zip(axes, size_um, strict=True)}
    tifffile.imwrite(path, image, ome=True, metadata={"axes": axes, **sizes})
