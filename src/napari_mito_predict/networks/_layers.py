"""Layers by number of spatial dimensions, and stride-2 convolutions as public GVTNet weights were trained with."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

CONV: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORM: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class Halve(nn.Module):
    """3x3(x3) convolution of stride 2: voxel i of the result sees voxels 2i, 2i + 1 and 2i + 2.

    Zeros are added behind the last voxel only, as "same" padding does it for even sizes.
    """

    def __init__(self, ndim: int, channels_in: int, channels: int, bias: bool = False) -> None:
        super().__init__()
        self.conv = CONV[ndim](channels_in, channels, kernel_size=3, stride=2, bias=bias)
        self.pads = [0, 1] * ndim

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.conv(functional.pad(x, self.pads)))


class Double(nn.Module):
    """The transposed `Halve`: voxel i is spread over voxels 2i, 2i + 1 and 2i + 2; sizes double exactly."""

    def __init__(self, ndim: int, channels_in: int, channels: int, bias: bool = False) -> None:
        super().__init__()
        self.conv = TRANSPOSED[ndim](channels_in, channels, kernel_size=3, stride=2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        # The transposed convolution gives one voxel more on each axis: what the last kernel adds behind the last pair.
        doubled = tuple(slice(2 * size) for size in x.shape[2:])
        return cast("Tensor", self.conv(x)[:, :, *doubled])


class Activation(nn.Sequential):
    """Batch normalisation, then ReLU6; `momentum` is the share of each batch in the running statistics."""

    def __init__(self, ndim: int, channels: int, momentum: float) -> None:
        # In place: the normalised features are nobody else's, and at the top level they are the largest there are.
        super().__init__(NORM[ndim](channels, eps=1e-5, momentum=momentum), nn.ReLU6(inplace=True))
