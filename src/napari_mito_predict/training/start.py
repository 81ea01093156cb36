"""The network that a training begins with: the start model's, or a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from napari_mito_predict.errors import TrainingError
from napari_mito_predict.models import load_model
from napari_mito_predict.networks import Network, build_network
from napari_mito_predict.training.config import NetworkConfig, TrainingConfig

if TYPE_CHECKING:
    from torch import nn


def start_network(config: TrainingConfig, ndim: int) -> Network:
    """The network to begin with, for `ndim`-dimensional fields: the start model's, or a new one.

    Raises
    ------
    TrainingError
        It does not fit the data.
    """
    if config.start_from:
        network = load_model(config.start_from).network
        cast("nn.Module", network).requires_grad_(True)
    else:
        shape = config.network or NetworkConfig()
        network = build_network(shape.kind, shape.arguments(ndim, len(config.targets)))
    if network.ndim != ndim or network.out_channels != len(config.targets):
        raise TrainingError(
            f"The network is {network.ndim}-D with {network.out_channels} targets, the data {ndim}-D with "
            f"{len(config.targets)}. Choose another start model, or other targets."
        )
    return network
