"""The fields that both programs are given, as files: TIFF images, labels, and what is true of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tifffile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from measures.simulated import SEEDS, simulate
from napari_mito_predict.measurement import (
    Structure,
    measure_mitochondria,
    segment_mitochondria,
    summarise,
)

IMAGE = "image.tif"
LABELS = "labels.tif"
TRUTH = "truth.json"


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


def _simulated(kind: str, seed: int, folder: Path) -> None:
    field = simulate(kind, seed, predicting=False)
    dimensions = len(field.size_um)
    image = field.recorded["mitochondria"]
    labels = segment_mitochondria(image, field.size_um)
    write_plane_or_stack(folder / IMAGE, image, field.size_um)
    tifffile.imwrite(folder / LABELS, labels)
    tifffile.imwrite(folder / "true_labels.tif", field.true_mitochondria)
    table = measure_mitochondria(field.true_mitochondria, field.size_um)
    known = {
        "size_um": [float(step) for step in field.size_um],
        "measures": summarise(Structure.MITOCHONDRIA, table, dimensions),
        "drawn_length": field.true_length_um,
    }
    (folder / TRUTH).write_text(json.dumps(known, indent=1), encoding="utf-8")


def write_plane_or_stack(path: Path, image: np.ndarray, size_um: tuple[float, ...]) -> None:
    """Write an OME-TIFF, from which both programs read the voxel size."""
    axes = "ZYX"[-image.ndim :]
    sizes = {f"PhysicalSize{axis}": float(step) for axis, step in zip(axes, size_um, strict=True)}
    tifffile.imwrite(path, image, ome=True, metadata={"axes": axes, **sizes})
