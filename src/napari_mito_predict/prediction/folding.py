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
    """One level of the U: its convolutions on the way down, and what is below it."""

    more: list[Kernel]
    coarser: CoarserKernels | None


class CoarserKernels(NamedTuple):
    """The way down from a level, the level below, the way up, and the convolutions after the skip connection."""

    down: Kernel
    below: LevelKernels
    up: Kernel
    less: list[Kernel]


def folded_level(level: nn.Module, place: Place) -> LevelKernels:
    """All convolutions of a level of a `UNet` and those below it, with the statistics of evaluation mode."""
    more = _block(level.get_submodule("sub_2conv_more"), place)
    if level.depth == 0:
        return LevelKernels(more, None)
    return LevelKernels(
        more,
        CoarserKernels(
            _folded(level, "conv_down", "bn0", place),
            folded_level(level.get_submodule("sub_u"), place),
            _folded(level, "convt", "bn1", place),
            _block(level.get_submodule("sub_2conv_less"), place),
        ),
    )


def folded_output(network: UNet, place: Place) -> Kernel:
    """The last convolution, which nothing follows."""
    conv = cast("_Conv", network.conv_out)
    return Kernel(place(conv.weight), None if conv.bias is None else place(conv.bias), rectified=False)


def _block(block: nn.Module, place: Place) -> list[Kernel]:
    return [_folded(block, f"conv{i}", f"bn{i}", place) for i in range(1, cast("int", block.convs) + 1)]


def _folded(parent: nn.Module, conv_name: str, norm_name: str, place: Place) -> Kernel:
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
    return Kernel(place(weight), None if bias is None else place(bias), rectified=True)
