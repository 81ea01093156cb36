"""How long a look at an image takes before it is predicted, against reading it and predicting it.

    python look.py [-o look.json] [--planes 32] [--size 1024] [--model mito-z]

A stack of noise with smooth structure, in a TIFF. The look is to take less than two seconds of processor time for a
stack of 32 x 1024 x 1024, so less than one second on two cores, and no more than a fifth of what the prediction of
32 x 256 x 256 takes. Measure with OMP_NUM_THREADS=1 on a busy machine: threads that wait for others count as busy.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from napari_mito_predict.image import open_image, write_ome_tiff
from napari_mito_predict.models import Model, load_model
from napari_mito_predict.models.training_images import PERCENTS, TrainingImages
from napari_mito_predict.prediction import look, plan_prediction, predict


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """Processor time of the shortest of some calls, of all threads together: a busy machine changes it little."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def stack(planes: int, size: int) -> np.ndarray:
    """Smooth structure with noise, uint16."""
    random = np.random.default_rng(0)
    small = random.standard_normal((planes, size // 8, size // 8), np.float32)
    structure = ndimage.zoom(ndimage.gaussian_filter(small, (1, 1, 1)), (1, 8, 8), order=1)
    return random.poisson(1000 * (1 + 0.1 * structure / structure.std()).clip(0.1)).astype(np.uint16)


def _with_training_images(model: Model) -> Model:
    """The model as it is, or with made-up numbers of training images: the look takes as long with those."""
    if model.training_images is not None:
        return model
    count = model.network.feature_count
    made_up = TrainingImages(
        intensities=np.zeros((4, len(PERCENTS)), np.float32),
        contrast=np.ones(4, np.float32),
        mean=np.zeros(count, np.float32),
        covariance=np.eye(count, dtype=np.float32),
        distances=np.ones(16, np.float32),
    )
    return replace(model, training_images=made_up)


def measured(planes: int, size: int, name: str, *, whole: bool) -> dict[str, float | int | str]:
    """Times for one size."""
    model = _with_training_images(load_model(name))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.ome.tif"
        write_ome_tiff(path, stack(planes, size), axes="ZYX", channel_names=["BF"], voxel_size_um=(0.15, 0.11, 0.11))
        image = open_image(path)
        plan = plan_prediction(image, model, device="cpu", precision="32")
        look(plan)
        found: dict[str, float | int | str] = {
            "model": name,
            "planes": planes,
            "size": size,
            "threads": torch.get_num_threads(),
            "look_s": seconds(lambda: look(plan)),
            "read_s": seconds(lambda: image.read(0)),
        }
        if whole:
            found["predict_s"] = seconds(lambda: predict(image, model, device="cpu", precision="32", look=False), 2)
    return found


def main() -> None:
    """Measure, print, and keep what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--planes", type=int, default=32)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--model", default="mito-z")
    options = parser.parse_args()
    results = [
        measured(options.planes, options.size, options.model, whole=False),
        measured(16, 128, options.model, whole=True),
        measured(32, 256, options.model, whole=True),
    ]
    for result in results:
        print(result, flush=True)
    if options.output:
        options.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
