"""GVTNet: its size, its arithmetic against a literal version of the description, its cost, and what it looks at."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from napari_mito_predict.errors import InvalidModelError
from napari_mito_predict.networks import Network, build_network, count_parameters
from napari_mito_predict.networks.gvtnet import GVTNet
from napari_mito_predict.networks.gvto import GVTO
from napari_mito_predict.networks.unet import UNet

VARIANTS: list[dict[str, Any]] = [
    {},
    {"attention": "softmax", "heads": 2},
    {"down": "v1", "up": "v1"},
    {"down": "v2", "up": "v2", "heads": 2},
    {"up": "v2", "attention": "softmax"},
]


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (lambda: GVTNet(), 6_172_225),
        (lambda: GVTNet(attention="softmax"), 6_172_225),
        (lambda: UNet(), 23_280_769),
        (lambda: UNet(depth=5), 93_285_505),
    ],
    ids=["published", "softmax", "U-Net", "deeper U-Net"],
)
def test_parameter_counts(network: Any, parameters: int) -> None:
    with torch.device("meta"):
        assert count_parameters(network()) == parameters


def test_the_preset_is_that_of_the_paper() -> None:
    with torch.device("meta"):
        network = GVTNet()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm3d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-5, 0.003)}
    (operator,) = [module for module in network.modules() if isinstance(module, GVTO)]
    assert (operator.attention, operator.heads, operator.key.out_channels) == ("linear", 1, 256)
    assert network.stride == (8, 8, 8)
    assert sum(isinstance(module, nn.ReLU6) for module in network.modules()) == len(norms)


# -------------------------------------------------------------------------- a literal version, voxel by voxel


def _norm_relu(x: np.ndarray, state: dict[str, np.ndarray], name: str) -> np.ndarray:
    parts = (state[f"{name}.0.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    mean, var, weight, bias = (part.reshape(-1, *(1,) * (x.ndim - 1)) for part in parts)
    return np.clip((x - mean) / np.sqrt(var + 1e-5) * weight + bias, 0, 6)


def _conv(x: np.ndarray, state: dict[str, np.ndarray], name: str, first: int = 1, stride: int = 1) -> np.ndarray:
    """Voxel i of the result sees voxels ``stride * i - first + k``, zeros outside."""
    weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
    out = np.zeros((len(weight), *(n // stride for n in x.shape[1:])))
    for place in np.ndindex(out.shape[1:]):
        for k in np.ndindex(weight.shape[2:]):
            source = tuple(stride * i - first + j for i, j in zip(place, k, strict=True))
            if all(0 <= i < n for i, n in zip(source, x.shape[1:], strict=True)):
                out[:, *place] += weight[:, :, *k] @ x[:, *source]
        out[:, *place] += 0 if bias is None else bias
    return out


def _conv_up(x: np.ndarray, state: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Voxel i is spread over voxels 2 i + k, as far as they exist."""
    weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
    out = np.zeros((weight.shape[1], *(2 * n for n in x.shape[1:])))
    for place in np.ndindex(x.shape[1:]):
        for k in np.ndindex(weight.shape[2:]):
            target = tuple(2 * i + j for i, j in zip(place, k, strict=True))
            if all(i < n for i, n in zip(target, out.shape[1:], strict=True)):
                out[:, *target] += weight[:, :, *k].T @ x[:, *place]
    return out if bias is None else out + bias.reshape(-1, *(1,) * (x.ndim - 1))


def _operator(x: np.ndarray, state: dict[str, np.ndarray], name: str, mode: str, arguments: dict[str, Any]) -> Any:
    heads, softmax = arguments.get("heads", 1), arguments.get("attention") == "softmax"
    active = _norm_relu(x, state, f"{name}.activation")
    resize = {
        "same": lambda at: _conv(active, state, at, first=0),
        "down": lambda at: _conv(active, state, f"{at}.conv", first=0, stride=2),
        "up": lambda at: _conv_up(active, state, f"{at}.conv"),
    }[mode]
    query = resize(f"{name}.query")
    keys = _conv(active, state, f"{name}.key", first=0).reshape(len(query), -1).T
    values = _conv(active, state, f"{name}.value", first=0).reshape(len(query), -1).T
    queries, width = query.reshape(len(query), -1).T, len(query) // heads
    attended = np.zeros_like(queries)
    for head, (i, q) in itertools.product(range(heads), enumerate(queries)):
        own = slice(head * width, (head + 1) * width)
        similarity = keys[:, own] @ (q[own] / np.sqrt(width))  # of this query to every key
        if softmax:
            share = np.exp(similarity) / np.exp(similarity).sum()
        else:
            share = similarity / len(queries)
        attended[i, own] = share @ values[:, own]
    out = _conv(attended.T.reshape(query.shape), state, f"{name}.output", first=0)
    if mode == "same":
        return x + out
    return out + (query if f"{name}.shortcut.conv.weight" not in state else resize(f"{name}.shortcut"))


def _residual(x: np.ndarray, state: dict[str, np.ndarray], name: str) -> np.ndarray:
    inner = _conv(_norm_relu(x, state, f"{name}.body.0"), state, f"{name}.body.1")
    return x + _conv(_norm_relu(inner, state, f"{name}.body.2"), state, f"{name}.body.3")


def _literal(x: np.ndarray, state: dict[str, np.ndarray], depth: int, arguments: dict[str, Any]) -> np.ndarray:
    x, skips = _residual(_conv(x, state, "first"), state, "top"), []
    for i in range(depth - 1):
        skips.append(x)
        if "down" in arguments:
            x = _operator(x, state, f"down.{i}", "down", arguments)
            continue
        active = _norm_relu(x, state, f"down.{i}.activation")
        inner = _conv(active, state, f"down.{i}.body.0.conv", first=0, stride=2)
        inner = _conv(_norm_relu(inner, state, f"down.{i}.body.1"), state, f"down.{i}.body.2")
        x = _conv(active, state, f"down.{i}.shortcut", first=0, stride=2) + inner
    x = _operator(x, state, "bottom", "same", arguments)
    for i in range(depth - 1):
        up = "up" in arguments
        x = _operator(x, state, f"up.{i}", "up", arguments) if up else _conv_up(x, state, f"up.{i}.conv")
        x = _residual(x + skips.pop(), state, f"after.{i}")
    return _conv(_norm_relu(x, state, "last"), state, "conv_out")


def _random(network: nn.Module) -> nn.Module:
    """Random statistics and biases, so that every layer matters; double precision, evaluation mode."""
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.ndim == 1:
            tensor.normal_(0.5, 0.5)
    return network.double().eval()


@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
@pytest.mark.parametrize(("ndim", "depth"), [(2, 3), (3, 2)])
def test_forward_is_the_description(ndim: int, depth: int, arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = _random(GVTNet(ndim, depth, 2, in_channels=2, out_channels=3, **arguments))
    x = torch.randn(1, 2, *(4, 4, 8)[-ndim:], dtype=torch.float64)
    with torch.inference_mode():
        found = network(x)[0].numpy()
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    np.testing.assert_allclose(found, _literal(x[0].numpy(), state, depth, arguments), rtol=1e-8, atol=1e-10)


# -------------------------------------------------------------------------------------------------- behaviour


@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
def test_every_parameter_learns(arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = GVTNet(2, depth=3, base_channels=4, **arguments)
    network(torch.randn(4, 1, 16, 16)).square().mean().backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().max() > 0)]
    # The same number added to every key leaves a softmax as it was.
    assert [name for name in still if not (name.endswith("key.bias") and "attention" in arguments)] == []


@pytest.mark.parametrize(("attention", "growth"), [("linear", 4), ("softmax", 16)])
@pytest.mark.parametrize("mode", ["same", "down", "up"])
def test_cost_of_attention(attention: Any, growth: int, mode: Any) -> None:
    """With four times as many voxels: linear four times the arithmetic, softmax sixteen times that of attending."""

    def cost(size: int) -> tuple[int, int]:
        operator = GVTO(2, 8, 8, mode=mode, attention=attention).eval()
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            operator(torch.zeros(1, 8, size, size))
        by_kind = {str(kind): n for kind, n in counter.get_flop_counts()["Global"].items()}
        convolutions = sum(n for kind, n in by_kind.items() if "convolution" in kind)
        return convolutions, sum(by_kind.values()) - convolutions

    (small, attending), (large, attending_more) = cost(16), cost(32)
    assert attending > 0
    assert attending_more == growth * attending
    assert large == pytest.approx(4 * small, rel=0.1)


@pytest.mark.parametrize("resizing", ["convolution", "v1"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_receptive_field_is_what_gradients_see(depth: int, resizing: Any) -> None:
    """With what attention knows held fixed, on either side of a cell of the stride grid."""
    torch.manual_seed(0)
    network = GVTNet(2, depth, 2, down=resizing, up=resizing).eval().double()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.5, 1.0)  # positive weights: nothing cancels
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(parent, name, nn.Identity())  # nor does anything close
    cell = 2 ** (depth - 1)
    field = network.receptive_field[0]
    size = cell * (field // cell + 4)
    start = size // 2 // cell * cell
    image = torch.ones(1, 1, cell, size, dtype=torch.float64, requires_grad=True)
    fixed: list[torch.Tensor] = []
    while len(fixed) < (network.contexts or 0):
        # Ones of its shape: true averages of such weights grow beyond all numbers.
        fixed.append(torch.ones_like(network.context(image, (slice(0, cell), slice(0, size)), fixed)).detach())
    network(image, fixed)[..., start : start + cell].sum().backward()
    assert image.grad is not None
    seen = torch.nonzero(image.grad.abs().sum((0, 1, 2)))
    left, right = start - int(seen.min()), int(seen.max()) - (start + cell - 1)
    assert cell + 2 * max(left, right) == field


def test_half_precision_does_not_touch_the_averages() -> None:
    torch.manual_seed(0)
    network = GVTNet(2, 2, 4).eval()
    x = torch.randn(1, 1, 32, 32)
    with torch.inference_mode():
        exact = network(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert network.context(x, (slice(0, 32),) * 2, []).dtype == torch.float32
            mixed = network(x).float()
    assert torch.corrcoef(torch.stack([exact.flatten(), mixed.flatten()]))[0, 1] > 0.99


def test_build_by_name_and_refusals() -> None:
    network = build_network("gvtnet", {"ndim": 2, "depth": 2, "base_channels": 4, "out_channels": 2})
    assert isinstance(network, Network)
    assert (network.stride, network.contexts) == ((2, 2), 1)
    assert network(torch.zeros(1, 1, 4, 6)).shape == (1, 2, 4, 6)
    for arguments, message in [
        ({"attention": "sharp"}, "attention has to be linear or softmax, not .sharp."),
        ({"up": "v3"}, "up has to be .* not .v3."),
        ({"heads": 3}, "3 heads"),
        ({"depth": 0}, "depth has to be between 1 and 6, not 0"),
        ({"convs_per_level": 2}, "convs_per_level"),
    ]:
        with pytest.raises(InvalidModelError, match=message):
            build_network("gvtnet", {"base_channels": 2, "depth": 1, **arguments})
