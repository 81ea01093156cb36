"""One model of two targets beside two models of one each: time for mitochondria and DNA from the same stack.

    python benchmarks/two_targets.py [--size 512] [--planes 32] [--repeats 3]

The pair is the bundled one; the single model has the same network with two outputs and random weights, on which speed
does not depend. In turn, in one process; prints the median of the ratios.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np

from napari_mito_predict.models import Model, load_model
from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.prediction import predict


def two_targets(pair: list[Model]) -> Model:
    """A model like the pair's, with the targets of both."""
    card = pair[0].card
    targets = tuple(target for model in pair for target in model.card.targets)
    arguments = card.architecture.arguments | {"out_channels": len(targets)}
    return Model(card.model_copy(update={"name": "both", "targets": targets}), UNet(**arguments).eval())


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--planes", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    volume = np.random.default_rng(0).integers(100, 4000, (options.planes, options.size, options.size), np.uint16)
    pair = [load_model(name) for name in ("mito-z", "dna-z")]
    both, ratios = two_targets(pair), []
    for i in range(options.repeats + 1):
        seconds = []
        for models in (pair, both):
            start = time.perf_counter()
            predict(volume, models)
            seconds.append(time.perf_counter() - start)
        if i:  # the first round also warms up
            ratios.append(seconds[1] / seconds[0])
            print(f"pair {seconds[0]:.1f} s, one model of two targets {seconds[1]:.1f} s", flush=True)
    print(f"ratio, median of {len(ratios)}: {median(ratios):.2f}")


if __name__ == "__main__":
    main()
