"""The convolutions of a U-Net with the batch normalisation behind them folded in: what is left to compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

if TYPE_CHECKING:
    from napari_mito_predict.networks.unet import UNet

Place = Callable[[Tensor], Tensor]
"""Takes weights to where, and to the dtype in which, they are used."""

_Conv = nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d
_Norm = nn.BatchNorm2d | nn.BatchNorm3d


class Kernel(NamedTuple):
    """One convolution; `rectified` by a ReLU after it."""

    weight: Tensor
    bias: Tensor | None
    rectified: bool

    @property
    def ndim(self) -> int:
        """Spatial dimensions."""
        return self.weight.ndim - 2


class LevelKernels(NamedTuple):
    """One level of the U: its convolutions on the way down (encoder), and what is below it; None at the bottom."""

    encoder: list[Kernel]
    coarser: CoarserKernels | None


class CoarserKernels(NamedTuple):
    """The way down from a level, the level below, the way up, and the convolutions on the way up (decoder).

    The decoder takes what comes up together with the encoder's features, by the skip connection.
    """

    down: Kernel
    below: LevelKernels
    up: Kernel
    decoder: list[Kernel]


def folded_level(level: nn.Module, place: Place) -> LevelKernels:
    """All convolutions of a level of a `UNet` and those below it, with the statistics of evaluation mode."""
    encoder = _block(level.get_submodule("sub_2conv_more"), place)
    if level.depth == 0:
        return LevelKernels(encoder, None)
    coarser = CoarserKernels(
        down=_folded(level, "conv_down", "bn0", place),
        below=folded_level(level.get_submodule("sub_u"), place),
        up=_folded(level, "convt", "bn1", place),
        decoder=_block(level.get_submodule("sub_2conv_less"), place),
    )
    return LevelKernels(encoder, coarser)


def folded_output(network: UNet, place: Place) -> Kernel:
    """The last convolution: neither batch normalisation nor a ReLU follows it."""
    conv = cast("_Conv", network.conv_out)
    return _kernel(conv.weight, conv.bias, place, rectified=False)


def _block(block: nn.Module, place: Place) -> list[Kernel]:
    """The convolutions of one side of a level, in order."""
    return [_folded(block, f"conv{i}", f"bn{i}", place) for i in range(1, cast("int", block.convs) + 1)]


def _folded(parent: nn.Module, conv_name: str, norm_name: str, place: Place) -> Kernel:
    """One convolution with the batch normalisation behind it."""
    conv, norm = cast("_Conv", parent.get_submodule(conv_name)), cast("_Norm", parent.get_submodule(norm_name))
    weight, bias = conv.weight, conv.bias
    if norm.running_mean is not None and norm.running_var is not None:
        weight, bias = fuse_conv_bn_weights(
            weight,
            bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
            transpose=isinstance(conv, nn.ConvTranspose2d | nn.ConvTranspose3d),
        )
    return _kernel(weight, bias, place, rectified=True)


def _kernel(weight: Tensor, bias: Tensor | None, place: Place, *, rectified: bool) -> Kernel:
    """A convolution whose weights are where they are used."""
    if bias is not None:
        bias = place(bias)
    return Kernel(place(weight), bias, rectified)
