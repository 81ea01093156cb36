"""Genuine checkpoints of VisCy, from the file to a prediction: the numbers that their own networks give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_mito_predict.image import from_array
from napari_mito_predict.models import Model, Normalisation, load_model, verify_model
from napari_mito_predict.models.importers import Told, read_foreign
from napari_mito_predict.models.library import import_model
from napari_mito_predict.prediction import predict

TOLERANCE = 1e-4
CPU = {"device": "cpu", "precision": "32"}


@pytest.fixture(params=["vscyto3d_unext2_atto", "fcmae_atto"])
def checkpoint(real_data: Path, request: pytest.FixtureRequest) -> Path:
    path = real_data / "viscy" / f"{request.param}.ckpt"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    return path


@pytest.fixture
def imported(checkpoint: Path) -> Model:
    return load_model(import_model(checkpoint, Told(preset="vscyto3d")).name)


def test_the_network_gives_what_theirs_gives(checkpoint: Path) -> None:
    network = read_foreign(checkpoint, Told(preset="VSCyto3D")).network
    with np.load(checkpoint.with_name(f"{checkpoint.stem}_expected.npz")) as expected:
        given, wanted = torch.from_numpy(expected["input"]), expected["output"]
    with torch.inference_mode():
        found = network(given).numpy()
    assert np.abs(found - wanted).max() < TOLERANCE


def _as_they_predict(model: Model, stack: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    """One time point as their sliding inference predicts it: (targets, Z, Y, X)."""
    low, median, high = np.percentile(stack.astype(np.float64), (25, 50, 75))
    given = torch.from_numpy(((stack - median) / (high - low)).astype(np.float32))[None, None]
    total = np.zeros((2, *stack.shape))
    windows = np.zeros(len(stack))
    with torch.inference_mode():
        for first in range(len(stack) - 5 + 1):
            total[:, first : first + 5] += model.network(given[:, :, first : first + 5])[0].numpy()
            windows[first : first + 5] += 1
    return total / windows[:, None, None]


def test_a_time_series_of_stacks_is_predicted_as_they_predict_it(imported: Model) -> None:
    rng = np.random.default_rng(0)
    stacks = rng.gamma(4, 500, (2, 9, 96, 128)).astype(np.uint16)
    image = from_array(stacks, axes="TZYX", voxel_size_um=(0.2, 0.1, 0.1), channel_names=["Phase3D"])
    found = predict(image, imported, channel=0, **CPU)
    assert list(found) == ["nuclei", "membrane"]
    for time, stack in enumerate(stacks):
        wanted = _as_they_predict(imported, stack)
        for target, expected in zip(("nuclei", "membrane"), wanted, strict=True):
            assert np.abs(found[target].data[time] - expected).max() < TOLERANCE


def test_the_package_passes_its_self_test(checkpoint: Path) -> None:
    info = import_model(checkpoint, Told(preset="VSCyto3D"))
    assert verify_model(info.path).passed
    assert info.card is not None
    assert info.card.input.normalisation == Normalisation(kind="robust")
