"""How long a training will take here, from a few timed iterations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from napari_mito_predict.training.devices import make_fabric
from napari_mito_predict.training.losses import make_loss
from napari_mito_predict.training.start import start_network

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig

_TIMED = 3


def seconds_per_iteration(
    config: TrainingConfig, patch: tuple[int, ...], cancel: Callable[[], bool] = lambda: False
) -> float:
    """Time three iterations of this network on random patches, after one to warm up; the fastest counts.

    Parameters
    ----------
    config : TrainingConfig
        Network, batch, loss and precision; on one device, without compiling.
    patch : tuple of int
        ``(D, Y, X)`` or ``(Y, X)``.
    cancel : callable, optional
        Asked after every iteration; True ends the timing with what is known.
    """
    fabric = make_fabric(config.model_copy(update={"devices": 1}))
    network = start_network(config, len(patch))
    optimiser = torch.optim.Adam(network.parameters())
    module, optimiser = fabric.setup(network, optimiser)
    loss = make_loss(config.loss)
    shape = (config.batch_size // config.accumulate, 1, *patch)
    given = fabric.to_device(torch.randn(shape))
    truth = fabric.to_device(torch.randn((shape[0], len(config.targets), *patch)))
    best = float("inf")
    for _ in range(1 + _TIMED):
        began = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        value = loss(module(given), truth)
        fabric.backward(value)
        optimiser.step()
        float(value.detach())  # waits for the device
        best = min(best, time.perf_counter() - began)
        if cancel():
            break
    return best * config.accumulate
