"""Which models an image gets where nobody chose any."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_mito_predict.image import ImageSource, Level, from_array
from napari_mito_predict.models import ModelCard, save_model, user_models_folder
from napari_mito_predict.prediction import check_fit, predict
from napari_mito_predict.prediction.choice import GATE, choose_models

Z_PAIR, T_PAIR, REAL = ("mito-z", "dna-z"), ("mito-t", "dna-t"), ("mito-2d",)
UNKNOWN = (None, None, None)
NOT_BETTER = {
    "target": "mitochondria",
    "on": "test fields",
    "model": {"pcc": 0.3},
    "baselines": {"local contrast": {"pcc": 0.4}},
}


def image_of(
    name: str | None = "BF", pixel_um: float | tuple[float, float] | None = 0.1, t: int = 1, z: int = 1
) -> ImageSource:
    y, x = pixel_um if isinstance(pixel_um, tuple) else (pixel_um, pixel_um)
    data = np.random.default_rng(0).integers(0, 255, (t, z, 16, 16), np.uint8)
    return from_array(data, axes="TZYX", channel_names=[name], voxel_size_um=(0.3, y, x), name="cells")


@pytest.mark.parametrize("name", ["BF", "Bright Field", "TL Brightfield", "TL", None])
@pytest.mark.parametrize("pixel_um", [None, 0.1, 0.068, 0.149, (0.07, 0.14)])
def test_a_plane_of_bright_field_or_unknown_light_gets_the_model_of_real_cells(
    real_models: Path, name: str | None, pixel_um: float | None
) -> None:
    choice = choose_models(image_of(name, pixel_um))
    assert (choice.models, choice.findings) == (REAL, ())


@pytest.mark.parametrize(
    ("name", "pixel_um", "code", "words"),
    [
        ("DIC", 0.1, "other-modality", "the light of 'DIC' is DIC"),
        ("Ph2", 0.1, "other-modality", "is phase contrast"),
        ("T-PMT", 0.1, "other-modality", "is confocal transmitted light"),
        ("ESID", None, "other-modality", "is confocal transmitted light"),
        ("BF", 0.152, "other-sampling", "Pixels are 0.152 x 0.152 um, mito-2d was trained at about 0.1 um (estimated)"),
        ("BF", 0.066, "other-sampling", "0.066 x 0.066 um"),
        ("BF", (0.1, 0.3), "other-sampling", "0.1 x 0.3 um"),
        (None, 0.65, "other-sampling", "0.65 x 0.65 um"),
    ],
)
def test_other_light_or_pixels_keep_todays_choice_and_say_why(
    real_models: Path, plane_card: ModelCard, name: str | None, pixel_um: float, code: str, words: str
) -> None:
    image = image_of(name, pixel_um)
    choice = choose_models(image)
    assert choice.models == Z_PAIR
    assert [finding.code for finding in choice.findings] == [code]
    assert words in choice.findings[0].message
    assert choice.findings[0].model == "mito-2d"
    assert "not chosen by itself" in choice.findings[0].message
    offered = check_fit(image, _Named(plane_card))
    assert {finding.level for finding in offered} <= {Level.INFO, Level.WARNING, Level.SEVERE}, "it is possible"
    assert {finding.code for finding in offered} & GATE == {code}


class _Named:
    def __init__(self, card: ModelCard) -> None:
        self.name, self.card = card.name, card


@pytest.mark.parametrize(("t", "z", "models"), [(1, 8, Z_PAIR), (4, 8, Z_PAIR), (8, 1, T_PAIR)])
def test_stacks_and_series_get_what_they_got(real_models: Path, t: int, z: int, models: tuple[str, ...]) -> None:
    choice = choose_models(image_of(t=t, z=z))
    assert (choice.models, choice.findings) == (models, ())


def test_the_users_word_on_the_voxel_size_counts(real_models: Path) -> None:
    assert choose_models(image_of(pixel_um=0.5), voxel_size_um=(None, 0.1, 0.1)).models == REAL
    assert choose_models(image_of(pixel_um=0.1), voxel_size_um=(None, 0.5, 0.5)).models == Z_PAIR


def test_the_chosen_channel_counts(real_models: Path) -> None:
    both = from_array(np.zeros((2, 16, 16), np.uint8), axes="CYX", channel_names=["BF", "DIC"], name="cells")
    assert choose_models(both, 0).models == REAL
    assert choose_models(both, "DIC").models == Z_PAIR
    assert choose_models(both).models == Z_PAIR, "which of the two is meant is asked when it is planned"


def test_only_models_of_real_cells_for_planes_are_chosen(real_models: Path, plane_card: ModelCard) -> None:
    path = real_models / "mito-2d" / "model.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(card | {"simulated": True}), encoding="utf-8")
    assert choose_models(image_of()).models == Z_PAIR


def test_a_model_of_the_user_is_not_chosen(plane_card: ModelCard, plane_network) -> None:
    save_model(user_models_folder() / "mito-2d", plane_card, plane_network, np.zeros((1, 16, 16), np.float32))
    assert choose_models(image_of()).models == Z_PAIR


def test_without_the_distribution_it_is_said_how_to_add_it() -> None:
    choice = choose_models(image_of())
    assert choice.models == Z_PAIR
    (finding,) = choice.findings
    assert (finding.code, finding.level) == ("real-models-missing", Level.INFO)
    assert "pip install ./real-models" in finding.fix
    assert choose_models(image_of("DIC")).findings == (), "it would not be chosen for that either"
    assert choose_models(image_of(z=8)).findings == ()


def test_a_model_of_the_user_that_hides_the_installed_one_is_said(
    real_models: Path, plane_card: ModelCard, plane_network
) -> None:
    save_model(user_models_folder() / "mito-2d", plane_card, plane_network, np.zeros((1, 16, 16), np.float32))
    choice = choose_models(image_of())
    assert choice.models == Z_PAIR
    (finding,) = choice.findings
    assert (finding.code, finding.level) == ("real-models-hidden", Level.INFO)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"input": {"voxel_size_um": [None, 0.02, 0.02], "estimated_pixel_um": None}}, "very-different-voxel-size"),
        ({"tests": [NOT_BETTER]}, "baseline-not-beaten"),
    ],
)
def test_a_model_of_real_cells_that_does_not_suit_is_not_chosen(
    real_models: Path, changes: dict[str, Any], code: str
) -> None:
    path = real_models / "mito-2d" / "model.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card["input"] |= changes.pop("input", {})
    path.write_text(json.dumps(card | changes), encoding="utf-8")
    choice = choose_models(image_of())
    assert choice.models == Z_PAIR
    assert [finding.code for finding in choice.findings] == [code]


def test_a_fluorescence_channel_is_no_plane_of_light(real_models: Path) -> None:
    both = from_array(np.zeros((2, 16, 16), np.uint8), axes="CYX", channel_names=["BF", "TMRM"], name="cells")
    assert choose_models(both, "TMRM").models == Z_PAIR


def test_a_broken_distribution_is_said(make_distribution: Callable[..., Path]) -> None:
    make_distribution().rmdir()
    choice = choose_models(image_of())
    assert choice.models == Z_PAIR
    (finding,) = choice.findings
    assert (finding.code, finding.level) == ("real-models-broken", Level.WARNING)
    assert "has no folder 'models'" in finding.message


def test_what_is_wrong_with_an_image_is_left_to_the_plan(real_models: Path) -> None:
    stains = from_array(np.zeros((2, 16, 16), np.uint8), axes="CYX", channel_names=["TMRM", "DAPI"], name="cells")
    assert choose_models(stains).models == Z_PAIR


@pytest.mark.parametrize(
    ("image", "codes"),
    [
        (image_of("BF", 0.1), {"model-sampling-unknown": Level.WARNING}),
        (image_of("BF", None), {"model-sampling-unknown": Level.WARNING}),
        (image_of("TL", 0.1), {"modality-unknown": Level.INFO, "model-sampling-unknown": Level.WARNING}),
        (image_of("DIC", 0.1), {"other-modality": Level.SEVERE, "model-sampling-unknown": Level.WARNING}),
        (image_of("BF", 0.2), {"other-sampling": Level.WARNING}),
        (image_of("BF", 0.21), {"other-sampling": Level.SEVERE}),
    ],
)
def test_what_is_said_of_the_fit(plane_card: ModelCard, image: ImageSource, codes: dict[str, Level]) -> None:
    found = check_fit(image, _Named(plane_card))
    assert {finding.code: finding.level for finding in found} == codes


def test_the_ratio_is_that_of_the_axis_that_is_farthest_off(plane_card: ModelCard) -> None:
    (found,) = check_fit(image_of("BF", (0.05, 0.12)), _Named(plane_card))
    assert found.values["ratio"] == pytest.approx(0.5)


def test_the_record_says_the_licence_and_the_findings(real_models: Path) -> None:
    record = predict(image_of("DIC"), "mito-2d")["mitochondria"].record
    assert record.model.licence == "GPL-3.0-only"
    assert record.disclaimer == ""
    assert "other-modality" in {finding.code for finding in record.findings}
