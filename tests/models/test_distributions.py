"""Models of distributions that are installed by themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_mito_predict.errors import InvalidModelError
from napari_mito_predict.models import (
    ModelInfo,
    Source,
    list_models,
    load_model,
    read_card,
    save_model,
    user_models_folder,
)

if TYPE_CHECKING:
    from napari_mito_predict.models import ModelCard
    from napari_mito_predict.networks.unet import UNet

BUNDLED = ["dna-t", "dna-z", "mito-t", "mito-z"]
REAL = "napari-mito-predict-real-models"


def _row(name: str) -> ModelInfo:
    return next(info for info in list_models() if info.name == name)


def test_without_any_there_are_the_bundled_ones() -> None:
    assert [info.name for info in list_models()] == BUNDLED
    assert {(info.source, info.distribution) for info in list_models()} == {(Source.BUNDLED, "")}


def test_an_installed_model_is_listed_and_loaded_by_name(real_models: Path) -> None:
    row = _row("mito-2d")
    assert (row.source, row.distribution, row.bundled) == (Source.INSTALLED, REAL, False)
    assert row.path == real_models / "mito-2d"
    assert [info.name for info in list_models()] == ["mito-2d", *BUNDLED]
    assert load_model("mito-2d").card.cells == "real: H9c2, bright-field, one microscope"


def test_of_one_name_the_users_model_counts_then_the_installed_one(
    real_models: Path, tiny_card: ModelCard, tiny_network: UNet
) -> None:
    sample = np.zeros((1, 8, 16, 16), np.float32)
    named = tiny_card.model_copy(update={"name": "mito-z"})
    save_model(real_models / "mito-z", named, tiny_network, sample)
    assert _row("mito-z").source is Source.INSTALLED
    save_model(user_models_folder() / "mito-z", named, tiny_network, sample)
    row = _row("mito-z")
    assert (row.source, row.distribution) == (Source.OWN, "")
    assert [info.name for info in list_models()].count("mito-z") == 1


def test_distributions_come_by_name(real_models: Path, make_distribution: Callable[..., Path]) -> None:
    shutil.copytree(real_models / "mito-2d", make_distribution("another") / "mito-2d")
    assert _row("mito-2d").distribution == "another"


def _without_package(folder: Path) -> None:
    shutil.rmtree(folder.parent)


def _without_folder(folder: Path) -> None:
    folder.rmdir()


@pytest.mark.parametrize(
    ("damage", "said"), [(_without_package, "cannot be found"), (_without_folder, "has no folder 'models'")]
)
def test_a_broken_one_is_a_row_with_its_problem(
    real_models: Path, make_distribution: Callable[..., Path], damage: Callable[[Path], None], said: str
) -> None:
    damage(make_distribution("broken-models"))
    row = _row("broken-models")
    assert row.card is None
    assert row.distribution == "broken-models"
    assert said in (row.problem or "")
    assert "Install broken-models again" in (row.problem or "")
    assert {"mito-2d", *BUNDLED} < {info.name for info in list_models()}


def test_models_of_an_inner_package_are_found_without_importing_the_outer_one(
    make_distribution: Callable[..., Path], plane_card: ModelCard, plane_network: UNet
) -> None:
    folder = make_distribution("nested-models", package="ending_parent.inside")
    save_model(folder / "mito-2d", plane_card, plane_network, np.zeros((1, 16, 16), np.float32))
    (folder.parents[1] / "__init__.py").write_text("raise SystemExit(3)", encoding="utf-8")
    rows = [info for info in list_models() if info.distribution == "nested-models"]
    assert [info.problem for info in rows] == [None]


def test_a_damaged_model_in_one_is_a_row_too(real_models: Path) -> None:
    (real_models / "mito-2d" / "model.json").write_text("{}", encoding="utf-8")
    row = _row("mito-2d")
    assert (row.card, row.distribution) == (None, REAL)
    assert "not a valid model card" in (row.problem or "")


def test_listing_imports_neither_them_nor_torch(real_models: Path) -> None:
    """In an interpreter of its own, where the distribution is found as an installed one is."""
    code = (
        "import sys, json; from napari_mito_predict.models import list_models; "
        "print(json.dumps([[info.name, info.distribution] for info in list_models()])); "
        "print(json.dumps(sorted(set(sys.modules) & {'torch', 'napari_mito_predict_real_models'})))"
    )
    paths = json.dumps([str(real_models.parents[1]), *filter(None, sys.path)])
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {paths}; {code}"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    rows, loaded = map(json.loads, done.stdout.splitlines())
    assert ["mito-2d", REAL] in rows
    assert loaded == []


def test_an_estimate_is_for_what_is_not_known(real_models: Path) -> None:
    path = real_models / "mito-2d" / "model.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card["input"]["voxel_size_um"] = [None, 0.1, 0.1]
    path.write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(InvalidModelError, match="'estimated_pixel_um' is for a 'voxel_size_um' that is not known"):
        read_card(path.parent)


def test_the_card_for_people_says_what_it_knows(plane_card: ModelCard) -> None:
    text = plane_card.to_markdown()
    for words in (
        "from bright-field; single planes",
        "about 0.1 um, estimated",
        "H9c2, bright-field, one microscope",
        "Licence: GPL-3.0-only",
        "Attribution: Images of somebody",
    ):
        assert words in text
