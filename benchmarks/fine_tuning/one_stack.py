"""What learns one small stack by heart? Trained from scratch on 32 x 84 x 128 voxels, scored on other cells.

    python one_stack.py WORK_FOLDER [--output one_stack.json]

The stack is the middle of one simulated cell under the conditions of `simulated.py`; four other cells are scored. Each
recipe is trained for a few and for many iterations, of equally many voxels each, once with a strip held back that
chooses the best state and once with nothing held back.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from simulated import OTHER_MICROSCOPE, TESTED_ON, TRAINED_ON, score, simulate

from napari_mito_predict.image import open_image, write_ome_tiff
from napari_mito_predict.image.crops import centre_of
from napari_mito_predict.training import Run, TrainingConfig, train

SIZE = (84, 128)
ITERATIONS = (50, 400)
RECIPES: dict[str, dict[str, Any]] = {
    "quick, flips only": {"preset": "quick", "augment": {"flip": True}},
    "quick": {"preset": "quick"},
    "general": {"preset": "general", "batch_size": 4},
}
CHOICES: dict[str, dict[str, Any]] = {
    "best by strip": {"split": {"test": 0}},
    "last": {"split": {"test": 0, "validation": 0}, "select": "last"},
}


def main() -> None:
    """Simulate, train each recipe, score each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cell = simulate(options.folder / "fields", TRAINED_ON)[0]
    data = cut_out(cell, options.folder)
    cells = simulate(options.folder / "cells", TESTED_ON)[:4]
    rows: dict[str, list[float]] = {}
    for iterations in ITERATIONS:
        for recipe, settings in RECIPES.items():
            for choice, change in CHOICES.items():
                name = f"{recipe}, {iterations} iterations, {choice}"
                folder = options.folder / "runs" / name.replace(", ", "-").replace(" ", "-")
                run = trained(folder, data, {**settings, **change, "iterations": iterations})
                rows[name] = score(run.model, cells)
                print(f"{name:50} mean {np.mean(rows[name]):.3f}  " + " ".join(f"{v:.3f}" for v in rows[name]))
                if options.output:
                    report = {"conditions": OTHER_MICROSCOPE, "size": [32, *SIZE], "pcc": rows}
                    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def cut_out(cell: Path, folder: Path) -> dict[str, str]:
    """The middle of a cell as two OME-TIFFs, light and truth, and the part of a training request that names them."""
    image = open_image(cell)
    for part, channel in (("light", image.channel().index), ("truth", "TMRM")):
        pixels = image.read(channel=channel)
        middle = pixels[centre_of(pixels.shape, (len(pixels), *SIZE))]
        path = folder / part / "cell.ome.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ome_tiff(path, middle, axes="ZYX", voxel_size_um=image.voxel_size_um)
    return {"input_folder": str(folder / "light"), "target_folder": str(folder / "truth")}


def trained(folder: Path, data: dict[str, str], settings: dict[str, Any]) -> Run:
    """The run in `folder`: gone on with if it is there, else made."""
    run = Run(folder)
    if run.exists:
        return run if run.status.state == "done" else train(run)
    fixed = {"target": "mitochondria", "data": data, "add_to_models": False, "validate_every": 25}
    return train(TrainingConfig.parse({**fixed, **settings, "output": str(folder)}))


if __name__ == "__main__":
    main()
