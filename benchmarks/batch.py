"""Many small images: what a batch costs beside its predictions, and how it scales over workers.

    python benchmarks/batch.py -o benchmarks/results/batch.json [--images 100]

All of it in one run on one machine, with the bundled model of mitochondria in z-stacks on stacks of 16 x 128 x 128:

- *predictions*: `predict` of each image in this process, from pixels in memory, one after the other: what cannot be
  saved
- *batch*: `predict_many` from files to files in this process, which also opens, plans, looks and writes
- *again*: the same batch once more, in which everything is there already
- *one worker*, *two workers*: of one thread each, `jobs`; the time to start them is not counted, since a screen takes
  hours. Memory is the largest that any worker held after each tenth of the images.

Predicted: a batch takes at most 1.2 times its predictions, since opening and writing overlap with computing; two
workers of one thread are at least as fast as one process of two threads, since small images leave threads waiting for
each other; memory is flat, since a worker keeps one image and its models.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from napari_mito_predict.image import open_image, write_ome_tiff
from napari_mito_predict.models import load_model
from napari_mito_predict.prediction import predict
from napari_mito_predict.prediction.batch.cluster import local_cluster, predict_on_cluster
from napari_mito_predict.prediction.batch.inputs import find_entries
from napari_mito_predict.prediction.batch.outcome import State
from napari_mito_predict.prediction.batch.settings import BatchSettings
from napari_mito_predict.prediction.many import predict_many

MODEL = "mito-z"
SHAPE = (16, 128, 128)
VOXEL_UM = (0.15, 0.11, 0.11)


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--images", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given.images)
    text = json.dumps(found, indent=2)
    print(text)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")


def measure(folder: Path, images: int) -> dict[str, Any]:
    """Seconds of each way, and their ratios."""
    scans = folder / "scans"
    scans.mkdir()
    random = np.random.default_rng(0)
    for number in range(images):
        data = random.integers(8000, 16000, SHAPE, np.uint16)
        path = scans / f"{number:04}.ome.tif"
        write_ome_tiff(path, data[None], axes="CZYX", channel_names=["Brightfield"], voxel_size_um=VOXEL_UM)
    predict(open_image(scans / "0000.ome.tif"), MODEL)  # warms up
    seconds = {
        "predictions": timed(lambda: predictions(scans)),
        "batch": timed(lambda: predict_many(scans, folder / "batch", MODEL)),
        "again": timed(lambda: predict_many(scans, folder / "batch", MODEL)),
    }
    memory = {}
    for workers in (1, 2):
        seconds[f"{workers} workers"], memory[f"{workers} workers"] = on_workers(scans, folder, workers)
    return {
        "threads": torch.get_num_threads(),
        "images": images,
        "shape": SHAPE,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "batch / predictions": round(seconds["batch"] / seconds["predictions"], 3),
        "2 workers / batch of 2 threads": round(seconds["2 workers"] / seconds["batch"], 3),
        "1 worker / 2 workers": round(seconds["1 workers"] / seconds["2 workers"], 3),
        "memory_mb": memory,
    }


def predictions(scans: Path) -> None:
    """Predict every image in this process, from memory."""
    model = load_model(MODEL)
    for path in sorted(scans.iterdir()):
        predict(open_image(path), model)


def on_workers(scans: Path, folder: Path, workers: int) -> tuple[float, list[int]]:
    """Seconds on workers of one thread each, and the largest memory of one after each tenth, in MB."""
    out = folder / f"workers{workers}"
    out.mkdir()
    settings = BatchSettings(out, (MODEL,))
    entries = find_entries([scans])
    memory = []
    with local_cluster(workers, threads=1) as client:
        client.run(load_model, MODEL)
        start = time.monotonic()
        for number, outcome in enumerate(predict_on_cluster(entries, settings, client), 1):
            assert outcome.state is State.DONE, outcome.reason
            if number % max(1, len(entries) // 10) == 0:
                memory.append(max(client.run(resident_mb).values()))
        return time.monotonic() - start, memory


def resident_mb() -> int:
    """Memory of this process."""
    return int(psutil.Process(os.getpid()).memory_info().rss / 1e6)


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


if __name__ == "__main__":
    main()
