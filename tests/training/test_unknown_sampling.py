"""Images that do not know their voxel size are trained on in pixels; it is said once, and stays known."""

from __future__ import annotations

import json
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import InvalidModelError, TrainingDataError
from napari_mito_predict.image import Level, from_array, write_ome_tiff
from napari_mito_predict.models import ModelCard, read_card
from napari_mito_predict.prediction import check_fit, plan_prediction, predict
from napari_mito_predict.training import train
from napari_mito_predict.training.data import FieldReader
from napari_mito_predict.training.preflight import check_fields

UNKNOWN = (None, None, None)
KNOWN = (None, 0.2, 0.2)
CODES = {"sampling-unknown", "sampling-assumed", "start-sampling-unknown"}


def light_and_truth(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two planes of 8 bits, 48 x 52."""
    light = gaussian_filter(np.random.default_rng(seed).normal(size=(48, 52)), 1)
    light = (light - light.min()) / np.ptp(light) * 255
    return light.astype(np.uint8), (255 - gaussian_filter(light, 2)).astype(np.uint8)


@pytest.fixture
def planes(tmp_path: Path) -> Path:
    """Four fields as PNG: ``light/a0.png`` and ``truth/a0.png``."""
    for i in range(4):
        for folder, plane in zip(("light", "truth"), light_and_truth(i), strict=True):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"a{i}.png").write_bytes(imagecodecs.png_encode(plane))
    return tmp_path


def _write_known(folder: Path, name: str, seed: int) -> None:
    for part, plane in zip(("light", "truth"), light_and_truth(seed), strict=True):
        (folder / part).mkdir(exist_ok=True)
        write_ome_tiff(folder / part / name, plane, axes="YX", voxel_size_um=KNOWN)


@pytest.fixture
def config_of(make_config):
    def make(folder: Path, output: str = "run", **changes: object):
        data = {"input_folder": str(folder / "light" / "*"), "target_folder": str(folder / "truth" / "*")}
        changes = {"iterations": 2, "validate_every": 2, "patch": (32, 32)} | changes
        return make_config(folder, output, targets={"mitochondria": None}, data=data, **changes)

    return make


@pytest.fixture
def in_pixels(planes: Path, config_of):
    """A model trained on images that do not know their voxel size."""
    return train(config_of(planes)).model


@pytest.fixture
def at_known(tmp_path: Path, config_of):
    """A model trained at 0.2 um."""
    folder = tmp_path / "known"
    for i in range(4):
        folder.mkdir(exist_ok=True)
        _write_known(folder, f"b{i}.ome.tif", i)
    return train(config_of(folder, "known-run", name="known")).path


def _of_all(config) -> list[tuple[str, Level]]:
    together = check_fields(config, lambda *_: None).together
    return [(finding.code, finding.level) for finding in together if finding.code in CODES]


def test_trained_in_pixels_and_said_once(planes: Path, config_of) -> None:
    config = config_of(planes)
    assert _of_all(config) == [("sampling-unknown", Level.WARNING)]
    run = train(config)
    card = read_card(run.model_folder)
    assert card.input.voxel_size_um == UNKNOWN
    assert not card.input.sampling_known
    assert "voxel size unknown" in card.to_markdown()
    assert (run.path / "log.txt").read_text(encoding="utf-8").count("do not know their voxel size") == 1


def test_predicts_any_image_pixel_for_pixel_and_says_so(in_pixels, planes: Path) -> None:
    light, _ = light_and_truth(9)
    found = []
    # It was trained for a second only, on images that do not say what their light is.
    expected = ["baseline-not-beaten", "model-light-unknown", "model-sampling-unknown"]
    for size in (UNKNOWN, KNOWN):
        image = from_array(light, axes="YX", voxel_size_um=size, name="new")
        plan = plan_prediction(image, in_pixels)
        assert [finding.code for finding in plan.findings if finding.level is Level.WARNING] == expected
        assert [f.code for f in check_fit(image, in_pixels)] == expected
        assert plan.jobs[0].shape == (1, 48, 52)
        prediction = predict(image, in_pixels)["mitochondria"]
        assert not prediction.record.parameters.resampled
        assert prediction.record.parameters.voxel_size_um == UNKNOWN
        assert "model-sampling-unknown" in {finding.code for finding in prediction.record.findings}
        found.append(prediction.data)
    np.testing.assert_array_equal(*found)


def test_a_mixture_is_refused_with_both_named(planes: Path, config_of) -> None:
    _write_known(planes, "b7.ome.tif", 7)
    config = config_of(planes)
    with pytest.raises(TrainingDataError, match=r"b7 .*know their voxel size, a\d, .* do not"):
        FieldReader(config)
    given = config.model_copy(update={"voxel_size_um": KNOWN})
    assert FieldReader(given).sampling.voxel_size_um == KNOWN, "the user's word holds for those without"


def test_fine_tuning_in_pixels_goes_on_in_pixels(in_pixels, planes: Path, config_of, tmp_path: Path) -> None:
    start = str(tmp_path / "run" / "model")
    config = config_of(planes, "tuned", start_from=start, network=None)
    assert _of_all(config) == [("sampling-unknown", Level.WARNING)]
    assert train(config).model.card.input.voxel_size_um == UNKNOWN


def test_fine_tuning_a_model_in_pixels_on_images_that_know_more(in_pixels, config_of, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    for i in range(4):
        _write_known(folder, f"b{i}.ome.tif", i)
    config = config_of(folder, "tuned", start_from=str(tmp_path / "run" / "model"), network=None)
    assert _of_all(config) == [("start-sampling-unknown", Level.INFO)]
    assert train(config).model.card.input.voxel_size_um == KNOWN


def test_fine_tuning_at_a_known_sampling_on_images_without_is_said(at_known: Path, planes: Path, config_of) -> None:
    config = config_of(planes, "tuned", start_from=str(at_known / "model"), network=None)
    assert _of_all(config) == [("sampling-assumed", Level.WARNING)]
    assert FieldReader(config).sampling.voxel_size_um == KNOWN
    given = config.model_copy(update={"voxel_size_um": (None, 0.1, 0.1)})
    assert _of_all(given) == []


def test_a_card_says_both_sizes_of_a_pixel_or_none(tiny_card) -> None:
    card = json.loads(tiny_card.to_json())
    card["input"]["voxel_size_um"] = [0.3, None, None]
    with pytest.raises(InvalidModelError, match=r"y and x, or nothing"):
        ModelCard.from_json(json.dumps(card), source="model.json")
