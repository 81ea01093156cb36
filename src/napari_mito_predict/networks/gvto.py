"""The global voxel transformer operator (Wang, Xie & Ji 2020, arXiv 2008.02340), written from the paper."""

from __future__ import annotations

from math import prod
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_mito_predict.networks._layers import CONV, Activation, Double, Halve

Attention = Literal["linear", "softmax"]
Mode = Literal["same", "down", "up"]
Shortcut = Literal["v1", "v2"]


class GVTO(nn.Module):
    """Attention of every voxel of the result to all voxels of the input, added to a local shortcut.

    Batch normalisation and ReLU6 come first. Keys K and values V are 1x1(x1) convolutions of that; so are queries
    Q where the size stays, else they are a 3x3(x3) convolution of stride 2 or its transpose: the result has the grid of
    the queries. A 1x1(x1) convolution of the attention is added to the shortcut. There is no encoding of positions.

    Parameters
    ----------
    ndim : {2, 3}
        Spatial dimensions.
    channels_in, channels : int
        Of the input; of queries, keys, values and the result.
    mode : {"same", "down", "up"}
        Whether the result has the size of the input, half of it or twice it.
    shortcut : {"v1", "v2"}
        For "down" and "up": a strided (transposed) convolution of its own, or the queries themselves, before they are
        scaled. With "same" the shortcut is the input.
    attention : {"linear", "softmax"}
        ``Q (K^T V) / n`` with n the number of queries, whose cost grows with the number of voxels, or
        ``softmax(Q K^T) V``, whose cost grows with its square.
    heads : int
        Groups of channels that attend independently; divides `channels`.
    momentum : float
        Of batch normalisation.

    Notes
    -----
    From the paper: the three modes, both shortcuts, both kinds of attention, queries scaled by the root of their
    channels per head. The number of queries as divisor is its published program's. Ours: the same number of channels
    for queries, keys and values, and no bias in the shortcut of "v1".
    """

    def __init__(
        self,
        ndim: int,
        channels_in: int,
        channels: int,
        *,
        mode: Mode = "same",
        shortcut: Shortcut = "v1",
        attention: Attention = "linear",
        heads: int = 1,
        momentum: float = 0.003,
    ) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be divided among {heads} heads")
        if mode == "same" and channels_in != channels:
            raise ValueError(f"an operator that keeps the size keeps the channels: {channels_in}, not {channels}")
        self.mode = mode
        self.attention = attention
        self.heads = heads
        self.scale = (channels // heads) ** -0.5
        # Queries per key: what turns a number of keys into the number of queries of the same field.
        self.density = {"same": 1.0, "down": 0.5**ndim, "up": 2.0**ndim}[mode]
        resize = {"down": Halve, "up": Double}
        self.activation = Activation(ndim, channels_in, momentum)
        self.query: nn.Module
        if mode in resize:
            self.query = resize[mode](ndim, channels_in, channels, bias=True)
        else:
            self.query = CONV[ndim](channels_in, channels, kernel_size=1)
        self.key = CONV[ndim](channels_in, channels, kernel_size=1)
        self.value = CONV[ndim](channels_in, channels, kernel_size=1)
        self.output = CONV[ndim](channels, channels, kernel_size=1)
        self.shortcut: nn.Module | None = None
        if mode in resize and shortcut == "v1":
            self.shortcut = resize[mode](ndim, channels_in, channels)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Attend.

        Parameters
        ----------
        x : Tensor, (N, channels_in, *spatial)
        context : Tensor, (N, heads, channels / heads, channels / heads), optional
            Of the whole field, where `x` is only a part of it; see `context`. For linear attention.

        Returns
        -------
        Tensor, (N, channels, *spatial), sizes as `mode` says
        """
        active = self.activation(x)
        query = self.query(active)
        if self.attention == "softmax":
            attended = self._attend_by_softmax(query, active)
        else:
            if context is None:
                context = self._context(active)
            attended = self._attend_linearly(query, context)
        attended = attended.transpose(-1, -2).reshape(query.shape)
        if self.mode == "same":
            short = x
        elif self.shortcut is None:
            short = query
        else:
            short = self.shortcut(active)
        return cast("Tensor", short + self.output(attended))

    def context(self, x: Tensor) -> Tensor:
        """``K^T V / n``: all that linear attention takes from the field.

        Contexts of equal parts average to that of the whole, since n is the number of queries *in the part*.

        Parameters
        ----------
        x : Tensor, (N, channels_in, *spatial)

        Returns
        -------
        Tensor, float32 or float64, (N, heads, channels / heads, channels / heads)
        """
        return self._context(self.activation(x))

    def _context(self, active: Tensor) -> Tensor:
        """`context` of what has been through normalisation and ReLU6."""
        # Never in half precision: these are sums over the whole field.
        keys = self._tokens(_at_least_float32(self.key(active)))
        values = self._tokens(_at_least_float32(self.value(active)))
        queries = prod(active.shape[2:]) * self.density
        with torch.autocast(active.device.type, enabled=False):
            return (keys.transpose(-1, -2) @ values) / queries

    def _attend_linearly(self, query: Tensor, context: Tensor) -> Tensor:
        """``Q (K^T V) / n`` of scaled queries, (N, heads, voxels, channels / heads)."""
        with torch.autocast(query.device.type, enabled=False):
            queries = self._tokens(_at_least_float32(query)) * self.scale
            return cast("Tensor", queries @ context.to(query.device))

    def _attend_by_softmax(self, query: Tensor, active: Tensor) -> Tensor:
        """``softmax(Q K^T) V`` of scaled queries, (N, heads, voxels, channels / heads)."""
        keys = self._tokens(self.key(active))
        values = self._tokens(self.value(active))
        return functional.scaled_dot_product_attention(self._tokens(query), keys, values)  # scales the queries itself

    def _tokens(self, x: Tensor) -> Tensor:
        """Turn images ``(N, channels, *spatial)`` into tokens, (N, heads, voxels, channels / heads)."""
        return x.reshape(x.shape[0], self.heads, -1, prod(x.shape[2:])).transpose(-1, -2)


def _at_least_float32(x: Tensor) -> Tensor:
    """Half precision to float32; float64 stays."""
    if x.dtype in (torch.float16, torch.bfloat16):
        return x.float()
    return x
