"""How long measuring takes, and how much memory: a plane of 1024 x 1024, and a stack of 32 of them.

    python measure.py [--planes N] [--method local|ridge]

A simulated field is tiled to the size. Memory is the peak of the whole process, libraries included. Times of the
processor tell what a machine costs that does other things as well.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from napari_mito_predict.measurement import (
    MitochondriaSettings,
    Progress,
    measure_mitochondria,
    segment_mitochondria,
    segment_nuclei,
    segment_puncta,
)
from napari_mito_predict.simulation import Conditions, simulate_stack

SIDE = 1024
TILE = 256
SEED = 900_100


@contextmanager
def timed(name: str, found: dict[str, float]) -> Iterator[Progress]:
    """Time a block, by the clock and of all cores, and the longest time between two questions whether to go on."""
    gaps = [time.perf_counter()]

    def ask() -> bool:
        gaps.append(time.perf_counter())
        return False

    start = time.perf_counter()
    computed = time.process_time()
    yield Progress(should_stop=ask)
    found[f"{name}_s"] = round(time.perf_counter() - start, 2)
    found[f"{name}_processor_s"] = round(time.process_time() - computed, 2)
    found[f"{name}_longest_step_s"] = round(float(np.diff([*gaps, time.perf_counter()]).max()), 2)
    found[f"{name}_peak_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def main() -> None:
    """Print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", type=int, default=32)
    parser.add_argument("--method", choices=["local", "ridge"], default="local")
    options = parser.parse_args()
    image = simulate_stack(SEED, Conditions.matched(np.random.default_rng(SEED)), (32, TILE, TILE))
    settings = MitochondriaSettings(method=options.method)
    found: dict[str, float] = {}
    middle = 14
    for name, planes in (("first_plane", 1), ("plane", 1), ("stack", options.planes)):
        part = image.data[1:, 0, : options.planes] if planes > 1 else image.data[1:, 0, middle]
        mitochondria, dna = np.tile(part, (SIDE // TILE, SIDE // TILE))
        size = image.voxel_size_um
        with timed(f"{name}_segmentation", found) as progress:
            labels = segment_mitochondria(mitochondria, size, settings, progress)
        with timed(f"{name}_nuclei", found) as progress:
            nuclei = segment_nuclei(dna, size, progress=progress)
        with timed(f"{name}_puncta", found) as progress:
            segment_puncta(dna, size, outside=nuclei, progress=progress)
        with timed(f"{name}_measures", found) as progress:
            table = measure_mitochondria(labels, size, pixels=mitochondria, nuclei=nuclei, progress=progress)
        found[f"{name}_objects"] = len(table)
        print(json.dumps(found, indent=2), flush=True)


if __name__ == "__main__":
    main()
