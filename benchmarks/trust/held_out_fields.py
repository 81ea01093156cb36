"""Train a model of H9c2 planes that has never seen two of the four fields, with which the shipped one can be judged.

    python benchmarks/trust/held_out_fields.py WORK_FOLDER [--iterations 300]

The shipped `mito-2d-h9c2` learned from all fields, so that nothing of H9c2 is new to it. This model has its recipe and
a tenth of its iterations, on smaller patches; fields 009 and 012 are left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from skimage.io import imread

from napari_mito_predict.models import Model, read_package, save_model
from napari_mito_predict.prediction.appearance import Look, look_at, reference_of
from napari_mito_predict.prediction.intensities import relative_contrast
from napari_mito_predict.prediction.normalize import measure, normalise
from napari_mito_predict.training import Run, TrainingConfig, train

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from trust.conditions import HELD_OUT_MODEL, REAL, SHIPPED_PACKAGE

IMAGES = REAL / "h9c2_brightfield_to_mito"
HELD_OUT = ("009", "012")


def main() -> None:
    """Train, or go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--iterations", type=int, default=300)
    given = parser.parse_args()
    request = {
        "target": "mitochondria",
        "data": {"input_folder": str(IMAGES / "input"), "target_folder": str(IMAGES / "target")},
        "split": {"by": "^[^_]+", "test": list(HELD_OUT), "validation": 0},
        "select": "last",
        "preset": "general",
        "iterations": given.iterations,
        "patch": (128, 128),
        "batch_size": 4,
        "validate_every": 100,
        "name": HELD_OUT_MODEL,
        "licence": "GPL-3.0-only",
        "look_for_shifts": False,
        "add_to_models": False,
        "output": str(given.folder / HELD_OUT_MODEL),
    }
    run = Run(given.folder / HELD_OUT_MODEL)
    if not run.exists:
        run = train(TrainingConfig.parse(request))
    elif run.status.state != "done":
        run = train(run)
    write(run.model, given.folder / "packages" / HELD_OUT_MODEL)


def write(model: Model, package: Path) -> None:
    """Write the package that is judged: with what the shipped one was told, and what it learned from looks like.

    A training compares its training images with those of its test fields. Here these are what is asked about, so that
    each field trained on is compared with the other one instead.
    """
    known = read_package(SHIPPED_PACKAGE).card.input
    told = {"modality": known.modality, "estimated_pixel_um": known.estimated_pixel_um}
    card = model.card.model_copy(update={"input": model.card.input.model_copy(update=told)})
    looks = [look(model, path) for path in sorted((IMAGES / "input").iterdir()) if field_of(path) not in HELD_OUT]
    save_model(package, card, model.network, model.sample.given, training_images=reference_of(looks))


def look(model: Model, path: Path) -> Look:
    """What one plane looks like to the network."""
    light = imread(path)[None]
    statistics = measure(light, model.card.input.normalisation)
    return look_at(normalise(light, statistics), relative_contrast(light), model.network, field_of(path))


def field_of(path: Path) -> str:
    """The field of a crop, with which its name begins."""
    return path.name.split("_")[0]


if __name__ == "__main__":
    main()
