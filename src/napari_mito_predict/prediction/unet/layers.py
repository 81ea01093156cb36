"""Single layers of a folded network, and the memory they read from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from napari_mito_predict.prediction.unet.folding import Kernel

_CONVOLVE = {2: functional.conv2d, 3: functional.conv3d}
_UPSAMPLE = {2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


def channels_last(ndim: int) -> torch.memory_format:
    """What oneDNN and cuDNN compute in, for features with `ndim` spatial axes."""
    return torch.channels_last_3d if ndim == 3 else torch.channels_last


class Layers:
    """Computes layer by layer, and lends memory for what a layer reads.

    That memory is used again and again: to be given fresh memory takes several times as long as to write to it. One
    pass or stream has its own, in one dtype and on one device.

    Parameters
    ----------
    layout : torch.memory_format
        Of features, see `channels_last`.
    before_layer : callable
        Called before every convolution; what it raises ends the pass.
    """

    def __init__(self, layout: torch.memory_format, before_layer: Callable[[], object]) -> None:
        self._layout = layout
        self._before_layer = before_layer
        self._memory: Tensor | None = None

    def borrow(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Lend uninitialised memory of this shape, ``(N, C, *spatial)``; valid until the next is borrowed."""
        size = prod(shape)
        if self._memory is None or self._memory.numel() < size:
            self._memory = None  # released first, so that there are never both
            self._memory = torch.empty(size, dtype=dtype, device=device)
        if self._layout is torch.contiguous_format:
            return self._memory[:size].view(*shape)
        # Channels last: as (N, *spatial, C) in memory, seen in the usual order.
        return self._memory[:size].view(shape[0], *shape[2:], shape[1]).movedim(-1, 1)

    def convolve(self, kernel: Kernel, features: Tensor, padding: Sequence[int]) -> Tensor:
        """3x3(x3) convolution with `padding` zeros at both ends of each axis, and ReLU where the kernel has one."""
        self._before_layer()
        result = _convolve(kernel, features, tuple(padding), stride=1)
        if kernel.rectified:
            result.relu_()
        return result

    def downsample(self, kernel: Kernel, features: Tensor) -> Tensor:
        """Convolution of kernel and stride 2, ReLU."""
        self._before_layer()
        return _convolve(kernel, features, (0,) * kernel.ndim, stride=2).relu_()

    def upsample(self, kernel: Kernel, features: Tensor) -> Tensor:
        """Transposed convolution of kernel and stride 2, ReLU: each voxel becomes two along every axis."""
        self._before_layer()
        return _UPSAMPLE[kernel.ndim](features, kernel.weight, kernel.bias, stride=2).relu_()


def _convolve(kernel: Kernel, features: Tensor, padding: tuple[int, ...], stride: int) -> Tensor:
    """Convolution as torch does it, but by oneDNN also for few rows: torch has a slow way of its own for those."""
    if features.dtype == torch.float32 and features.device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        ones = (1,) * kernel.ndim
        return torch.mkldnn_convolution(features, kernel.weight, kernel.bias, padding, (stride,) * kernel.ndim, ones, 1)
    return _CONVOLVE[kernel.ndim](features, kernel.weight, kernel.bias, padding=padding, stride=stride)
