"""Does fine-tuning help? Four fields of another microscope: bundled model, fine-tuned, and trained from scratch.

    python simulated.py WORK_FOLDER [--iterations 400] [--output simulated.json]

The other microscope is simulated: light from the other side, a smaller condenser aperture, a longer wavelength, fewer
photons and lower contrast than `mito-z` was chosen for. Fine-tuning and training from scratch see the same four fields
for the same number of iterations; all are scored on six other cells under the same conditions. Cells come from seeds
that no bundled model was trained on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from napari_mito_predict.evaluation import pcc
from napari_mito_predict.image import open_image
from napari_mito_predict.models import Model, load_model
from napari_mito_predict.prediction import predict
from napari_mito_predict.simulation import Conditions, Job, simulate_files
from napari_mito_predict.training import Run, TrainingConfig, train

TRAINED_ON, TESTED_ON = range(400_000, 400_004), range(400_100, 400_106)
OTHER_MICROSCOPE = {
    "flip_z": True,
    "na_illumination": 0.25,
    "wavelength_um": 0.75,
    "photons": 150.0,
    "ri_contrast": 0.6,
    "voxel_size_um": (0.25, 0.14, 0.14),
}


def main() -> None:
    """Simulate, train twice, score three models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    fields = simulate(options.folder / "fields", TRAINED_ON)
    cells = simulate(options.folder / "cells", TESTED_ON)
    models = {"bundled mito-z": load_model("mito-z")}
    for name, start in (("from scratch", None), ("fine-tuned mito-z", "mito-z")):
        models[name] = trained(options.folder / name.replace(" ", "-"), fields, start, options).model
    rows = {name: score(model, cells) for name, model in models.items()}
    for name, values in rows.items():
        print(f"{name:20} mean {np.mean(values):.3f}  " + " ".join(f"{v:.3f}" for v in values))
    if options.output:
        report = {"iterations": options.iterations, "conditions": OTHER_MICROSCOPE, "pcc": rows}
        options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def simulate(folder: Path, seeds: range) -> list[Path]:
    """One CZI per seed, under the conditions of the other microscope."""
    jobs = []
    for seed in seeds:
        matched = Conditions.matched(np.random.default_rng(seed))
        conditions = dataclasses.replace(matched, **OTHER_MICROSCOPE)  # type: ignore[arg-type]
        jobs.append(Job(folder / f"cell_{seed}.czi", seed, conditions, (32, 256, 256)))
    return list(simulate_files(jobs))


def trained(folder: Path, fields: list[Path], start: str | None, options: argparse.Namespace) -> Run:
    """The run in `folder`: gone on with if it is there, else made."""
    run = Run(folder)
    if run.exists:
        return run if run.status.state == "done" else train(run)
    request = {
        "targets": {"mitochondria": "TMRM"},
        "data": {"files": [str(path) for path in fields]},
        "split": {"test": 0, "validation": [fields[-1].stem]},
        "preset": "quick",
        "start_from": start,
        "voxel_size_um": (0.25, 0.14, 0.14),  # as recorded, for both
        "iterations": options.iterations,
        "threads": options.threads,
        "add_to_models": False,
        "output": str(folder),
    }
    return train(TrainingConfig.parse(request))


def score(model: Model, cells: list[Path]) -> list[float]:
    """Pearson correlation with the simulated TMRM image, for each cell."""
    images = [open_image(cell) for cell in cells]
    return [
        pcc(next(iter(predict(image, model).values())).data, image.read(channel="mitochondria")) for image in images
    ]


if __name__ == "__main__":
    main()
