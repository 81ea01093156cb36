"""What shards and resolutions cost when a prediction is written as OME-Zarr, and what they give when it is read.

    python benchmarks/ome_zarr.py -o benchmarks/results/ome_zarr.json

Expected before it was measured, against one file for each chunk of 512 x 512 in one resolution:

- files: 32 times fewer in shards of 32 planes, so that a terabyte of float32 is 33,000 instead of a million;
- writing in shards as fast as before, since the same is compressed, and less has to be flushed one by one;
- the other resolutions a third more bytes, and 20 to 40 % more time;
- a plane read as fast as before (within a third): its 16 chunks lie in 16 files as before, each with an index besides;
- an overview of a plane, in the resolution that fits on a screen, at least 10 times faster than all of a plane.

Found, on two cores that many others wanted: files as expected, seconds of the processor for shards as without them, all
resolutions half as much again and 31 % more bytes. Times by the clock differ by more than what is compared, so that of
reads only the overview says something: a fifth to an eighth of the time of a plane.

A volume of smoothed noise is written in strips of 64 rows, as a network gives them, by each way in turns, so that a
busy machine is unfair to none; times are medians, and include the flush to the disk. Before each read the files leave
the cache of the operating system.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from scipy.ndimage import gaussian_filter

from napari_mito_predict._files import atomic_folder
from napari_mito_predict.image import create_ome_zarr
from napari_mito_predict.image.zarr_chunks import ChunkWriter

SHAPE = (32, 2048, 2048)
VOXEL_UM = (0.5, 0.1, 0.1)
CHUNKS = (1, 512, 512)
ROWS = 64
ROUNDS = 3
TERABYTE = 10**12
MIB = 2**20


@contextlib.contextmanager
def plain(path: Path, shards: tuple[int, ...]) -> Iterator[ChunkWriter]:
    """Write one resolution, in shards of a size, which may be that of a chunk."""
    with atomic_folder(path) as folder, zarr.config.set({"array.write_empty_chunks": True}):
        form = {"shards": shards} if shards != CHUNKS else {}
        array = zarr.open_group(folder, mode="w").create_array("0", shape=SHAPE, dtype="f4", chunks=CHUNKS, **form)
        with contextlib.closing(ChunkWriter(array, path, sizes=shards)) as writer:
            yield writer
            writer.flush()


WAYS: dict[str, Callable[[Path], contextlib.AbstractContextManager[ChunkWriter]]] = {
    "a file for each chunk, one resolution": lambda path: plain(path, CHUNKS),
    "shards of 8 MiB, one resolution": lambda path: plain(path, (8, 512, 512)),
    "shards of 32 MiB, one resolution": lambda path: plain(path, (32, 512, 512)),
    "shards of 128 MiB, one resolution": lambda path: plain(path, (32, 1024, 1024)),
    "as it is written: shards of 32 MiB, all resolutions": lambda path: create_ome_zarr(
        path, SHAPE, "f4", axes="ZYX", voxel_size_um=VOXEL_UM
    ),
}


def main() -> None:
    """Write and read by all ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    data = gaussian_filter(np.random.default_rng(0).standard_normal(SHAPE, dtype=np.float32), 1.5)
    measured: dict[str, dict[str, list[float]]] = {way: defaultdict(list) for way in WAYS}
    sizes: dict[str, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for way, create in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "a.ome.zarr"
                computed = time.process_time()
                measured[way]["write, s"].append(seconds(write, create(path), data))
                measured[way]["write, s of the processor"].append(time.process_time() - computed)
                sizes[way] = size_of(path)
                for what, took in reads(path):
                    measured[way][what].append(took)
    report = {
        "shape": SHAPE,
        "MiB": round(data.nbytes / MIB),
        "rounds": ROUNDS,
        "ways": {
            way: sizes[way] | {what: round(statistics.median(times), 4) for what, times in found.items()}
            for way, found in measured.items()
        },
    }
    print(json.dumps(report, indent=1))
    given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def write(created: contextlib.AbstractContextManager[ChunkWriter], data: np.ndarray) -> None:
    """Write in strips."""
    planes, rows, columns = (slice(0, size) for size in SHAPE)
    with created as writer:
        for start in range(0, rows.stop, ROWS):
            strip = slice(start, start + ROWS)
            writer.write((planes, strip, columns), data[:, strip])


def reads(path: Path) -> Iterator[tuple[str, float]]:
    """What is read, and how long that takes."""
    group = zarr.open_group(path, mode="r")
    middle = SHAPE[0] // 2
    yield "read a plane, s", cold(path, group["0"], middle)
    yield "read 512 x 512 of a plane, s", cold(path, group["0"], (middle, slice(600, 1112), slice(600, 1112)))
    coarsest = group[sorted(group.array_keys())[-1]]
    yield "read an overview of a plane, s", cold(path, coarsest, coarsest.shape[0] // 2)


def cold(path: Path, array: Any, index: Any) -> float:
    """Seconds for reading a part, from the disk."""
    for file in files_of(path):
        handle = os.open(file, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
    return seconds(array.__getitem__, index)


def size_of(path: Path) -> dict[str, float]:
    """How many files and bytes."""
    files = files_of(path)
    stored = sum(file.stat().st_size for file in files)
    pixels = np.prod(SHAPE, dtype=np.int64) * 4
    return {
        "files": len(files),
        "files for a terabyte of pixels": round(len(files) * TERABYTE / pixels),
        "bytes for a byte of pixels": round(stored / pixels, 3),
    }


def files_of(path: Path) -> list[Path]:
    """Files with pixels in them."""
    return [file for file in path.rglob("*") if file.is_file() and file.name != "zarr.json"]


def seconds(work: Callable[..., object], *given: object) -> float:
    """How long something takes."""
    start = time.perf_counter()
    work(*given)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
