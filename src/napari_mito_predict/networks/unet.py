"""The U-Net of label-free prediction (Ounkomol et al. 2018; Hsu, Lee & Wei 2021), in two and three dimensions.

Every level is a double convolution; levels are joined by strided convolutions on the way down, strided transposed
convolutions on the way up, and a skip connection.  Batch normalisation and ReLU follow every convolution but the last.
Module names follow the state dictionaries that public checkpoints of this network use, so that those load strictly.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from napari_mito_predict.networks._layers import CONV, NORM, TRANSPOSED
from napari_mito_predict.networks._network import Network


class UNet(Network):
    """U-Net without pooling: strided convolutions down, strided transposed convolutions up.

    Parameters
    ----------
    ndim : {2, 3}
        Spatial dimensions.
    depth : int
        Number of down-samplings by 2. Every spatial size must be divisible by ``2**depth``.
    base_channels : int
        Feature channels of the top level; each level below has twice as many.
    convs_per_level : int
        3x3(x3) convolutions before each change of resolution; 2 in the published network.
    in_channels, out_channels : int
        Image channels in, predicted targets out.

    Notes
    -----
    Input ``(N, in_channels, *spatial)``, output ``(N, out_channels, *spatial)``, both float.
    """

    def __init__(
        self,
        ndim: int = 3,
        depth: int = 4,
        base_channels: int = 32,
        convs_per_level: int = 2,
        in_channels: int = 1,
        out_channels: int = 1,
    ) -> None:
        super().__init__()
        self.ndim = ndim
        self.depth = depth
        self.base_channels = base_channels
        self.convs_per_level = convs_per_level
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.net_recurse = _Level(ndim, depth, in_channels, base_channels, convs_per_level)
        self.conv_out = CONV[ndim](base_channels, out_channels, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, in_channels, *spatial)`` to predictions ``(N, out_channels, *spatial)``."""
        return cast("Tensor", self.conv_out(self.net_recurse(x)))

    @property
    def encoder_widths(self) -> tuple[int, ...]:
        """Channels of each level but the deepest."""
        return tuple(self.base_channels << level for level in range(self.depth))

    def encoder_features(self, x: Tensor) -> list[Tensor]:
        """Give what the encoder of each level makes, but for the deepest."""
        found: list[Tensor] = []
        level = self.net_recurse
        for _ in range(self.depth):
            if found:
                x = level.down(found[-1])
                level = level.sub_u
            found.append(level.sub_2conv_more(x))
        return found

    @property
    def stride(self) -> tuple[int, ...]:
        """What every spatial size must be divisible by, one number per axis."""
        return (2**self.depth,) * self.ndim

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """Largest extent in voxels, per axis, of the input that one output voxel depends on."""
        # Which voxels are seen depends on where a voxel lies on the stride grid: one cell of it shows every case.
        spans = (_dependency(voxel, self.depth, self.convs_per_level) for voxel in range(2**self.depth))
        return (max(last - first + 1 for first, last in spans),) * self.ndim


class _Level(nn.Module):
    """One level of the U with everything below it; `depth` levels are below.

    ``sub_2conv_more`` is its encoder, ``sub_2conv_less`` its decoder: they make more channels, and fewer.
    """

    def __init__(self, ndim: int, depth: int, channels_in: int, channels: int, convs: int) -> None:
        super().__init__()
        self.depth = depth
        self.sub_2conv_more = _Convolutions(ndim, channels_in, channels, convs)
        if depth == 0:
            return
        self.sub_2conv_less = _Convolutions(ndim, 2 * channels, channels, convs)
        self.conv_down = CONV[ndim](channels, channels, kernel_size=2, stride=2)
        self.bn0 = NORM[ndim](channels)
        self.sub_u = _Level(ndim, depth - 1, channels, 2 * channels, convs)
        self.convt = TRANSPOSED[ndim](2 * channels, channels, kernel_size=2, stride=2)
        self.bn1 = NORM[ndim](channels)

    def forward(self, x: Tensor) -> Tensor:
        features = self.sub_2conv_more(x)
        if self.depth == 0:
            return cast("Tensor", features)
        up = torch.relu(self.bn1(self.convt(self.sub_u(self.down(features)))))
        return cast("Tensor", self.sub_2conv_less(torch.cat((features, up), dim=1)))

    def down(self, features: Tensor) -> Tensor:
        """Give the level below what the encoder of this one made."""
        return torch.relu(self.bn0(self.conv_down(features)))


class _Convolutions(nn.Module):
    """`convs` times 3x3(x3) convolution, batch normalisation, ReLU: ``conv1, bn1, conv2, bn2, ...``."""

    def __init__(self, ndim: int, channels_in: int, channels: int, convs: int) -> None:
        super().__init__()
        self.convs = convs
        for i in range(1, convs + 1):
            self.add_module(f"conv{i}", CONV[ndim](channels_in, channels, kernel_size=3, padding=1))
            self.add_module(f"bn{i}", NORM[ndim](channels))
            channels_in = channels  # the first one alone changes the number of channels

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, self.convs + 1):
            x = torch.relu(self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(x)))
        return x


def _dependency(voxel: int, depth: int, convs: int) -> tuple[int, int]:
    """First and last input voxel, along one axis, that output voxel `voxel` depends on."""
    return _level_dependency(voxel - 1, voxel + 1, depth, convs)  # `conv_out`, which is 3 voxels wide


def _level_dependency(first: int, last: int, depth: int, convs: int) -> tuple[int, int]:
    """What a level has to be given for its voxels `first` to `last`: backwards, so the decoder comes first."""
    first -= convs  # each convolution is 3 voxels wide: one more voxel on both sides
    last += convs
    if depth == 0:
        return first, last
    below_first, below_last = _level_dependency(first // 2, last // 2, depth - 1, convs)
    # Through the coarser level, whose voxel i covers voxels 2i and 2i + 1 here, or through the skip connection.
    return min(2 * below_first, first) - convs, max(2 * below_last + 1, last) + convs
