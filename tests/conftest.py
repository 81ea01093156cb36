"""Fixtures for all tests: a tiny network and its card, and no access to the user's own models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from napari_mito_predict.models import ModelCard
    from napari_mito_predict.networks.unet import UNet


@pytest.fixture(autouse=True)
def _no_models_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whatever models are installed on this machine do not change a test."""
    folder = tmp_path_factory.mktemp("models")
    monkeypatch.setenv("MITO_PREDICT_MODELS", str(folder))
    return folder


@pytest.fixture
def tiny_card() -> ModelCard:
    """Card of a z-model for mitochondria whose network is `tiny_network`."""
    from napari_mito_predict.models import Architecture, Input, ModelCard, Target, Training

    return ModelCard(
        name="tiny",
        title="Tiny",
        targets=(Target(name="mitochondria", stain="TMRM", colormap="magenta", contrast_limits=(-1.0, 4.0)),),
        architecture=Architecture(kind="unet", arguments={"ndim": 3, "depth": 2, "base_channels": 4}),
        input=Input(voxel_size_um=(0.15, 0.11, 0.11), third_axes=("z",), third_axis_step={"z": 0.15}),
        training=Training(data="random weights", pairs=0, iterations=0),
        simulated=True,
    )


@pytest.fixture
def tiny_network() -> UNet:
    """A 3-D U-Net of depth 2 and width 4 with random weights and random batch-norm statistics."""
    import torch

    from napari_mito_predict.networks.unet import UNet

    torch.manual_seed(0)
    network = UNet(ndim=3, depth=2, base_channels=4)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()
