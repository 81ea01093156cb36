"""A model that was trained from another one is under its licence, with its attribution; and so says each prediction."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import ConfigError
from napari_mito_predict.image import Level, open_image, write_ome_tiff
from napari_mito_predict.models import ModelCard, list_models, read_package
from napari_mito_predict.models.record import read_record
from napari_mito_predict.prediction import predict
from napari_mito_predict.training import TrainingConfig, train
from napari_mito_predict.training.preflight import check_fields

SHAPE = (32, 36)


@pytest.fixture
def planes(tmp_path: Path) -> Path:
    """Four fields of single planes as PNG: ``light/a0.png`` and ``truth/a0.png``."""
    for i in range(4):
        light = gaussian_filter(np.random.default_rng(i).normal(size=SHAPE), 1)
        light = (light - light.min()) / np.ptp(light) * 255
        for folder, plane in (("light", light), ("truth", 255 - gaussian_filter(light, 2))):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"a{i}.png").write_bytes(imagecodecs.png_encode(plane.astype(np.uint8)))
    return tmp_path


@pytest.fixture
def config_of(make_config, planes: Path) -> Callable[..., TrainingConfig]:
    def make(output: str = "run", **changes: object) -> TrainingConfig:
        data = {"input_folder": str(planes / "light" / "*"), "target_folder": str(planes / "truth" / "*")}
        small = {"iterations": 2, "validate_every": 2, "patch": (16, 16), "targets": {"mitochondria": None}}
        return make_config(planes, output, data=data, **(small | changes))

    return make


@pytest.fixture
def from_real(config_of, real_models: Path) -> Callable[..., TrainingConfig]:
    """Configurations that start from the model of real cells."""

    def make(output: str = "run", **changes: object) -> TrainingConfig:
        return config_of(output, start_from="mito-2d", network=None, **changes)

    return make


def _terms(card: ModelCard) -> tuple[str, str]:
    return card.licence, card.attribution


def test_from_scratch_none_is_claimed(config_of) -> None:
    assert _terms(train(config_of()).model.card) == ("", "")


def test_from_scratch_the_one_asked_for_is_stated(config_of) -> None:
    assert _terms(train(config_of(licence=" CC-BY-4.0 ")).model.card) == ("CC-BY-4.0", "")


def test_it_travels_from_model_to_model_to_prediction(
    from_real, config_of, plane_card: ModelCard, planes: Path
) -> None:
    terms = ("GPL-3.0-only", plane_card.attribution)
    run = train(from_real(name="tuned"))
    assert _terms(run.model.card) == terms
    assert "Licence: GPL-3.0-only" in (run.model_folder / "README.md").read_text(encoding="utf-8")
    listed = next(info.card for info in list_models() if info.name == "tuned")
    assert listed is not None
    assert _terms(listed) == terms
    again = train(config_of("again", start_from="tuned", network=None, name="again"))
    assert _terms(again.model.card) == terms
    zipped = Path(shutil.make_archive(str(planes / "again"), "zip", again.model_folder))
    model = read_package(zipped)
    assert _terms(model.card) == terms
    predict(open_image(planes / "light" / "a0.png"), model)["mitochondria"].save(planes / "predicted.ome.tif")
    record = read_record(planes / "predicted.ome.tif")
    assert record is not None
    assert (record.model.licence, record.model.attribution) == terms


def test_the_authors_are_named_and_the_cells_are_the_new_ones(
    from_real, real_models: Path, plane_card: ModelCard
) -> None:
    with_authors = plane_card.model_copy(update={"authors": ("A. Author", "B. Author")})
    weights = read_package(real_models / "mito-2d").card.weights
    card = with_authors.model_copy(update={"weights": weights})
    (real_models / "mito-2d" / "model.json").write_text(card.to_json(), encoding="utf-8")
    tuned = train(from_real()).model.card
    assert tuned.authors == ("A. Author", "B. Author")
    assert tuned.trained_on == "", "nobody said what the user's cells are"
    assert (tuned.input.modality, tuned.input.estimated_pixel_um) == ("bright-field", 0.1)


def test_it_is_said_before(from_real) -> None:
    found = [f for f in check_fields(from_real(), lambda *_: None).together if f.code == "licence-inherited"]
    assert [finding.level for finding in found] == [Level.INFO]
    assert "mito-2d is under GPL-3.0-only: what is trained from it is so, too." in found[0].message


@pytest.mark.parametrize("asked", ["MIT", "BSD-3-Clause", "GPL-3.0-or-later", ""])
def test_another_one_is_refused(from_real, asked: str) -> None:
    config = from_real(licence=asked)
    with pytest.raises(ConfigError, match=r"under GPL-3\.0-only, and what is trained from it has to stay so"):
        check_fields(config, lambda *_: None)
    with pytest.raises(ConfigError, match="Leave 'licence' out, or choose another start model"):
        train(config)


def test_the_same_one_may_be_asked_for(from_real) -> None:
    assert train(from_real(licence="GPL-3.0-only")).model.card.licence == "GPL-3.0-only"


@pytest.mark.parametrize(("name", "modality"), [("BF", "bright-field"), ("DIC", "DIC"), ("TL", "transmitted light")])
def test_the_card_has_the_light_that_the_fields_know(
    make_config, tmp_path: Path, light_of_stack: Callable[[Path, str], Path], name: str, modality: str
) -> None:
    fields = light_of_stack(tmp_path / "stacks", name)
    assert train(make_config(fields, "run", iterations=2, validate_every=2)).model.card.input.modality == modality


@pytest.fixture
def light_of_stack() -> Callable[[Path, str], Path]:
    """Four small stacks whose transmitted light has a name."""

    def make(folder: Path, name: str) -> Path:
        folder.mkdir()
        for i in range(4):
            light = np.random.default_rng(i).normal(1000, 100, (8, *SHAPE))
            data = np.stack([light, 2000 - gaussian_filter(light, 1)]).astype(np.uint16)
            write_ome_tiff(
                folder / f"f{i}.ome.tif", data, axes="CZYX", channel_names=[name, "TMRM"], voxel_size_um=(0.3, 0.1, 0.1)
            )
        return folder

    return make
