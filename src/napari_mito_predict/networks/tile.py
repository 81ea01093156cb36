"""A network as programs run it that know nothing but its graph: tiles of 0 to 1 in, tiles of 0 to 1 out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class TileNetwork(nn.Module):
    """A 2-D network between two affine maps, channels last: ``(N, Y, X, in_channels)`` to ``(N, Y, X, out_channels)``.

    What comes in is ``(x - offset) / scale`` to the network. What the network says goes out as
    ``(z - low) / (high - low)``, clipped to 0 to 1.

    Parameters
    ----------
    network : Module
        ``(N, in_channels, Y, X)`` to ``(N, out_channels, Y, X)``; not modified.
    offset, scale : float
        Of the input, in its 0 to 1.
    ranges : sequence of (float, float)
        `low` and `high` of each output channel: what becomes 0, and what becomes 1.
    """

    low: Tensor
    span: Tensor

    def __init__(self, network: nn.Module, offset: float, scale: float, ranges: Sequence[tuple[float, float]]) -> None:
        super().__init__()
        self.network = network
        self.offset = offset
        self.scale = scale
        limits = torch.tensor(ranges, dtype=torch.float32)
        self.register_buffer("low", limits[:, 0])
        self.register_buffer("span", limits[:, 1] - limits[:, 0])

    def forward(self, tiles: Tensor) -> Tensor:
        """Map tiles of 0 to 1 to predictions of 0 to 1, float32."""
        normalised = (tiles.permute(0, 3, 1, 2) - self.offset) / self.scale
        predicted = self.network(normalised).permute(0, 2, 3, 1)
        shown: Tensor = ((predicted - self.low) / self.span).clamp(0, 1)
        return shown
