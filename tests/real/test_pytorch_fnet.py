"""Genuine files of pytorch_fnet, written by itself: the same answers as it gives, and no file that ends in a crash."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import ForeignModelError, ModelError
from napari_mito_predict.models import Normalisation, Target, load_model
from napari_mito_predict.models.importers import Told, read_foreign
from napari_mito_predict.models.importers.allen.unet_weights import read_unet_weights
from napari_mito_predict.models.importers.checkpoint import load_checkpoint
from napari_mito_predict.models.library import import_model
from napari_mito_predict.models.weights import forward
from napari_mito_predict.prediction import predict

FILES = ["master_3d", "release_1_3d", "release_1_3d_legacy_format"]
TOLD = Told(
    targets=(Target(name="mitochondria", stain="TOM20"),),
    voxel_size_um=(0.29, 0.29, 0.29),
    normalisation=Normalisation(kind="fixed", offset=0, scale=1),  # the inputs are normalised already
)


@pytest.fixture
def files(real_data: Path) -> Path:
    return real_data / "pytorch_fnet"


def expected(files: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Input and output of one file, each (C, Z, Y, X)."""
    with np.load(files / f"{name.removesuffix('_legacy_format')}_expected.npz") as stored:
        return stored["input"][0], stored["output"][0]


@pytest.mark.parametrize("name", FILES)
def test_the_network_gives_what_pytorch_fnet_gives(files: Path, name: str) -> None:
    model = read_foreign(files / f"{name}.p", TOLD)
    given, output = expected(files, name)
    np.testing.assert_allclose(forward(model.network, given), output, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", FILES)
def test_an_imported_model_predicts_what_pytorch_fnet_gives(files: Path, name: str) -> None:
    imported = import_model(files / f"{name}.p", TOLD)
    given, output = expected(files, name)
    found = predict(given[0], load_model(imported.name), voxel_size_um=(0.29, 0.29, 0.29), device="cpu")
    # Convolution and batch normalisation are one step here: float32 rounds in other places, as much as it does there.
    np.testing.assert_allclose(found["mitochondria"].data, output[0], rtol=0, atol=5e-5 * output.std())


def test_two_channels_are_understood_but_cannot_be_given(files: Path) -> None:
    path = files / "master_3d_two_channels.p"
    network = read_unet_weights(load_checkpoint(path)["nn_state"], path).network()
    given, output = expected(files, path.stem)
    np.testing.assert_allclose(forward(network, given), output, rtol=0, atol=1e-5)
    with pytest.raises(ForeignModelError, match="2 channels at once"):
        read_foreign(path, TOLD)


def test_a_toy_network_is_refused_by_its_name(files: Path) -> None:
    with pytest.raises(ForeignModelError, match="'nn_test'"):
        read_foreign(files / "release_1_model.p", TOLD)


@pytest.mark.parametrize("name", [*FILES, "release_1_model"])
def test_a_damaged_file_ends_in_an_error_with_a_name(files: Path, tmp_path: Path, name: str) -> None:
    content = (files / f"{name}.p").read_bytes()
    numbers = random.Random(11)
    path = tmp_path / "model.p"
    for _ in range(60):
        damaged = bytearray(content)
        near_an_end = min(len(content), 20_000)
        for _ in range(numbers.choice([1, 1, 4, 30])):
            damaged[numbers.randrange(-near_an_end, near_an_end)] = numbers.randrange(256)
        path.write_bytes(damaged[: numbers.choice([len(damaged), len(damaged), numbers.randrange(len(damaged))])])
        with contextlib.suppress(ModelError):
            read_foreign(path, TOLD)
