"""What is predicted: a volume and a network, the same in every process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from napari_mito_predict.models import Architecture, Input, Model, ModelCard, Target, Training, load_model
from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.prediction.normalize import as_float, measure, normalise
from napari_mito_predict.prediction.tiles import halo_needed

_GRAIN = 8
"""Voxels along y and x over which the coarse structures of the volume extend."""


@dataclass
class Subject:
    """A model and the raw volume (D, Y, X) it is applied to."""

    model: Model
    raw: np.ndarray

    @classmethod
    def make(cls, network: str, shape: tuple[int, int, int] | list[int]) -> Subject:
        """For `network`, see `make_model`."""
        return cls(make_model(network), make_volume(tuple(shape)))

    @property
    def network(self) -> UNet:
        """Of the model: in evaluation mode, float32."""
        if not isinstance(self.model.network, UNet):
            raise TypeError(f"{self.model.name} is no U-Net")
        return self.model.network

    @property
    def reach(self) -> int:
        """How far the network looks in y and x, in voxels: a multiple of its stride."""
        return halo_needed(self.network.receptive_field[1], self.network.stride[1])

    @cached_property
    def normalised(self) -> np.ndarray:
        """The volume as our engine gives it to the network, which all other ways begin with: float32."""
        values = as_float(self.raw)
        return normalise(values, measure(values, self.model.card.input.normalisation))

    def small(self, *, wide: bool = False) -> Subject:
        """The same model with a small volume, to warm up; `wide` enough for a block and all the network looks at."""
        planes, side, _ = self.network.stride
        size = 4 * side + (2 * self.reach if wide else 0)
        return Subject(self.model, make_volume((max(16, planes), size, size)))


def make_model(network: str) -> Model:
    """``random:DEPTH:WIDTH`` for a U-Net with random weights, or a name for `load_model`."""
    if not network.startswith("random:"):
        return load_model(network)
    _, depth, width = network.split(":")
    card = ModelCard(
        name="random",
        title="Random weights",
        targets=(Target(name="mitochondria", stain="TMRM"),),
        architecture=Architecture(kind="unet"),
        input=Input(voxel_size_um=(0.3, 0.1, 0.1), third_axes=("z",)),
        training=Training(data="random weights", pairs=0, iterations=0),
        simulated=False,
    )
    return Model(card, random_network(int(depth), int(width)))


def random_network(depth: int, width: int) -> UNet:
    """Random weights and gains; running statistics are those of the features of a random volume.

    So features keep their size down to the coarsest level, as they do in a trained network. With statistics drawn at
    random they would vanish there, and no way of tiling would make an error.
    """
    torch.manual_seed(0)
    network = UNet(ndim=3, depth=depth, base_channels=width)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.momentum = None  # statistics become plain averages over the one pass below
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    volume = as_float(make_volume((2 * 2**depth, 8 * 2**depth, 8 * 2**depth)))
    with torch.no_grad():
        network.train()(torch.from_numpy((volume - volume.mean()) / volume.std())[None, None])
    return network.eval()


def make_volume(shape: tuple[int, ...]) -> np.ndarray:
    """Structures of 8 x 8 voxels that change slowly along z, with noise; uint16, made plane by plane."""
    rng = np.random.default_rng(0)
    grid = [-(-n // _GRAIN) for n in shape[1:]]
    volume = np.empty(shape, np.uint16)
    coarse = rng.standard_normal(grid, np.float32)
    for plane in volume:
        coarse = 0.9 * coarse + 0.436 * rng.standard_normal(grid, np.float32)
        values = coarse.repeat(_GRAIN, 0).repeat(_GRAIN, 1)[: shape[1], : shape[2]]
        plane[...] = np.clip(2000 + 400 * values + 150 * rng.standard_normal(shape[1:], np.float32), 0, 65535)
    return volume
