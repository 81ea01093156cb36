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

from napari_mito_predict.models import Architecture, Input, Model, ModelCard, Target, Training
from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.prediction import plan_prediction

WAYS: list[tuple[str, str | tuple[int, int, int], str]] = [
    ("whole", "whole", "32"),
    ("tiles of 384", (64, 384, 384), "32"),
    ("tiles of 256", (64, 256, 256), "32"),
    ("tiles of 128", (64, 128, 128), "32"),
    ("whole", "whole", "bf16"),
    ("tiles of 256", (64, 256, 256), "bf16"),
]


def bundled_like() -> Model:
    """Depth 3, width 16, as the bundled models are."""
    torch.manual_seed(0)
    card = ModelCard(
        name="bench",
        title="bench",
        targets=(Target(name="mitochondria", stain="TMRM"),),
        architecture=Architecture(kind="unet"),
        input=Input(voxel_size_um=(0.3, 0.1, 0.1), third_axes=("z",)),
        training=Training(data="random weights", pairs=0, iterations=0),
        simulated=False,
    )
    return Model(card, UNet(depth=3, base_channels=16).eval())


def main() -> None:
    """Measure all ways in turn, and print their ratios to the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--planes", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    shape = (arguments.planes, arguments.size, arguments.size)
    volume = np.random.default_rng(0).integers(100, 4000, shape, dtype=np.uint16)
    model, first = bundled_like(), None
    print(f"{' x '.join(map(str, shape))}, {torch.get_num_threads()} threads\n")
    print("| way | precision | tiles | seconds | ratio | arithmetic | largest error |\n|---|---|---|---|---|---|---|")
    for name, tile, precision in WAYS:
        plan = plan_prediction(volume, model, device="cpu", precision=precision, tile=tile)
        seconds = []
        for _ in range(arguments.repeats):
            start = time.perf_counter()
            data = plan.predict()["mitochondria"].data
            seconds.append(time.perf_counter() - start)
        grid = plan.jobs[0].grid
        read = sum(np.prod([span.size for span in t.read]) for t in grid) / np.prod([axis.padded for axis in grid.axes])
        first = first or (min(seconds), data)
        error = np.abs(data - first[1]).max() / first[1].std()
        row = [name, precision, len(grid), f"{min(seconds):.1f}", f"{min(seconds) / first[0]:.2f}", f"{read:.2f}"]
        print("| " + " | ".join(map(str, [*row, f"{error:.1e}"])) + " |", flush=True)


if __name__ == "__main__":
    main()
