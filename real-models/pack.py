"""Make the model package that is shipped from that of a training: facts on the card, and nothing of any image.

python real-models/pack.py runs/h9c2
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_mito_predict.image import Modality
from napari_mito_predict.models import Model, ModelCard, read_package, save_model

MODELS = Path(__file__).parent / "src" / "napari_mito_predict_real_models" / "models"
NAME = "mito-2d-h9c2"
STAIN = "mCherry-EGFP-OMP25"
ATTRIBUTION = (
    "Trained on images of Somani et al., Biomed. Opt. Express 13, 5495 (2022), doi:10.1364/BOE.464177; "
    "the repository of that paper is under GPL-3."
)
_SAMPLE = (1, 128, 128)
_STRUCTURE = 2.0
"""Pixels of blur: structures of about the size of mitochondria, since white noise tells little of a network."""


def main() -> None:
    """Write the package of the training that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder, or its model folder")
    given = parser.parse_args().run
    package = given / "model" if (given / "model").is_dir() else given
    model = read_package(package)
    save_model(MODELS / NAME, shipped_card(model), model.network, synthetic_sample(), precision="float16")
    print(f"Wrote {MODELS / NAME}")


def shipped_card(model: Model) -> ModelCard:
    """The card of a training, with what its files could not know."""
    card = model.card
    (target,) = card.targets
    facts = {
        "name": NAME,
        "title": f"Mitochondria ({STAIN}) from bright-field, single planes",
        "targets": (target.model_copy(update={"stain": STAIN, "colormap": "magenta"}),),
        "input": card.input.model_copy(update={"modality": str(Modality.BRIGHT_FIELD), "estimated_pixel_um": 0.1}),
        "training": card.training.model_copy(update={"data": "live H9c2 rat cardiomyoblasts, DeltaVision"}),
        "licence": "GPL-3.0-only",
        "attribution": ATTRIBUTION,
        "trained_on": "H9c2, bright-field, one microscope",
    }
    # Checked like a card that is read: a copy would take anything.
    return ModelCard.model_validate(card.model_copy(update=facts).model_dump())


def synthetic_sample() -> np.ndarray:
    """Blurred noise of zero mean and unit variance, (1, 128, 128): an input for the self-test that shows no cell."""
    noise = np.random.default_rng(0).normal(size=_SAMPLE)
    blurred = gaussian_filter(noise, (0, _STRUCTURE, _STRUCTURE), mode="wrap")
    return ((blurred - blurred.mean()) / blurred.std()).astype(np.float32)


if __name__ == "__main__":
    main()
