"""What a megavoxel costs, by stage, in seconds and bytes: what `docs/scale.md` extrapolates from.

    python benchmarks/cost.py -o benchmarks/results/cost.json [--rows 1024]

A stack of 32 planes of uint16, written as OME-TIFF and as OME-Zarr, predicted by the bundled model of mitochondria in
z-stacks. Each stage by itself, the median of three: they overlap when the program runs, so that their sum is more than
what a prediction takes, which is measured too. Seconds are for all processors of the machine together.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from napari_mito_predict.image import from_array, open_image, write_ome_tiff, write_ome_zarr
from napari_mito_predict.models import load_model
from napari_mito_predict.prediction import normalize, plan_prediction, predict, run

MODEL = "mito-z"
PLANES = 32
VOXEL_UM = (0.15, 0.11, 0.11)
REPEATS = 3


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--rows", type=int, default=1024)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given.rows)
    text = json.dumps(found, indent=2)
    print(text)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")


def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Seconds and bytes per megavoxel of each stage."""
    volume = np.random.default_rng(0).normal(12000, 800, (PLANES, rows, rows)).clip(0, 65535).astype(np.uint16)
    megavoxels = volume.size / 1e6
    model = load_model(MODEL)
    image = from_array(volume, axes="ZYX", voxel_size_um=VOXEL_UM)
    plan = plan_prediction(image, model)
    result = np.empty(volume.shape, np.float32)

    def compute() -> None:
        for block in run(plan).blocks():
            result[block.slices] = block.data

    settings: dict[str, Any] = {"axes": "ZYX", "voxel_size_um": VOXEL_UM, "overwrite": True}
    tiff, zarr = folder / "light.ome.tif", folder / "light.ome.zarr"
    write_ome_tiff(tiff, volume, **settings)
    write_ome_zarr(zarr, volume, **settings)
    stages: dict[str, Callable[[], object]] = {
        "read OME-TIFF": lambda: open_image(tiff).read(),
        "read OME-Zarr": lambda: open_image(zarr).read(),
        "measure": lambda: normalize.measure(volume, model.card.input.normalisation),
        "predict, from memory to memory": compute,
        "write OME-TIFF": lambda: write_ome_tiff(folder / "out.ome.tif", result, **settings),
        "write OME-Zarr": lambda: write_ome_zarr(folder / "out.ome.zarr", result, **settings),
        "all, from OME-TIFF to OME-TIFF": lambda: predict(tiff, model)["mitochondria"].save(
            folder / "all.ome.tif", overwrite=True
        ),
    }
    seconds = {name: seconds_of(stage) / megavoxels for name, stage in stages.items()}
    written = {"OME-TIFF": _bytes(folder / "out.ome.tif"), "OME-Zarr": _bytes(folder / "out.ome.zarr")}
    return {
        "threads": torch.get_num_threads(),
        "shape": volume.shape,
        "seconds_per_megavoxel": {name: round(value, 5) for name, value in seconds.items()},
        "bytes_per_voxel": {
            "light": volume.itemsize,
            "memory of a prediction": round(plan.estimate_bytes / volume.size, 1),
            **{f"prediction as {name}": round(size / volume.size, 2) for name, size in written.items()},
        },
    }


def seconds_of(work: Callable[[], object]) -> float:
    """Median of a few runs, after one that warms up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.monotonic()
        work()
        times.append(time.monotonic() - start)
    return median(times)


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


if __name__ == "__main__":
    main()
