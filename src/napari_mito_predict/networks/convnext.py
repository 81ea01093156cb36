"""ConvNeXt blocks and stages, in two dimensions (Liu et al. 2022, arXiv 2201.03545; Woo et al. 2023, arXiv 2301.00808).

Features are ``(N, C, Y, X)`` with the channels last in memory, where they are mixed: what permutes axes copies nothing.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPSILON = 1e-6
_WIDENING = 4
"""How many times as many channels a block has between its two mixing layers."""
KERNEL = 7
"""Side of the depthwise convolution of every block, in pixels of its level."""


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of ``(N, C, Y, X)``."""

    def __init__(self, channels: int, eps: float = _EPSILON) -> None:
        super().__init__(channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ResponseNorm(nn.Module):
    """Global response normalisation of ``(N, Y, X, C)``: each channel by its share in the whole field."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        # Sums over a field are taken in float32, whatever the precision of the features.
        response = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True, dtype=torch.float32)
        share = response / (response.mean(dim=-1, keepdim=True) + _EPSILON)
        return torch.addcmul(self.bias.to(x.dtype), x, (1 + self.weight * share).to(x.dtype))


class Mix(nn.Module):
    """Mixes the channels of each pixel of ``(N, Y, X, C)`` by two layers; `response_norm` lies between them."""

    def __init__(self, channels: int, *, response_norm: bool) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, _WIDENING * channels)
        self.grn = ResponseNorm(_WIDENING * channels) if response_norm else nn.Identity()
        self.fc2 = nn.Linear(_WIDENING * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.fc2(self.grn(functional.gelu(self.fc1(x)))))


class Block(nn.Module):
    """A depthwise convolution, layer normalisation and `Mix`, added to the input.

    Parameters
    ----------
    channels : int
        In and out.
    version : {1, 2}
        Of ConvNeXt: the first scales what it adds, channel by channel; the second normalises the global response.
    """

    def __init__(self, channels: int, version: int = 2) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(channels, channels, KERNEL, padding=KERNEL // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=_EPSILON)
        self.mlp = Mix(channels, response_norm=version == 2)
        self.gamma = nn.Parameter(torch.full((channels,), _EPSILON)) if version == 1 else None

    def forward(self, x: Tensor) -> Tensor:
        added = self.mlp(self.norm(self.conv_dw(x).permute(0, 2, 3, 1)))
        if self.gamma is not None:
            added = added * self.gamma
        return x + cast("Tensor", added.permute(0, 3, 1, 2))


class Stage(nn.Module):
    """Blocks of one resolution, after a step to their number of channels.

    Parameters
    ----------
    channels_in, channels : int
        Before and after that step.
    step : int
        By which it makes the resolution coarser; 1 where that stays.
    blocks : sequence of module
        Of `channels`.
    """

    def __init__(self, channels_in: int, channels: int, step: int, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if step > 1 or channels_in != channels:
            self.downsample = nn.Sequential(ChannelNorm(channels_in), nn.Conv2d(channels_in, channels, step, step))
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.blocks(self.downsample(x)))
