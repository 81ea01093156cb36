"""Finding models by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_mito_predict.errors import UnknownModelError
from napari_mito_predict.models import ModelCard, bundled_names, find_model, list_models, load_model, save_model

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
