"""UNeXt2 (Liu, Hirata-Miyasaki et al. 2025, doi 10.1038/s42256-025-01046-2), for prediction.

A ConvNeXt on planes, whose channels hold the depth of the window: a 3-D convolution turns a window into features of a
plane, and a head turns them back. Modules are named as in the checkpoints of VisCy, so that these load strictly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from napari_mito_predict.networks._decoder import Decoder, VoxelHead, grown
from napari_mito_predict.networks._sliding import SlidingNetwork
from napari_mito_predict.networks.convnext import Block, ChannelNorm, Stage

_STEM = 4
"""Side of the stem's kernel, and its step: the head makes pixels finer by as much."""


class UNeXt2(SlidingNetwork):
    """UNeXt2 with pixel shuffling on its way up.

    Parameters
    ----------
    in_stack_depth : int
        Planes of a window.
    stem_depth : int
        Planes that the first convolution takes together; divides `in_stack_depth`.
    widths, depths : sequence of int
        Channels and blocks of each level of the backbone; each level has twice the channels of the one before.
    version : {1, 2}
        Of the backbone's blocks, see `napari_mito_predict.networks.convnext.Block`.
    decoder_blocks : int
        At each level of the way up.
    upsampling_convolution : bool
        Whether features are convolved before they are made finer.
    head_expansion : int
        Channels of each voxel in the head, for each target.
    head_pool : bool
        Whether the head averages neighbouring pixels.
    in_channels, out_channels : int
        Image channels in, predicted targets out.

    Notes
    -----
    Input ``(N, in_channels, D, Y, X)``, output ``(N, out_channels, D, Y, X)``, both float, D at least `in_stack_depth`;
    with windows of one plane, without D. The defaults are the published VSCyto3D of the preprint: ConvNeXt V2 "tiny".
    """

    def __init__(
        self,
        in_stack_depth: int = 5,
        stem_depth: int = 5,
        widths: Sequence[int] = (96, 192, 384, 768),
        depths: Sequence[int] = (3, 3, 9, 3),
        version: int = 2,
        decoder_blocks: int = 2,
        upsampling_convolution: bool = False,
        head_expansion: int = 4,
        head_pool: bool = True,
        in_channels: int = 1,
        out_channels: int = 2,
    ) -> None:
        super().__init__(in_stack_depth, in_channels, out_channels)
        require_levels(widths, depths)
        self.widths = tuple(widths)
        self.depths = tuple(depths)
        stacked = VoxelHead.channels(out_channels, in_stack_depth, head_expansion)
        self.encoder_stages = _Encoder(widths, depths, version)
        self.stem = _Stem(in_channels, stem_channels(widths[0], in_stack_depth, stem_depth), stem_depth)
        self.decoder = Decoder(widths, stacked, decoder_blocks, convolved=upsampling_convolution)
        self.head = VoxelHead(out_channels, in_stack_depth, head_expansion, pooled=head_pool, in_targets=out_channels)

    def window(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.head(self.decoder(self.levels(x))))

    def levels(self, x: Tensor) -> list[Tensor]:
        return cast("list[Tensor]", self.encoder_stages(self.stem(x)))

    @property
    def encoder_widths(self) -> tuple[int, ...]:
        """Channels of each level but the coarsest."""
        return self.widths[:-1]

    @property
    def plane_stride(self) -> int:
        return _STEM << (len(self.depths) - 1)

    @property
    def plane_field(self) -> int:
        levels = self.decoder.seen(self.head.seen((0, self.plane_stride - 1)))
        return field_of_levels(levels, self.depths, _STEM, self.plane_stride)


class _Stem(nn.Module):
    """Turns a window into features of a plane: its depth becomes channels."""

    def __init__(self, channels_in: int, channels: int, depth: int) -> None:
        super().__init__()
        kernel = (depth, _STEM, _STEM)
        self.conv = nn.Conv3d(channels_in, channels, kernel, kernel)

    def forward(self, x: Tensor) -> Tensor:
        features = torch.flatten(self.conv(x), 1, 2)
        return features.contiguous(memory_format=torch.channels_last)


class _Encoder(nn.Module):
    """The backbone: gives the features of every level, the finest first."""

    def __init__(self, widths: Sequence[int], depths: Sequence[int], version: int) -> None:
        super().__init__()
        self.stem_1 = ChannelNorm(widths[0])
        self._names = []
        before, step = widths[0], 1
        for level, (channels, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks: list[nn.Module] = [Block(channels, version) for _ in range(depth)]
            self.add_module(f"stages_{level}", Stage(before, channels, step, blocks))
            self._names.append(f"stages_{level}")
            before, step = channels, 2

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem_1(x)
        features = []
        for name in self._names:
            x = self.get_submodule(name)(x)
            features.append(x)
        return features


def require_levels(widths: Sequence[int], depths: Sequence[int]) -> None:
    """Find out whether channels and blocks are those of the same levels, each of which has twice the channels.

    Raises
    ------
    ValueError
        They are not.
    """
    if len(widths) != len(depths) or len(widths) < 2:
        raise ValueError(f"widths {list(widths)} and depths {list(depths)}: expected one of each for every level")
    doubled = [widths[0] * 2**level for level in range(len(widths))]
    if list(widths) != doubled:
        raise ValueError(f"widths {list(widths)}: expected each twice the one before, {doubled}")


def stem_channels(width: int, in_stack_depth: int, stem_depth: int) -> int:
    """Channels of the stem's convolution, all of whose depths together are the `width` of the finest level.

    Raises
    ------
    ValueError
        They cannot be.
    """
    if in_stack_depth % stem_depth:
        raise ValueError(f"in_stack_depth {in_stack_depth}: expected a multiple of stem_depth {stem_depth}")
    places = in_stack_depth // stem_depth
    if width % places:
        raise ValueError(f"in_stack_depth / stem_depth is {places}: expected a divisor of the first width, {width}")
    return width // places


def field_of_levels(levels: Sequence[tuple[int, int]], depths: Sequence[int], stem: int, cell: int) -> int:
    """Extent in pixels that a cell of the stride grid depends on, by the pixels of each level that it depends on.

    Taken as symmetric about the cell, by its longer side.

    Parameters
    ----------
    levels : sequence of (int, int)
        First and last pixel of each level of the backbone, the finest first, that the decoder sees.
    depths : sequence of int
        Blocks of each level.
    stem, cell : int
        Pixels of the image along a pixel of the finest level, and along one of the coarsest.
    """
    first, last = levels[-1]
    for level in reversed(range(len(depths))):
        first, last = grown((min(first, levels[level][0]), max(last, levels[level][1])), depths[level])
        finer = 2 if level else stem
        first, last = first * finer, last * finer + finer - 1
    return cell + 2 * max(-first, last - (cell - 1))
