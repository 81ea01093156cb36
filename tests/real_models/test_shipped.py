"""The shipped model is whole, says what it is, and holds no piece of the images it was trained on."""

from __future__ import annotations

import math
import runpy
from importlib.metadata import metadata
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.image import from_array
from napari_mito_predict.models import Agreement, ModelCard, ModelInfo, load_model, verify_model
from napari_mito_predict.models.distributions import REAL_MODELS
from napari_mito_predict.prediction import predict
from napari_mito_predict.prediction.choice import choose_models
from napari_mito_predict.training import Run, Status
from napari_mito_predict.training.folds.results import GroupScores

BUILD = Path(__file__).parents[2] / "real-models" / "build.py"


def test_it_passes_its_self_test(shipped: ModelInfo) -> None:
    report = verify_model(shipped.path)
    assert report.passed, report.message


def test_its_card_says_what_it_is(shipped: ModelInfo) -> None:
    card = shipped.card
    assert card is not None
    assert card.cells == "real: H9c2, bright-field, one microscope"
    assert (card.input.modality, card.input.estimated_pixel_um) == ("bright-field", 0.1)
    assert (card.input.voxel_size_um, card.input.third_axes) == ((None, None, None), ())
    assert [target.name for target in card.targets] == ["mitochondria"]
    assert not card.simulated
    assert card.disclaimer == ""


def test_licence_and_attribution_are_there_twice(shipped: ModelInfo) -> None:
    card = shipped.card
    assert card is not None
    assert card.licence == "GPL-3.0-only"
    assert metadata(REAL_MODELS)["License-Expression"] == "GPL-3.0-only"
    assert "10.1364/BOE.464177" in card.attribution
    assert "10.1364/BOE.464177" in (metadata(REAL_MODELS)["Description"] or "")


def test_no_piece_of_an_image_is_shipped(shipped: ModelInfo) -> None:
    assert sorted(path.name for path in shipped.path.iterdir()) == [
        "README.md",
        "model.json",
        "sample.npz",
        "training_images.safetensors",
        "weights.safetensors",
    ]
    sample = load_model(shipped.name).sample
    assert sample is not None
    np.testing.assert_allclose(sample.given, runpy.run_path(str(BUILD))["synthetic_sample"](), atol=1e-5)


def test_the_card_for_people_is_that_of_the_program(shipped: ModelInfo) -> None:
    assert shipped.card is not None
    assert (shipped.path / "README.md").read_text(encoding="utf-8") == shipped.card.to_markdown()


def test_scores_without_a_meaning_are_left_out_of_the_card(shipped: ModelInfo) -> None:
    """As of a field whose truth is constant."""
    build = runpy.run_path(str(BUILD))
    rest = {"fine_pcc": math.nan, "ssim_global": 0.5}
    scores = [
        GroupScores(group, f"fold-{group}", "mitochondria", model, 2, {"pcc": pcc, **rest})
        for group, pcc in (("a", 0.6), ("b", math.nan))
        for model in ("this model", "local contrast")
    ]
    card = build["shipped_card"](shipped.card, scores)
    assert ModelCard.from_json(card.to_json(), source="card") == card
    assert card.metrics["mean of the fields"] == {"pcc": 0.6, "ssim_global": 0.5}
    assert card.metrics["field b"] == {"ssim_global": 0.5, "images": 2.0}
    assert card.tests[0].model == Agreement(pcc=0.6)


def test_weights_of_another_request_are_not_shipped(shipped: ModelInfo, tmp_path: Path) -> None:
    build = runpy.run_path(str(BUILD))
    request = build["request_for"](tmp_path, tmp_path / "runs")
    Run.create(request).write_status(Status("done"))
    with pytest.raises(SystemExit, match=r"iterations: .*Delete it"):
        build["trained"](request.model_copy(update={"iterations": 7}))


def test_a_plane_is_predicted_on_its_own_grid(shipped: ModelInfo) -> None:
    plane = np.random.default_rng(0).integers(0, 255, (50, 61), np.uint8)
    image = from_array(plane, axes="YX", channel_names=["BF"], voxel_size_um=(None, 0.1, 0.1), name="cells")
    assert choose_models(image).models == ("mito-2d-h9c2",)
    prediction = predict(image, shipped.name)["mitochondria"]
    assert prediction.data.shape == (1, 50, 61)
    assert np.isfinite(prediction.data).all()
    assert prediction.record.model.licence == "GPL-3.0-only"


@pytest.mark.parametrize("stem", ["example", "curve"])
def test_the_card_for_people_shows_no_picture(shipped: ModelInfo, stem: str) -> None:
    assert stem not in (shipped.path / "README.md").read_text(encoding="utf-8")
