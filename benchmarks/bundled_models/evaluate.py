"""Held-out scores of the bundled models: simulated cells of seeds never used in training, matched and shifted optics.

    python evaluate.py runs/mito-z/model runs/dna-z/model --cells 12 --processes 2 --output scores.json [--into-card]

Each row predicts the same cells under another condition, by the same engine users predict with: z-stacks or time
series, whichever the models are for. "Nucleoids" is the DNA prediction against the noise-free image of mitochondrial
DNA alone, outside the nucleus. `--into-card` writes the scores into the model packages.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import torch

from napari_mito_predict.evaluation import evaluate, pcc
from napari_mito_predict.models import Model, read_package, save_model
from napari_mito_predict.models.package import SAMPLE
from napari_mito_predict.prediction import predict
from napari_mito_predict.simulation import Conditions, SimulatedImage, simulate_series, simulate_stack

FIRST_SEED = 300_000  # training uses 0 ... 5023; 100000 on decided the stages of the models for z-stacks
OPTICS = {
    "matched optics": {},
    "z sense flipped": {"flip_z": True},
    "100 photons": {"photons": 100.0},
    "condenser NA 0.3": {"na_illumination": 0.3},
    "condenser NA 0.8": {"na_illumination": 0.8},
    "wavelength 0.70 um": {"wavelength_um": 0.70},
    "half refractive-index contrast": {"ri_contrast": 0.5},
    "voxel 0.16 um in y, x": {"voxel_size_um": (0.15, 0.16, 0.16)},
}
CONDITIONS = {
    "z": OPTICS | {"voxel 0.30 um in z": {"voxel_size_um": (0.30, 0.11, 0.11)}},
    "t": OPTICS | {"5 s between frames": {"step_s": 5.0}, "2 min between frames": {"step_s": 120.0}},
}
SERIES = {"frames": 32, "shape_yx": (192, 192)}
STEP_S = 30.0
TRUTH_CHANNEL = {"mitochondria": 1, "dna": 2}
Row = dict[str, dict[str, float]]


def main() -> None:
    """Print and store mean scores per condition and target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--conditions", nargs="*")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--into-card", action="store_true")
    options = parser.parse_args()
    models = [read_package(path) for path in options.models]
    (axis,) = {model.third_axes[0] for model in models}
    conditions = options.conditions or list(CONDITIONS[axis])
    seeds = range(options.first_seed, options.first_seed + options.cells)
    rows: dict[str, dict[str, dict[str, float]]] = {model.name: {} for model in models}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, context, torch.set_num_threads, (1,)) as pool:
        jobs = product(conditions, seeds)
        found = pool.map(score, *zip(*((options.models, axis, name, seed) for name, seed in jobs), strict=True))
        for name in conditions:
            cells = [next(found) for _ in seeds]
            for model in models:
                rows[model.name][name] = row = summary([cell[model.name] for cell in cells])
                print(f"{model.name:8} {name:32}", "  ".join(f"{k} {v:.3f}" for k, v in row.items()), flush=True)
    if options.output:
        options.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    if options.into_card:
        for path, model in zip(options.models, models, strict=True):
            update_card(path, model, rows[model.name])


def score(paths: list[Path], axis: str, condition: str, seed: int) -> dict[str, dict[str, float]]:
    """Scores of each model on the cell of `seed` under one condition, against the recorded (noisy) truth."""
    image = simulated(axis, seed, CONDITIONS[axis][condition])
    models = [read_package(path) for path in paths]
    third = (0, slice(None)) if axis == "z" else (slice(None), 0)
    return dict(_scores(image, models, third))


def _scores(image: SimulatedImage, models: list[Model], volume: tuple[object, ...]) -> Iterator[tuple[str, dict]]:
    results = predict(image.data[0][volume], models, voxel_size_um=image.voxel_size_um)
    for model, prediction in zip(models, results.values(), strict=True):
        found = evaluate(prediction.data, image.data[TRUTH_CHANNEL[model.targets[0]]][volume])
        scores = {"pcc": found.pcc, "ssim_global": found.ssim_global}
        if model.targets[0] == "dna":
            outside = np.broadcast_to(image.truth.nucleus < 0.05, prediction.data.shape)
            nucleoids = image.truth.nucleoids[volume]
            scores["nucleoids alone"] = pcc(prediction.data[outside], nucleoids[outside])
        yield model.name, scores


def simulated(axis: str, seed: int, change: dict[str, object]) -> SimulatedImage:
    """The cell of `seed` under matched conditions with its own detector, and one thing changed."""
    matched = Conditions.matched(np.random.default_rng(seed))
    step = {"step_s": change.get("step_s", STEP_S)}
    conditions = dataclasses.replace(matched, **{k: v for k, v in change.items() if k != "step_s"})  # type: ignore[arg-type]
    if axis == "z":
        return simulate_stack(seed, conditions)
    return simulate_series(seed, conditions, **SERIES, **step)  # type: ignore[arg-type]


def summary(cells: list[dict[str, float]]) -> dict[str, float]:
    """Means over cells, the lowest correlation, and how many cells."""
    means = {key: float(np.mean([cell[key] for cell in cells])) for key in cells[0]}
    return means | {"lowest": min(cell["pcc"] for cell in cells), "cells": len(cells)}


def update_card(path: Path, model: Model, rows: dict[str, dict[str, float]]) -> None:
    """Write the package again with these scores as its metrics; weights stay what they are."""
    notes = (
        f"Scores below: simulated cells of seeds {FIRST_SEED} and on, which neither training nor any decision about it "
        "used."
    )
    training = model.card.training.model_copy(update={"notes": notes})
    card = model.card.model_copy(update={"metrics": rows, "training": training})
    with np.load(path / SAMPLE) as sample:
        seen = model.training_images
        save_model(path, card, model.network, sample["input"], precision="float16", training_images=seen)


if __name__ == "__main__":
    main()
