"""Packages that were published stay readable: kept as they were written, by each version of the format.

A change that makes one of these tests fail orphans models that people have. `golden` holds a package of each kind and
version with random weights and the output they gave; `weights.json` the names and shapes of the weights of the bundled
models. Nothing in there is ever written anew; new kinds and versions are added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_mito_predict.models import find_model, read_card, read_package, save_model, verify_model
from napari_mito_predict.networks import build_network

GOLDEN = Path(__file__).parent / "golden"
PACKAGES = sorted(folder for folder in GOLDEN.iterdir() if folder.is_dir())
WEIGHTS = json.loads((GOLDEN / "weights.json").read_text(encoding="utf-8"))
NAMES = [folder.name for folder in PACKAGES]


def test_each_version_is_kept() -> None:
    assert {
        json.loads((folder / "model.json").read_text(encoding="utf-8"))["schema_version"] for folder in PACKAGES
    } == {1, 2, 3, 4}
    assert {read_card(folder).architecture.kind for folder in PACKAGES} >= {"unet", "gvtnet"}


@pytest.mark.parametrize("package", PACKAGES, ids=NAMES)
def test_a_published_package_gives_what_it_gave(package: Path) -> None:
    model = read_package(package)
    assert model.sample is not None
    with torch.inference_mode():
        found = model.network(torch.from_numpy(model.sample.given)[None])[0].numpy()
    np.testing.assert_allclose(found, model.sample.expected, rtol=1e-4, atol=1e-4)
    assert verify_model(package).passed


def differences(written: Any, read: Any, place: str) -> Iterator[str]:
    """What is read as another value than was written; later versions may have more fields."""
    if isinstance(written, dict):
        for name, value in written.items():
            yield from differences(value, read.get(name), f"{place}.{name}")
    elif isinstance(written, list):
        assert len(written) == len(read), place
        for number, (value, found) in enumerate(zip(written, read, strict=True)):
            yield from differences(value, found, f"{place}.{number}")
    elif written != read:
        yield f"{place}: {written!r} is read as {read!r}"


@pytest.mark.parametrize("package", PACKAGES, ids=NAMES)
def test_a_published_card_means_what_it_meant(package: Path) -> None:
    written = json.loads((package / "model.json").read_text(encoding="utf-8"))
    written["schema_version"] = 4  # as what it is read
    assert not list(differences(written, read_card(package).model_dump(mode="json"), "card"))


@pytest.mark.parametrize("package", PACKAGES, ids=NAMES)
def test_a_published_package_can_be_written_anew(package: Path, tmp_path: Path) -> None:
    model = read_package(package)
    assert model.sample is not None
    kept = model.training_images
    save_model(tmp_path / "new", model.card, model.network, model.sample.given, training_images=kept)
    again = read_package(tmp_path / "new")
    assert again.card.model_copy(update={"weights": model.card.weights}) == model.card
    assert json.loads((tmp_path / "new" / "model.json").read_text(encoding="utf-8"))["schema_version"] == 4
    for name, tensor in model.network.state_dict().items():
        torch.testing.assert_close(again.network.state_dict()[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_weights_of_a_network_keep_their_names_and_shapes(name: str) -> None:
    kept = WEIGHTS[name]
    with torch.device("meta"):
        network = build_network(kept["kind"], kept["arguments"])
    found = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    assert found == kept["weights"]


@pytest.mark.parametrize("name", ["mito-z", "dna-z", "mito-t", "dna-t"])
def test_the_weights_of_bundled_models_are_kept(name: str) -> None:
    network = read_package(find_model(name)).network
    assert {name: list(tensor.shape) for name, tensor in network.state_dict().items()} == WEIGHTS["bundled"]["weights"]
