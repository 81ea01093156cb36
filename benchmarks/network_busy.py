"""How much of a prediction from disk to disk the network is at work; the rest should hide behind it.

    python benchmarks/network_busy.py [--planes 32] [--size 1024] [--file cells.czi]

Without a file, an OME-TIFF of random voxels is written first, at 1.5 times the voxel size of the models along y and x,
so that resampling both ways is part of the work. The bundled pair predicts it into an OME-Zarr, block by block.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_mito_predict import plan_prediction, predict_to_zarr
from napari_mito_predict.image.tiff_writer import write_ome_tiff
from napari_mito_predict.models import load_model
from napari_mito_predict.prediction.forward import Forward


class Stopwatch:
    """Adds up the time that networks take, by standing in for `Forward.guarded`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._compute = Forward.guarded
        Forward.guarded = self._timed()  # type: ignore[method-assign]

    def _timed(self) -> Any:
        compute = self._compute

        def timed(forward: Forward, *arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return compute(forward, *arguments)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


def random_file(folder: Path, planes: int, size: int, voxel_size_um: tuple[float, float, float]) -> Path:
    """An OME-TIFF to predict from."""
    data = np.random.default_rng(0).integers(100, 4000, (1, planes, size, size), dtype=np.uint16)
    path = folder / "random.ome.tif"
    names, colours = ["Transmitted light"], ["gray"]
    return write_ome_tiff(
        path, data, axes="CZYX", channel_names=names, channel_colours=colours, voxel_size_um=voxel_size_um
    )


def main() -> None:
    """Measure once, and print a line of a table for each kind of voxel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=32)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--file", type=Path)
    arguments = parser.parse_args()
    models = [load_model(name) for name in ("mito-z", "dna-z")]
    z, y, x = (size or 0.15 for size in models[0].voxel_size_um)
    watch = Stopwatch()
    print("| voxels | seconds | network at work | share |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        cases = {"the models'": 1.0, "1.5 times as large": 1.5}
        for words, factor in {"the file's": 1.0}.items() if arguments.file else cases.items():
            sizes = (z, y * factor, x * factor)
            path = arguments.file or random_file(Path(folder), arguments.planes, int(arguments.size / factor), sizes)
            watch.seconds, start = 0.0, time.perf_counter()
            plan = plan_prediction(path, models)
            predict_to_zarr(plan, Path(folder) / f"{factor}.ome.zarr")
            seconds = time.perf_counter() - start
            print(f"| {words} | {seconds:.1f} | {watch.seconds:.1f} | {watch.seconds / seconds:.3f} |", flush=True)
            if not arguments.file:
                path.unlink()


if __name__ == "__main__":
    main()
