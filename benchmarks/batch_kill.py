"""A batch of many small files, three of them broken, on two workers, one of which is killed in the middle.

    python benchmarks/batch_kill.py -o benchmarks/results/batch_kill.json [--images 200]

Stacks of 8 x 64 x 64 with the bundled model of mitochondria in z-stacks, on two processes of one thread each:

- *outcomes*: what became of the images, how many files there are, and how many are half, predicted twice or left over
- *memory*: of each worker after every tenth of the images, in MB; the one that is killed begins anew
- *again*: seconds of a second call, in this process, when all is there but what cannot be
- *series*: two series of stacks as OME-Zarr, of small and of larger ones, divided over the same workers, against one
  worker: seconds, and whether the pixels are the same

Predicted: 197 results, 3 reasons, nothing twice, nothing half; memory flat over the files, since a worker keeps one
image and its models; the second call in seconds; a series on two workers in little more than half of the time of one.
Seen: all of it but the series of small stacks, which gains nothing on two workers.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from napari_mito_predict.errors import MitoPredictError
from napari_mito_predict.image import list_images, open_image, write_ome_tiff
from napari_mito_predict.models import load_model
from napari_mito_predict.models.record import read_record
from napari_mito_predict.prediction.batch.cluster import local_cluster, predict_on_cluster
from napari_mito_predict.prediction.batch.inputs import Entry, find_entries
from napari_mito_predict.prediction.batch.outcome import State, summary
from napari_mito_predict.prediction.batch.settings import BatchSettings, FileFormat
from napari_mito_predict.prediction.many import predict_many

if TYPE_CHECKING:
    from distributed import Client

    from napari_mito_predict.prediction.batch.outcome import Outcome

MODEL = "mito-z"
SHAPE = (8, 64, 64)
SERIES = ((48, (8, 64, 64)), (24, (16, 256, 256)))
"""Time points, and the shape of each."""
VOXEL_UM = (0.15, 0.11, 0.11)
BROKEN = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "empty": lambda path: path.write_bytes(b""),
    "no image": lambda path: path.write_text("no image"),
}


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--images", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "killed": killed(Path(folder), given.images),
            "series": [series(Path(folder), times, shape) for times, shape in SERIES],
        }
    text = json.dumps(found, indent=2)
    print(text)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")


def killed(folder: Path, images: int) -> dict[str, Any]:
    """What became of the images of a batch, of which a worker was killed in the middle."""
    scans, out = folder / "scans", folder / "out"
    scans.mkdir()
    out.mkdir()
    random = np.random.default_rng(0)
    for number in range(images):
        data = random.integers(8000, 16000, (1, *SHAPE), np.uint16)
        write(scans / f"{number:04}.ome.tif", data, "CZYX")
    for number, damage in enumerate(BROKEN.values(), 1):
        damage(scans / f"{number * images // 4:04}.ome.tif")
    outcomes: list[Outcome] = []
    memory: list[list[int]] = []
    with local_cluster(2, threads=1) as client:
        client.run(load_model, MODEL)
        start = time.monotonic()
        for outcome in predict_on_cluster(find_entries([scans]), BatchSettings(out, (MODEL,)), client):
            outcomes.append(outcome)
            if len(outcomes) == images // 2:
                os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
            elif len(outcomes) % max(1, images // 10) == 0:
                memory.append(sorted(resident_of(client)))
        seconds = time.monotonic() - start
    start = time.monotonic()
    again = predict_many(scans, out, MODEL)
    return {
        "images": images,
        "shape": SHAPE,
        "outcomes": summary(outcomes),
        "reasons": [outcome.reason for outcome in outcomes if outcome.state is State.FAILED],
        "more than one outcome": sum(count > 1 for count in Counter(each.entry for each in outcomes).values()),
        "files": len(list_images(out)),
        "half": sum(not is_whole(path) for path in list_images(out)),
        "left over": len([path for path in out.iterdir() if path.name.startswith(".")]),
        "seconds": round(seconds, 1),
        "memory_mb": memory,
        "again": summary(again),
        "seconds again": round(time.monotonic() - start, 1),
    }


def series(folder: Path, times: int, shape: tuple[int, ...]) -> dict[str, Any]:
    """Seconds of a series on one and on two workers, and whether what they give is the same."""
    folder = folder / f"{times} of {shape}"
    folder.mkdir()
    path = folder / "series.ome.tif"
    write(path, np.random.default_rng(0).integers(8000, 16000, (times, 1, *shape), np.uint16), "TCZYX")
    seconds, written = {}, []
    for workers in (1, 2):
        out = folder / f"{workers} workers"
        out.mkdir()
        with local_cluster(workers, threads=1) as client:
            client.run(load_model, MODEL)
            start = time.monotonic()
            (outcome,) = predict_on_cluster([Entry(path)], BatchSettings(out, (MODEL,), FileFormat.OME_ZARR), client)
            seconds[f"{workers} workers"] = round(time.monotonic() - start, 2)
        assert outcome.state is State.DONE, outcome.reason
        written.append(open_image(outcome.files["mitochondria"]))
    same = all(np.array_equal(written[0].read(t, 0), written[1].read(t, 0)) for t in range(times))
    ratio = seconds["1 workers"] / seconds["2 workers"]
    return {"time points": times, "shape": shape, "seconds": seconds, "1 / 2": round(ratio, 2), "same pixels": same}


def write(path: Path, data: np.ndarray, axes: str) -> None:
    """Write a recording of one channel."""
    write_ome_tiff(path, data, axes=axes, channel_names=["Brightfield"], voxel_size_um=VOXEL_UM)


def is_whole(path: Path) -> bool:
    """Whether a prediction can be read and has its record."""
    try:
        return bool(np.isfinite(open_image(path).read()).all()) and read_record(path) is not None
    except MitoPredictError:
        return False


def resident_of(client: Client) -> list[int]:
    """Memory of each worker, in MB."""
    return list(client.run(resident_mb).values())


def resident_mb() -> int:
    """Memory of this process."""
    return int(psutil.Process(os.getpid()).memory_info().rss / 1e6)


if __name__ == "__main__":
    main()
