"""The shipped model is whole, says what it is, and holds no piece of the images it was trained on."""

from __future__ import annotations

import runpy
from importlib.metadata import metadata
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.image import from_array
from napari_mito_predict.models import ModelInfo, load_model, verify_model
from napari_mito_predict.models.distributions import REAL_MODELS
from napari_mito_predict.prediction import predict
from napari_mito_predict.prediction.choice import choose_models

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
        "weights.safetensors",
    ]
    sample = load_model(shipped.name).sample
    assert sample is not None
    np.testing.assert_allclose(sample.given, runpy.run_path(str(BUILD))["synthetic_sample"](), atol=1e-5)


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
