"""A licence goes with a model wherever that goes, and none is claimed that nobody stated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from napari_mito_predict.errors import ModelError
from napari_mito_predict.models import ModelCard, add_to_models, list_models, read_card, read_package
from napari_mito_predict.models.licence import is_binding, licence_after


def test_a_card_that_states_none_has_none(tiny_card: ModelCard) -> None:
    assert tiny_card.licence == ""
    assert "Licence: not stated." in tiny_card.to_markdown()


def test_a_card_of_an_earlier_version_keeps_what_it_says(tiny_card: ModelCard) -> None:
    old = json.loads(tiny_card.to_json())
    for new in ("attribution", "trained_on"):
        del old[new]
    del old["input"]["estimated_pixel_um"]
    old["licence"] = "BSD-3-Clause"
    assert ModelCard.from_json(json.dumps(old), source="model.json").licence == "BSD-3-Clause"
    del old["licence"]
    assert ModelCard.from_json(json.dumps(old), source="model.json").licence == ""


def test_the_bundled_models_state_theirs() -> None:
    written = [json.loads((info.path / "model.json").read_text(encoding="utf-8")) for info in list_models()]
    assert [card["licence"] for card in written] == ["BSD-3-Clause"] * 4


def test_it_goes_with_a_copy_and_with_a_zip_file(real_models: Path, tmp_path: Path, plane_card: ModelCard) -> None:
    package = real_models / "mito-2d"
    archive = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", package))
    copy = add_to_models(package)
    for card in (read_card(package), read_package(archive).card, read_card(copy)):
        assert (card.licence, card.attribution) == ("GPL-3.0-only", plane_card.attribution)


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "CC-BY-NC-4.0", "LicenseRef-ours", "MIT AND GPL-3.0-only"])
def test_what_has_to_stay(licence: str) -> None:
    assert is_binding(licence)
    assert licence_after(licence, None) == licence
    assert licence_after(licence, f" {licence.lower()} ") == licence
    for other in ("MIT", ""):
        with pytest.raises(ModelError, match=f"under {licence}, and what is trained from it has to stay so"):
            licence_after(licence, other)


@pytest.mark.parametrize("licence", ["", "MIT", "BSD-3-Clause", "apache-2.0"])
def test_what_may_change(licence: str) -> None:
    assert not is_binding(licence)
    assert licence_after(licence, None) == licence
    assert licence_after(licence, "GPL-3.0-only") == "GPL-3.0-only"
