"""Cross-validate and train the model that is shipped, and make its package: its scores, and nothing of any image.

    python real-models/build.py IMAGES [--runs FOLDER]

IMAGES holds `input` and `target` of the published pairs. Repeated, it goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_mito_predict.image import Modality
from napari_mito_predict.models import Agreement, Model, ModelCard, ModelTest, save_model
from napari_mito_predict.training import Run, TrainingConfig, train
from napari_mito_predict.training.config import Data
from napari_mito_predict.training.folds.plan import plan_folds
from napari_mito_predict.training.folds.record import claim
from napari_mito_predict.training.folds.results import GroupScores, collect, summarise
from napari_mito_predict.training.folds.runner import run_folds
from napari_mito_predict.training.scoring import OURS

HERE = Path(__file__).parent
MODELS = HERE / "src" / "napari_mito_predict_real_models" / "models"
NAME = "mito-2d-h9c2"
STAIN = "mCherry-EGFP-OMP25"
ATTRIBUTION = (
    "Trained on images of Somani et al., Biomed. Opt. Express 13, 5495 (2022), doi:10.1364/BOE.464177; "
    "the repository of that paper is under GPL-3."
)
NOTES = (
    "Learned from all fields; the scores are of models of the same recipe, each on the field that it did not see. The "
    "recipe was chosen by such scores, so they are somewhat too good."
)
TESTED_ON = "held-out fields of the cross-validation"
_SAMPLE = (1, 128, 128)
_STRUCTURE = 2.0
"""Pixels of blur: structures of about the size of mitochondria, since white noise tells little of a network."""


def main() -> None:
    """Do all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="folder of the pairs")
    parser.add_argument("--runs", type=Path, default=Path("runs") / NAME, help="folder of the trainings")
    given = parser.parse_args()
    request = request_for(given.images, given.runs)
    scores = cross_validate(request)
    write_package(trained(request), scores)
    print(f"Wrote {MODELS / NAME}")


def request_for(images: Path, runs: Path) -> TrainingConfig:
    """The committed request, for the pairs in `images`."""
    request = TrainingConfig.load(HERE / f"{NAME}.yaml")
    data = Data(input_folder=str(images / "input"), target_folder=str(images / "target"))
    return request.model_copy(update={"data": data.relative_to(Path.cwd()), "output": runs.absolute() / "all"})


def cross_validate(request: TrainingConfig) -> Sequence[GroupScores]:
    """Train on all fields but one, four times, and score each of the four on the field that it did not see."""
    planned = plan_folds(request.model_copy(update={"output": request.output.with_name("folds")}))
    claim(planned)
    run_folds(planned, 1, lambda *_: None, lambda fold, problem: print(fold.name, problem or "done"))
    results = collect(planned)
    if results.unfinished:
        raise SystemExit(f"Not finished: {dict(results.unfinished)}. Repeat the command.")
    if results.unscored:
        raise SystemExit(f"Without scores: {dict(results.unscored)}. Delete these folds and repeat the command.")
    return results.scores


def trained(request: TrainingConfig) -> Model:
    """The model of all fields, trained now or before with the same request."""
    run = Run(request.output)
    if not run.exists:
        run = train(request)
    elif differences := request.differences(run.config.model_dump(mode="json")):
        raise SystemExit(f"{run.path} was begun with something else ({'; '.join(differences)}). Delete it.")
    elif run.status.state != "done":
        run = train(run)
    return run.model


def write_package(model: Model, scores: Sequence[GroupScores], folder: Path = MODELS / NAME) -> None:
    """Write what is shipped: the weights in half precision, a card, and noise as the self-test's input.

    What the training images look like is told in numbers. No field was held out: each of the four was compared with the
    other three in turn.
    """
    save_model(
        folder,
        shipped_card(model.card, scores),
        model.network,
        synthetic_sample(),
        precision="float16",
        training_images=model.training_images,
    )


def shipped_card(card: ModelCard, scores: Sequence[GroupScores]) -> ModelCard:
    """The card of a training, with its cross-validation and what its files could not know."""
    (target,) = card.targets
    facts = {
        "name": NAME,
        "title": f"Mitochondria ({STAIN}) from bright-field, single planes",
        "targets": (target.model_copy(update={"stain": STAIN, "colormap": "magenta"}),),
        "input": card.input.model_copy(update={"modality": str(Modality.BRIGHT_FIELD), "estimated_pixel_um": 0.1}),
        "training": card.training.model_copy(
            update={"data": "live H9c2 rat cardiomyoblasts, DeltaVision", "notes": NOTES}
        ),
        "metrics": _metrics(scores),
        "tests": (_test(target.name, scores),),
        "licence": "GPL-3.0-only",
        "authors": ("napari-mito-predict developers",),
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


def _metrics(scores: Sequence[GroupScores]) -> dict[str, dict[str, float]]:
    """The scores of each field, and of what needs no network, after the means over fields."""
    measures = ("pcc", "fine_pcc", "ssim_global")
    means = {measure: summarise(scores, measure)[0].means for measure in measures}
    over_fields = {
        _condition("mean of the fields", name): {
            **_finite({measure: means[measure][name].mean for measure in measures}),
            **_finite({f"{measure} standard error": means[measure][name].standard_error for measure in measures[:2]}),
        }
        for name in means["pcc"]
    }
    each_field = {
        _condition(f"field {score.group}", score.model): {
            **_finite({measure: score.scores[measure] for measure in measures}),
            "images": float(score.images),
        }
        for score in scores
    }
    return over_fields | each_field


def _finite(scores: dict[str, float]) -> dict[str, float]:
    """Those that have a meaning: a card holds no NaN."""
    return {name: value for name, value in scores.items() if math.isfinite(value)}


def _condition(fields: str, model: str) -> str:
    """Row of the card's table: this model's, or what needs no network."""
    if model == OURS:
        return fields
    return f"{fields}, {model}"


def _test(target: str, scores: Sequence[GroupScores]) -> ModelTest:
    """Means over fields."""
    means = {metric: summarise(scores, metric)[0].means for metric in ("pcc", "fine_pcc")}
    agreements = {
        name: Agreement(**_finite({metric: mean[name].mean for metric, mean in means.items()})) for name in means["pcc"]
    }
    return ModelTest(target=target, on=TESTED_ON, model=agreements.pop(OURS), baselines=agreements)


if __name__ == "__main__":
    main()
