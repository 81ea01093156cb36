"""The fully convolutional masked autoencoder of VisCy, for prediction: nothing is masked.

It is a ConvNeXt V2 with the way up of `napari_mito_predict.networks.unext2`. The published models trained by masking
first (VSCyto2D, the later VSCyto3D) are of this kind. Modules are named as in the checkpoints of VisCy, so that these
load strictly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from napari_mito_predict.networks._decoder import Decoder, ShuffleHead, VoxelHead
from napari_mito_predict.networks._sliding import SlidingNetwork
from napari_mito_predict.networks.convnext import KERNEL, ChannelNorm, Mix, Stage
from napari_mito_predict.networks.unext2 import field_of_levels, require_levels, stem_channels

_EPSILON = 1e-5
_VOXEL_HEAD_STEM = 4
"""By how much the head with a convolution makes pixels finer."""

Head = Literal["shuffle", "convolution"]


class FCMAE(SlidingNetwork):
    """Fully convolutional masked autoencoder, unmasked.

    Parameters
    ----------
    in_stack_depth : int
        Planes of a window.
    stem_depth : int
        Planes that the first convolution takes together; divides `in_stack_depth`.
    stem_size : int
        Side of its kernel along y and x, and its step.
    widths, depths : sequence of int
        Channels and blocks of each level of the encoder; each level has twice the channels of the one before.
    decoder_blocks : int
        At each level of the way up.
    head : {"shuffle", "convolution"}
        What turns features into voxels; the second as in UNeXt2, for a `stem_size` of 4.
    head_expansion : int
        Of a head with a convolution: channels of each voxel, for each image channel.
    head_pool : bool
        Of a head with a convolution: whether it averages neighbouring pixels, as the other one always does.
    in_channels, out_channels : int
        Image channels in, predicted targets out.

    Notes
    -----
    Input ``(N, in_channels, D, Y, X)``, output ``(N, out_channels, D, Y, X)``, both float, D at least `in_stack_depth`;
    with windows of one plane, without D.
    """

    def __init__(
        self,
        in_stack_depth: int = 5,
        stem_depth: int = 5,
        stem_size: int = 4,
        widths: Sequence[int] = (96, 192, 384, 768),
        depths: Sequence[int] = (3, 3, 9, 3),
        decoder_blocks: int = 2,
        head: Head = "shuffle",
        head_expansion: int = 4,
        head_pool: bool = True,
        in_channels: int = 1,
        out_channels: int = 2,
    ) -> None:
        super().__init__(in_stack_depth, in_channels, out_channels)
        require_levels(widths, depths)
        self.widths = tuple(widths)
        self.depths = tuple(depths)
        self.stem_size = stem_size
        self.encoder = _Encoder(in_channels, in_stack_depth, (stem_depth, stem_size, stem_size), widths, depths)
        self.head: ShuffleHead | VoxelHead
        if head == "shuffle":
            stacked = out_channels * in_stack_depth * stem_size**2
            self.head = ShuffleHead(out_channels, in_stack_depth, stem_size)
        elif stem_size == _VOXEL_HEAD_STEM:
            stacked = VoxelHead.channels(in_channels, in_stack_depth, head_expansion)
            self.head = VoxelHead(
                out_channels, in_stack_depth, head_expansion, pooled=head_pool, in_targets=in_channels
            )
        else:
            raise ValueError(f"head '{head}' with stem_size {stem_size}: expected {_VOXEL_HEAD_STEM} with it")
        self.decoder = Decoder(widths, stacked, decoder_blocks)

    def window(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.head(self.decoder(self.levels(x))))

    def levels(self, x: Tensor) -> list[Tensor]:
        return cast("list[Tensor]", self.encoder(x))

    @property
    def encoder_widths(self) -> tuple[int, ...]:
        """Channels of each level but the coarsest."""
        return self.widths[:-1]

    @property
    def plane_stride(self) -> int:
        return self.stem_size << (len(self.depths) - 1)

    @property
    def plane_field(self) -> int:
        levels = self.decoder.seen(self.head.seen((0, self.plane_stride - 1)))
        return field_of_levels(levels, self.depths, self.stem_size, self.plane_stride)


class _Encoder(nn.Module):
    """Gives the features of every level, the finest first."""

    def __init__(
        self,
        channels_in: int,
        in_stack_depth: int,
        kernel: tuple[int, int, int],
        widths: Sequence[int],
        depths: Sequence[int],
    ) -> None:
        super().__init__()
        self.stem = _Stem(channels_in, widths[0], stem_channels(widths[0], in_stack_depth, kernel[0]), kernel)
        self.stages = nn.ModuleList()
        before, step = widths[0], 1
        for channels, depth in zip(widths, depths, strict=True):
            blocks: list[nn.Module] = [_Block(channels) for _ in range(depth)]
            self.stages.append(Stage(before, channels, step, blocks))
            before, step = channels, 2

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class _Stem(nn.Module):
    """Turns a window into features of a plane: its depth becomes channels; a single plane has its own convolution."""

    def __init__(self, channels_in: int, width: int, channels: int, kernel: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(channels_in, channels, kernel, kernel)
        self.conv2d = nn.Conv2d(channels_in, width, kernel[1:], kernel[1:])
        self.norm = ChannelNorm(width, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] > 1:
            features = self.conv3d(x).flatten(1, 2)
        else:
            features = self.conv2d(x[:, :, 0])
        return cast("Tensor", self.norm(features.contiguous(memory_format=torch.channels_last)))


class _Block(nn.Module):
    """What `napari_mito_predict.networks.convnext.Block` of version 2 is, with the names that it has here."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, KERNEL, padding=KERNEL // 2, groups=channels, bias=False)
        self.layernorm = nn.LayerNorm(channels, eps=_EPSILON)
        self.mlp = Mix(channels, response_norm=True)

    def forward(self, x: Tensor) -> Tensor:
        added = self.mlp(self.layernorm(self.dwconv(x).permute(0, 2, 3, 1)))
        return x + cast("Tensor", added.permute(0, 3, 1, 2))
