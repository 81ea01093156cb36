"""Finding models by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_mito_predict.errors import UnknownModelError, UnwritableOutputError
from napari_mito_predict.models import (
    ModelCard,
    add_to_models,
    bundled_names,
    find_model,
    list_models,
    load_model,
    save_model,
)

if TYPE_CHECKING:
    from napari_mito_predict.networks.unet import UNet


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_card: ModelCard, tiny_network: UNet) -> Path:
    monkeypatch.setenv("MITO_PREDICT_MODELS", str(tmp_path))
    save_model(tmp_path / "tiny", tiny_card, tiny_network, np.zeros((1, 8, 16, 16), np.float32))
    return tmp_path


def test_own_models_are_listed_and_loaded_by_name(own: Path) -> None:
    assert next((m.name, m.bundled) for m in list_models()) == ("tiny", False)
    assert find_model("tiny") == own / "tiny"
    assert load_model("tiny").name == "tiny"


def test_by_path(own: Path) -> None:
    assert load_model(own / "tiny").name == "tiny"


def test_unknown_name_lists_the_known_ones(own: Path) -> None:
    with pytest.raises(UnknownModelError, match=r"No model 'tinny'.*tiny"):
        load_model("tinny")


def test_broken_model_stays_in_the_list_with_its_problem(own: Path) -> None:
    (own / "tiny" / "model.json").write_text("{", encoding="utf-8")
    broken = next(m for m in list_models() if m.path == own / "tiny")
    assert broken.card is None
    assert broken.problem is not None
    assert "not a model card" in broken.problem


def test_a_bundled_pair_for_each_third_axis() -> None:
    assert bundled_names("z") == ["mito-z", "dna-z"]
    assert bundled_names("t") == ["mito-t", "dna-t"]
    for axis, step in (("z", 0.15), ("t", 30.0)):
        for name in bundled_names(axis):
            model = load_model(name)
            assert model.third_axes == (axis,)
            assert model.card.input.third_axis_step == {axis: step}
            assert model.card.simulated
            assert sum(file.stat().st_size for file in find_model(name).iterdir()) < 3.5e6


def test_a_package_is_added_under_a_name_that_is_free(own: Path) -> None:
    assert add_to_models(own / "tiny") == own / "tiny-2"
    assert add_to_models(own / "tiny") == own / "tiny-3"
    assert load_model("tiny-3").name == "tiny-3"
    assert sorted(path.name for path in own.iterdir()) == ["tiny", "tiny-2", "tiny-3"]


def test_what_is_no_model_but_has_the_name_is_never_replaced(own: Path) -> None:
    (own / "tiny-2").mkdir()
    (own / "tiny-2" / "notes.txt").write_text("mine")
    with pytest.raises(UnwritableOutputError, match=r"tiny-2: could not be added to your models.*The model is safe in"):
        add_to_models(own / "tiny")
    assert (own / "tiny-2" / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in own.iterdir()) == ["tiny", "tiny-2"]


def test_a_read_only_package_can_be_added(own: Path) -> None:
    for file in (own / "tiny").iterdir():
        file.chmod(0o444)
    added = add_to_models(own / "tiny")
    assert load_model(added).name == "tiny-2"
