"""Held-out scores of the bundled models: simulated cells of seeds never used in training, matched and shifted optics.

    python evaluate.py runs/mito-z/model runs/dna-z/model --cells 12 --output scores.json [--into-card]

Each row predicts the same cells under another condition, by the same engine users predict with. "Nucleoids" is the
DNA prediction against the noise-free image of mitochondrial DNA alone, outside the nucleus. `--into-card` writes the
scores into the model packages.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_mito_predict.evaluation import pcc
from napari_mito_predict.models import Model, read_package, save_model
from napari_mito_predict.models.package import SAMPLE
from napari_mito_predict.prediction import predict
from napari_mito_predict.simulation import Conditions, SimulatedImage, simulate_stack

FIRST_SEED = (
    300_000  # training uses 0 ... 79, 1000 ... 1039, 2000 ... 2039, 3000 ... 3079; 100000 on decided its stages
)
CONDITIONS = {
    "matched optics": {},
    "z sense flipped": {"flip_z": True},
    "100 photons": {"photons": 100.0},
    "condenser NA 0.3": {"na_illumination": 0.3},
    "condenser NA 0.8": {"na_illumination": 0.8},
    "wavelength 0.70 um": {"wavelength_um": 0.70},
    "half refractive-index contrast": {"ri_contrast": 0.5},
    "voxel 0.16 um in y, x": {"voxel_size_um": (0.15, 0.16, 0.16)},
    "voxel 0.30 um in z": {"voxel_size_um": (0.30, 0.11, 0.11)},
}
TRUTH_CHANNEL = {"mitochondria": 1, "dna": 2}


def main() -> None:
    """Print and store mean correlation per condition and target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--conditions", nargs="*", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--output", type=Path)
    parser.add_argument("--into-card", action="store_true")
    options = parser.parse_args()
    models = [read_package(path) for path in options.models]
    rows: dict[str, dict[str, dict[str, float]]] = {model.name: {} for model in models}
    for name in options.conditions:
        scores: dict[str, list[float]] = {}
        for cell in range(options.cells):
            for key, value in score(simulated(options.first_seed + cell, CONDITIONS[name]), models):
                scores.setdefault(key, []).append(value)
        for model in models:
            row = {"pcc": mean(scores[model.name]), "lowest": min(scores[model.name]), "cells": options.cells}
            if f"{model.name} nucleoids" in scores:
                row["nucleoids alone"] = mean(scores[f"{model.name} nucleoids"])
            rows[model.name][name] = row
            print(f"{model.name:8} {name:32}", "  ".join(f"{k} {v:.3f}" for k, v in row.items()), flush=True)
    if options.output:
        options.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    if options.into_card:
        for path, model in zip(options.models, models, strict=True):
            update_card(path, model, rows[model.name])


def simulated(seed: int, change: dict[str, object]) -> SimulatedImage:
    """The cell of `seed` under matched conditions with its own detector, and one thing changed."""
    matched = Conditions.matched(np.random.default_rng(seed))
    return simulate_stack(seed, dataclasses.replace(matched, **change))  # type: ignore[arg-type]


def score(image: SimulatedImage, models: list[Model]) -> Iterator[tuple[str, float]]:
    """Correlation of each model's prediction with the recorded (noisy) truth, and for DNA with nucleoids alone."""
    results = predict(image.data[0, 0], models, voxel_size_um=image.voxel_size_um)
    for model, prediction in zip(models, results.values(), strict=True):
        yield model.name, pcc(prediction.data, image.data[TRUTH_CHANNEL[model.targets[0]], 0])
        if model.targets[0] == "dna":
            outside = image.truth.nucleus < 0.05
            yield f"{model.name} nucleoids", pcc(prediction.data[outside], image.truth.nucleoids[0][outside])


def mean(values: list[float]) -> float:
    """Arithmetic mean as a plain float."""
    return float(np.mean(values))


def update_card(path: Path, model: Model, rows: dict[str, dict[str, float]]) -> None:
    """Write the package again with these scores as its metrics; weights stay what they are."""
    notes = (
        f"Scores below: simulated cells of seeds {FIRST_SEED} and on, which neither training nor any decision about it "
        "used."
    )
    training = model.card.training.model_copy(update={"notes": notes})
    card = model.card.model_copy(update={"metrics": rows, "training": training})
    with np.load(path / SAMPLE) as sample:
        save_model(path, card, model.network, sample["input"], precision="float16")


if __name__ == "__main__":
    main()
