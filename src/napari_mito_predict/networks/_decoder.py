"""The way up of UNeXt2 and FCMAE, and the heads that turn features of a plane into voxels of a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_mito_predict.networks.convnext import KERNEL, Block, Stage

Span = tuple[int, int]
"""First and last pixel, along one axis."""


class Upsampling(nn.Module):
    """Channels become pixels: ``(N, C, Y, X)`` to ``(N, C / factor**2, factor Y, factor X)``.

    Parameters
    ----------
    factor : int
        Along y and x.
    pooled : bool
        Whether each pixel is averaged with those above and to the left, `factor` along each axis (zeros outside).
    convolved : int, optional
        Channels of a convolution before, which keeps their number.
    """

    def __init__(self, factor: int, *, pooled: bool = False, convolved: int | None = None) -> None:
        super().__init__()
        self.factor = factor
        self.pooled = pooled
        if convolved is not None:
            # The names of these modules are those of VisCy's checkpoints.
            self.pixelshuffle = nn.ModuleDict({"conv_block": nn.Conv2d(convolved, convolved, 3, padding=1)})

    @property
    def _convolution(self) -> nn.Module | None:
        if "pixelshuffle" in self._modules:
            return self.pixelshuffle["conv_block"]
        return None

    def forward(self, x: Tensor) -> Tensor:
        if self._convolution is not None:
            x = self._convolution(x)
        x = functional.pixel_shuffle(x, self.factor)
        if self.pooled:
            before = self.factor - 1
            x = functional.avg_pool2d(functional.pad(x, (before, 0, before, 0)), self.factor, stride=1)
        return x

    def seen(self, span: Span) -> Span:
        """Input pixels that output pixels `span` depend on."""
        first, last = span
        if self.pooled:
            first -= self.factor - 1
        first //= self.factor
        last //= self.factor
        if self._convolution is not None:
            return first - 1, last + 1
        return first, last


class UpStage(nn.Module):
    """One level up: the features below, made finer, and those of the way down go through blocks together."""

    def __init__(self, below: int, skipped: int, channels: int, blocks: int, *, convolved: bool) -> None:
        super().__init__()
        self.upsample = Upsampling(2, convolved=below if convolved else None)
        self.conv = Stage(below // 4 + skipped, channels, 1, [Block(channels) for _ in range(blocks)])

    def forward(self, below: Tensor, skipped: Tensor) -> Tensor:
        return cast("Tensor", self.conv(torch.cat((self.upsample(below), skipped), dim=1)))


class Decoder(nn.Module):
    """From the features of all levels to those of the finest.

    Parameters
    ----------
    widths : sequence of int
        Channels of each level on the way down, the finest first.
    channels : int
        Of the answer.
    blocks : int
        At each level.
    convolved : bool
        Whether features are convolved before they are made finer.
    """

    def __init__(self, widths: Sequence[int], channels: int, blocks: int, *, convolved: bool = False) -> None:
        super().__init__()
        self.blocks = blocks
        levels = list(reversed(widths))
        answers = [*levels[1:-1], channels]
        self.decoder_stages = nn.ModuleList(
            UpStage(below, skipped, answer, blocks, convolved=convolved)
            for below, skipped, answer in zip(levels, levels[1:], answers, strict=False)
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        x = features[-1]
        for stage, skipped in zip(self.decoder_stages, reversed(features[:-1]), strict=True):
            x = stage(x, skipped)
        return x

    def seen(self, span: Span) -> list[Span]:
        """Pixels of each level of the way down, the finest first, that pixels `span` of the answer depend on."""
        found = []
        for stage in reversed(self.decoder_stages):
            span = grown(span, self.blocks)
            found.append(span)
            span = cast("UpStage", stage).upsample.seen(span)
        return [*found, span]


class VoxelHead(nn.Module):
    """Features become a few planes more than the window has; a convolution over all three axes; then finer pixels.

    Parameters
    ----------
    targets : int
        Of the answer.
    planes : int
        Of the answer.
    expansion : int
        Channels of each voxel for each target; see `channels`.
    pooled : bool
        See `Upsampling`.
    in_targets : int
        Targets that the features that come in were made for: image channels in FCMAE.
    """

    def __init__(self, targets: int, planes: int, expansion: int, *, pooled: bool, in_targets: int) -> None:
        super().__init__()
        self.planes = planes
        self.upsample = Upsampling(2, pooled=pooled)
        wide = 4 * targets * expansion
        self.conv = nn.Sequential(_Convolution(in_targets * expansion, wide), nn.Conv3d(wide, 4 * targets, 1))

    @staticmethod
    def channels(in_targets: int, planes: int, expansion: int) -> int:
        """Of the features that it takes."""
        return 4 * (planes + 2) * in_targets * expansion

    def forward(self, x: Tensor) -> Tensor:
        x = self.upsample(x)
        x = self.conv(torch.unflatten(x, 1, (-1, self.planes + 2)))
        return functional.pixel_shuffle(x.transpose(1, 2), 2).transpose(1, 2)

    def seen(self, span: Span) -> Span:
        """Pixels of the features that pixels `span` of the answer depend on."""
        return self.upsample.seen((span[0] // 2 - 1, span[1] // 2 + 1))


class ShuffleHead(nn.Module):
    """Channels become pixels, planes and targets, without any further weights."""

    def __init__(self, targets: int, planes: int, factor: int) -> None:
        super().__init__()
        self.targets = targets
        self.planes = planes
        self.upsample = Upsampling(factor, pooled=True)

    def forward(self, x: Tensor) -> Tensor:
        return torch.unflatten(self.upsample(x), 1, (self.targets, self.planes))

    def seen(self, span: Span) -> Span:
        """Pixels of the features that pixels `span` of the answer depend on."""
        return self.upsample.seen(span)


def grown(span: Span, blocks: int) -> Span:
    """Pixels that pixels `span` depend on through so many blocks."""
    reach = blocks * (KERNEL // 2)
    return span[0] - reach, span[1] + reach


class _Convolution(nn.Module):
    """A convolution that uses up the two planes more, normalised over the whole window, and a leaky ReLU."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels_in, channels, 3, padding=(0, 1, 1))
        self.normalise = nn.InstanceNorm3d(channels)
        self.adn = nn.ModuleDict({"A": nn.PReLU()})  # named as in VisCy's checkpoints

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.adn["A"](self.normalise(self.conv(x))))
