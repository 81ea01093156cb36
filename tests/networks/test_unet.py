"""The U-Net: size, names, and which input voxels an output voxel sees."""

from __future__ import annotations

import pytest
import torch

from napari_mito_predict.errors import InvalidModelError
from napari_mito_predict.networks import Network, build_network, count_parameters
from napari_mito_predict.networks.unet import UNet


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        ({"ndim": 3, "depth": 4, "base_channels": 32}, 23_280_769),
        ({"ndim": 2, "depth": 4, "base_channels": 32}, 8_116_225),
        ({"ndim": 3, "depth": 3, "base_channels": 32}, 5_776_513),
        ({"ndim": 3, "depth": 4, "base_channels": 32, "in_channels": 2}, 23_281_633),
    ],
    ids=["published 3-D", "published 2-D", "depth 3", "two channels"],
)
def test_parameter_count(arguments: dict[str, int], parameters: int) -> None:
    with torch.device("meta"):
        assert count_parameters(UNet(**arguments)) == parameters


def test_state_dict_has_the_published_names() -> None:
    keys = set(UNet(ndim=3, depth=2, base_channels=2).state_dict())
    assert "net_recurse.sub_2conv_more.conv1.weight" in keys
    assert "net_recurse.sub_u.sub_u.sub_2conv_more.bn2.running_var" in keys
    assert "net_recurse.sub_u.conv_down.bias" in keys
    assert "net_recurse.convt.weight" in keys
    assert {k.split(".")[0] for k in keys} == {"net_recurse", "conv_out"}


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("convs_per_level", [1, 3])
def test_output_has_the_shape_of_the_input(ndim: int, convs_per_level: int) -> None:
    network = UNet(ndim, depth=2, base_channels=2, convs_per_level=convs_per_level, in_channels=2, out_channels=3)
    shape = (8, 4, 12)[-ndim:]
    assert network(torch.zeros(1, 2, *shape)).shape == (1, 3, *shape)


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("convs_per_level", [1, 2])
def test_dependency_is_what_gradients_see(depth: int, convs_per_level: int) -> None:
    """The stated receptive field equals the reach measured with a gradient, over all positions on the stride grid."""
    torch.manual_seed(0)
    network = UNet(2, depth, 2, convs_per_level).eval().double()
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, 0.5, 1.0)  # positive weights: nothing cancels, no ReLU closes
    size = 2**depth * (network.receptive_field[0] // 2**depth + 4)
    middle = size // 2 // 2**depth * 2**depth
    spans = []
    for voxel in range(middle, middle + 2**depth):
        image = torch.ones(1, 1, 2**depth, size, dtype=torch.float64, requires_grad=True)
        network(image)[0, 0, 0, voxel].backward()
        assert image.grad is not None
        seen = torch.nonzero(image.grad.abs().sum((0, 1, 2)))
        low, high = int(seen.min()), int(seen.max())
        spans.append(high - low + 1)
    assert network.receptive_field == (max(spans),) * 2


def test_build_by_name_and_refusals() -> None:
    network = build_network("unet", {"ndim": 2, "depth": 1, "base_channels": 2})
    assert isinstance(network, Network)
    assert network.stride == (2, 2)
    with pytest.raises(InvalidModelError, match="Unknown network 'resnet'"):
        build_network("resnet", {})
    with pytest.raises(InvalidModelError, match="dept"):
        build_network("unet", {"dept": 4})
    with pytest.raises(InvalidModelError):
        build_network("unet", {"ndim": 4})
