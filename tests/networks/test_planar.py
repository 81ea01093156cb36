"""A network of planes out of one of stacks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_mito_predict.networks.planar import planar
from napari_mito_predict.networks.unet import UNet


def _with_statistics(network: UNet) -> UNet:
    """Statistics of normalisation as after a training."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network.eval()


@pytest.mark.parametrize(("depth", "convs"), [(0, 2), (1, 2), (2, 1), (3, 2)])
def test_it_answers_like_the_stack_of_copies(depth: int, convs: int) -> None:
    torch.manual_seed(0)
    network = _with_statistics(UNet(3, depth, 4, convs, out_channels=2))
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose3d):  # else the two planes that it makes of one differ
            module.weight.data[:, :, 1] = module.weight.data[:, :, 0]
    plane = torch.randn(1, 1, 32, 40)
    with torch.no_grad():
        stack = network(plane[:, :, None].expand(1, 1, 64, 32, 40))[:, :, 32]
        found = planar(network)(plane)
    assert found.shape == (1, 2, 32, 40)
    assert (found - stack).std() / stack.std() < 1e-5


def test_of_two_planes_that_differ_it_makes_the_mean() -> None:
    network = UNet(3, 1, 4)
    upwards = [module for module in network.modules() if isinstance(module, nn.ConvTranspose3d)]
    flat = [module for module in planar(network).modules() if isinstance(module, nn.ConvTranspose2d)]
    assert len(upwards) == len(flat) == 1
    torch.testing.assert_close(flat[0].weight, upwards[0].weight.mean(dim=2))


def test_the_network_it_comes_from_is_left_alone() -> None:
    network = UNet(3, 1, 4)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    planar(network)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
