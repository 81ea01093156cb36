"""UNeXt2 and FCMAE: windows slid along a stack, what an output depends on, and what they are built from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_mito_predict.errors import InvalidModelError
from napari_mito_predict.networks import build_network, count_parameters
from napari_mito_predict.networks._decoder import VoxelHead
from napari_mito_predict.networks._sliding import SlidingNetwork
from napari_mito_predict.networks.convnext import ResponseNorm
from napari_mito_predict.networks.fcmae import FCMAE
from napari_mito_predict.networks.unext2 import UNeXt2

SMALL: dict[str, Any] = {"widths": (4, 8), "depths": (1, 1), "decoder_blocks": 1}
NETWORKS: list[tuple[type[SlidingNetwork], dict[str, Any]]] = [
    (UNeXt2, {"head_expansion": 1}),
    (UNeXt2, {"head_expansion": 1, "head_pool": False, "version": 1, "depths": (2, 1)}),
    (UNeXt2, {"head_expansion": 1, "upsampling_convolution": True, "out_channels": 1}),
    (UNeXt2, {"head_expansion": 1, "in_stack_depth": 1, "stem_depth": 1}),
    (FCMAE, {"in_stack_depth": 2, "stem_depth": 1, "stem_size": 2}),
    (FCMAE, {"in_stack_depth": 1, "stem_depth": 1, "stem_size": 3, "widths": (4, 8, 16), "depths": (1, 1, 1)}),
    (FCMAE, {"head": "convolution", "head_expansion": 1, "head_pool": True}),
]


def make(network: type[SlidingNetwork], arguments: dict[str, Any]) -> SlidingNetwork:
    """With random weights, so that every layer matters."""
    torch.manual_seed(0)
    made = network(**SMALL | arguments)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return made.eval()


class Recorder(SlidingNetwork):
    """Answers with the planes it is given, times the number of the window."""

    plane_stride = 1
    plane_field = 1

    def __init__(self, depth: int) -> None:
        super().__init__(depth, 1, 2)
        self.windows = 0

    def window(self, x: Tensor) -> Tensor:
        self.windows += 1
        return torch.cat((x * self.windows, x), dim=1)

    def levels(self, x: Tensor) -> list[Tensor]:
        return [x]


@pytest.mark.parametrize(("depth", "planes"), [(5, 5), (5, 6), (5, 9), (5, 20), (2, 3), (21, 24), (3, 5)])
def test_every_plane_is_the_mean_over_all_windows_that_hold_it(depth: int, planes: int) -> None:
    network = Recorder(depth)
    x = torch.rand(1, 1, planes, 3, 4, dtype=torch.float32)
    found = network(x)
    assert network.windows == planes - depth + 1
    for plane in range(planes):
        numbers = [start + 1 for start in range(planes - depth + 1) if start <= plane < start + depth]
        expected = x[:, 0, plane] * (sum(numbers) / len(numbers))
        torch.testing.assert_close(found[:, 0, plane], expected)
    torch.testing.assert_close(found[:, 1], x[:, 0])


def test_too_few_planes_are_refused() -> None:
    with pytest.raises(ValueError, match="takes 5 planes at a time, and there are 4"):
        Recorder(5)(torch.zeros(1, 1, 4, 8, 8))


@pytest.mark.parametrize(("kind", "arguments"), NETWORKS)
def test_answers_have_the_shape_of_the_input(kind: type[SlidingNetwork], arguments: dict[str, Any]) -> None:
    network = make(kind, arguments)
    planes = () if network.ndim == 2 else (network.in_stack_depth + 2,)
    sides = (2 * network.stride[-1], 3 * network.stride[-1])
    with torch.inference_mode():
        answer = network(torch.randn(2, 1, *planes, *sides))
    assert answer.shape == (2, network.out_channels, *planes, *sides)
    assert (network.contexts, network.field_axes, network.fewest_planes) == (None, (1, 2), network.in_stack_depth)


class Unlinked(nn.Module):
    """Stands for a normalisation over the whole field: what is left depends on single pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(("kind", "arguments"), NETWORKS)
def test_the_receptive_field_is_what_convolutions_see(kind: type[SlidingNetwork], arguments: dict[str, Any]) -> None:
    network = make(kind, arguments)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, ResponseNorm | nn.InstanceNorm3d):
                setattr(module, name, Unlinked())
    field, stride = network.receptive_field, network.stride
    size = stride[-1] * (field[-1] // stride[-1] + 3)
    planes = () if network.ndim == 2 else (2 * network.in_stack_depth + 2,)
    x = torch.randn(1, 1, *planes, size, stride[-1] * 2, requires_grad=True)
    cell = size // stride[-1] // 2 * stride[-1]
    plane = planes[0] // 2 if planes else 0
    answer = network(x)[0].sum(0)
    rows = answer[..., cell : cell + stride[-1], :]
    (rows[plane] if planes else rows).sum().backward()
    assert x.grad is not None
    seen = x.grad[0, 0].abs().sum(-1) > 0
    touched = (seen.any(0) if planes else seen).nonzero()
    reach = max(cell - int(touched[0]), int(touched[-1]) - (cell + stride[-1] - 1))
    assert field[-1] == stride[-1] + 2 * reach
    if planes:
        along = seen.any(1).nonzero()
        assert int(along[-1] - along[0]) + 1 == field[0] == 2 * network.in_stack_depth - 1


def test_response_norm_is_that_of_the_paper() -> None:
    norm = ResponseNorm(3)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, -1.0, 2.0]))
        norm.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    x = torch.randn(2, 4, 5, 3)
    response = (x**2).sum((1, 2), keepdim=True).sqrt()
    share = response / (response.mean(-1, keepdim=True) + 1e-6)
    torch.testing.assert_close(norm(x), norm.weight * (x * share) + norm.bias + x)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("unext2", {"in_stack_depth": 7}, "in_stack_depth 7: expected a multiple of stem_depth 5"),
        ("unext2", {"widths": [50, 100], "depths": [1, 1], "in_stack_depth": 15}, "expected a divisor of the first"),
        ("unext2", {"widths": [96, 100]}, "expected one of each for every level"),
        ("fcmae", {"widths": [96, 100], "depths": [1, 1]}, r"expected each twice the one before, \[96, 192\]"),
        ("fcmae", {"head": "convolution", "stem_size": 2}, "head 'convolution' with stem_size 2"),
        ("unext2", {"widths": [96, 10**9], "depths": [1, 1]}, "a list of 2 to 6, each a whole number between 1 and"),
        ("unext2", {"depths": [10**6] * 4}, "depths has to be a list of 2 to 6"),
        ("unext2", {"head_pool": 1}, "head_pool has to be False or True"),
    ],
)
def test_what_cannot_be_is_said(kind: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidModelError, match=message), torch.device("meta"):
        build_network(kind, arguments)


@pytest.mark.parametrize(
    ("kind", "arguments", "parameters"),
    [
        ("unext2", {}, 32_042_729),
        ("unext2", {"in_stack_depth": 21, "stem_depth": 7}, 40_043_689),
        ("fcmae", {"in_stack_depth": 1, "stem_depth": 1, "stem_size": 2}, 31_160_888),
        ("fcmae", {"in_stack_depth": 15}, 34_979_328),
    ],
    ids=["VSCyto3D of the preprint", "VSNeuromast", "VSCyto2D", "VSCyto3D"],
)
def test_the_published_models_have_their_size(kind: str, arguments: dict[str, Any], parameters: int) -> None:
    """As counted in the networks of viscy 0.4.1."""
    with torch.device("meta"):
        network = build_network(kind, arguments)
    assert count_parameters(network) == parameters


def test_a_head_takes_two_planes_more() -> None:
    head = VoxelHead(2, 5, 3, pooled=True, in_targets=2)
    channels = VoxelHead.channels(2, 5, 3)
    assert head(torch.zeros(1, channels, 2, 3)).shape == (1, 2, 5, 8, 12)
