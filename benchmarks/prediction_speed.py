"""What tiling and precision cost: ratios within one run, on this machine's processor.

    python benchmarks/prediction_speed.py [--size 512] [--repeats 2]

Random weights: speed does not depend on them. Prints a table; the largest error is in standard deviations of the whole
float32 prediction.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from exact_streaming.subject import make_model

from napari_mito_predict.prediction import plan_prediction, run

NETWORK = "random:3:16"  # as the bundled models are
WAYS: list[tuple[str, str | tuple[int, int, int], str]] = [
    ("whole", "whole", "32"),
    ("tiles of 384", (64, 384, 384), "32"),
    ("tiles of 256", (64, 256, 256), "32"),
    ("tiles of 128", (64, 128, 128), "32"),
    ("whole", "whole", "bf16"),
    ("tiles of 256", (64, 256, 256), "bf16"),
]


def main() -> None:
    """Measure all ways in turn, and print their ratios to the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--planes", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    shape = (arguments.planes, arguments.size, arguments.size)
    volume = np.random.default_rng(0).integers(100, 4000, shape, dtype=np.uint16)
    model, first = make_model(NETWORK), None
    print(f"{' x '.join(map(str, shape))}, {torch.get_num_threads()} threads\n")
    print("| way | precision | tiles | seconds | ratio | arithmetic | largest error |\n|---|---|---|---|---|---|---|")
    for name, tile, precision in WAYS:
        plan = plan_prediction(volume, model, device="cpu", precision=precision, tile=tile)
        seconds = []
        for _ in range(arguments.repeats):
            start = time.perf_counter()
            data = run(plan).predict()["mitochondria"].data
            seconds.append(time.perf_counter() - start)
        grid = plan.jobs[0].grid
        read = sum(np.prod([span.size for span in t.read]) for t in grid) / np.prod([axis.padded for axis in grid.axes])
        first = first or (min(seconds), data)
        error = np.abs(data - first[1]).max() / first[1].std()
        row = [name, precision, len(grid), f"{min(seconds):.1f}", f"{min(seconds) / first[0]:.2f}", f"{read:.2f}"]
        print("| " + " | ".join(map(str, [*row, f"{error:.1e}"])) + " |", flush=True)


if __name__ == "__main__":
    main()
