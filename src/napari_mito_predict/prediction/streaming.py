"""A U-Net strip by strip along one axis: no overlap, no arithmetic done twice, and the answer of one whole pass.

Every 3x3(x3) convolution keeps the two rows of its input that the next strip needs, every skip connection keeps the
rows that wait for the coarse levels, and everything else looks at one row (or pair of rows) alone. Memory holds one
strip and these rows, however long the axis is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor
from torch.nn import functional

from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.prediction.folding import folded_level, folded_output

if TYPE_CHECKING:
    from napari_mito_predict.prediction.folding import Kernel, LevelKernels

Rows = Tensor | None
"""``(N, C, *spatial)``, some rows along the streamed axis; None for none."""

_CONVOLVE = {2: functional.conv2d, 3: functional.conv3d}
_UPSAMPLE = {2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


def can_stream(network: object) -> bool:
    """Whether `FoldedUNet` knows this network."""
    return isinstance(network, UNet)


class FoldedUNet:
    """The arithmetic of a U-Net in evaluation mode, batch normalisation folded into the convolutions.

    Parameters
    ----------
    network : UNet
        2-D or 3-D, any depth and number of convolutions; it is not changed.
    dtype : torch.dtype
        Of the arithmetic: float32, or bfloat16 or float16 for speed.
    device : torch.device, optional
        Where to compute; the network's own when absent.
    layout : torch.memory_format
        Of weights and features; channels last is what oneDNN and cuDNN compute in.
    """

    def __init__(
        self,
        network: UNet,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
        layout: torch.memory_format | None = None,
    ) -> None:
        self.ndim = network.ndim
        self.dtype = dtype
        self.layout = layout or (torch.channels_last_3d if self.ndim == 3 else torch.channels_last)

        def place(values: Tensor) -> Tensor:
            values = values.detach().to(device, dtype)
            return values.contiguous(memory_format=self.layout) if values.ndim == self.ndim + 2 else values

        self._level = folded_level(network.net_recurse, place)
        self._output = folded_output(network, place)

    def __call__(self, image: Tensor, before_layer: Callable[[], object] = lambda: None) -> Tensor:
        """All of an image ``(N, in_channels, *spatial)`` at once: ``(N, out_channels, *spatial)`` in our dtype."""
        return cast("Tensor", self.stream(0, before_layer).push(image, last=True))

    def stream(self, axis: int, before_layer: Callable[[], object] = lambda: None) -> UNetStream:
        """Begin to take an image in strips along the spatial axis `axis`, 0 for the first.

        `before_layer` is called before every convolution; what it raises ends the stream, which is of no use then.
        """
        return UNetStream(self._level, self._output, axis + 2, before_layer)


class UNetStream:
    """Takes an image in strips and gives the output in strips; made by `FoldedUNet.stream`."""

    def __init__(self, level: LevelKernels, output: Kernel, dim: int, before_layer: Callable[[], object]) -> None:
        self._level = _Level(level, dim, before_layer)
        self._last = _Convolution(output, dim, before_layer)

    def push(self, rows: Tensor, *, last: bool) -> Rows:
        """Take the next rows of the input; give those rows of the output that are complete now.

        Parameters
        ----------
        rows : Tensor, (N, in_channels, *spatial)
            In the network's dtype and on its device. All strips together are as long as the network's stride demands,
            each strip may have any number of rows.
        last : bool
            No more will come: the output is completed.

        Returns
        -------
        Tensor, (N, out_channels, *spatial), or None
            All outputs together have as many rows as all inputs.
        """
        return self._last.push(self._level.push(rows, last), last)


class _Level:
    """One level of the U with everything below it."""

    def __init__(self, kernels: LevelKernels, dim: int, before: Callable[[], object]) -> None:
        self._dim = dim
        self._more = [_Convolution(kernel, dim, before) for kernel in kernels.more]
        self._below: _Level | None = None
        if kernels.coarser is None:
            return
        self._down = _Downsampling(kernels.coarser.down, dim, before)
        self._below = _Level(kernels.coarser.below, dim, before)
        self._up = _Upsampling(kernels.coarser.up, before)
        self._less = [_Convolution(kernel, dim, before) for kernel in kernels.coarser.less]
        self._waiting: deque[Tensor] = deque()

    def push(self, rows: Rows, last: bool) -> Rows:
        features = _through(self._more, rows, last)
        if self._below is None:
            return features
        if features is not None:
            self._waiting.append(features)
        down = self._down.push(features)
        del features  # the queue holds it as long as it is needed
        up = self._up.push(self._below.push(down, last))
        return _through(self._less, None if up is None else self._joined(up), last)

    def _joined(self, up: Tensor) -> Tensor:
        """The features that waited for these upsampled rows, and the rows, one after the other as channels."""
        dim, count, channels = self._dim, up.shape[self._dim], up.shape[1]
        shape = list(up.shape)
        shape[1] = 2 * channels
        layout = torch.channels_last_3d if up.ndim == 5 else torch.channels_last
        joined = torch.empty(shape, dtype=up.dtype, device=up.device, memory_format=layout)
        joined[:, channels:] = up
        filled = 0
        while filled < count:
            features = self._waiting.popleft()
            taken = min(features.shape[dim], count - filled)
            joined[:, :channels].narrow(dim, filled, taken).copy_(features.narrow(dim, 0, taken))
            if taken < features.shape[dim]:
                self._waiting.appendleft(features.narrow(dim, taken, features.shape[dim] - taken))
            filled += taken
        return joined


class _Convolution:
    """3x3(x3) convolution with zeros around the image, and ReLU but for the last."""

    def __init__(self, kernel: Kernel, dim: int, before: Callable[[], object]) -> None:
        self._kernel, self._dim, self._before = kernel, dim, before
        self._convolve = _CONVOLVE[kernel.ndim]
        self._held: Rows = None
        self._begun = False

    def push(self, rows: Rows, last: bool) -> Rows:
        if rows is not None and last and not self._begun:  # all there is: the convolution adds its zeros itself
            return self._apply(rows, 1)
        parts = [part for part in (self._held, rows) if part is not None]
        if not parts:
            return None
        edge = torch.zeros_like(parts[0].narrow(self._dim, 0, 1))
        parts = [*([] if self._begun else [edge]), *parts, *([edge] if last else [])]
        self._begun = True
        window = torch.cat(parts, self._dim) if len(parts) > 1 else parts[0]
        size = window.shape[self._dim]
        # A copy: a view would keep the whole strip alive.
        self._held = None if last else window.narrow(self._dim, max(size - 2, 0), min(size, 2)).clone()
        return None if size < 3 else self._apply(window, 0)

    def _apply(self, window: Tensor, zeros: int) -> Tensor:
        """Convolve, with `zeros` rows of zeros at both ends along the streamed axis."""
        self._before()
        padding = tuple(zeros if i + 2 == self._dim else 1 for i in range(self._kernel.ndim))
        result = self._convolve(window, self._kernel.weight, self._kernel.bias, padding=padding)
        return result.relu_() if self._kernel.rectified else result


class _Downsampling:
    """Convolution of kernel and stride 2, ReLU; keeps an odd row for its partner."""

    def __init__(self, kernel: Kernel, dim: int, before: Callable[[], object]) -> None:
        self._kernel, self._dim, self._before = kernel, dim, before
        self._convolve = _CONVOLVE[kernel.ndim]
        self._held: Rows = None

    def push(self, rows: Rows) -> Rows:
        parts = [part for part in (self._held, rows) if part is not None]
        if not parts:
            return None
        whole = torch.cat(parts, self._dim) if len(parts) > 1 else parts[0]
        size = whole.shape[self._dim]
        self._held = whole.narrow(self._dim, size - 1, 1).clone() if size % 2 else None
        if size < 2:
            return None
        self._before()
        pairs = whole.narrow(self._dim, 0, size - size % 2)
        return self._convolve(pairs, self._kernel.weight, self._kernel.bias, stride=2).relu_()


class _Upsampling:
    """Transposed convolution of kernel and stride 2, ReLU: each row becomes two."""

    def __init__(self, kernel: Kernel, before: Callable[[], object]) -> None:
        self._kernel, self._before = kernel, before
        self._upsample = _UPSAMPLE[kernel.ndim]

    def push(self, rows: Rows) -> Rows:
        if rows is None:
            return None
        self._before()
        return self._upsample(rows, self._kernel.weight, self._kernel.bias, stride=2).relu_()


def _through(convolutions: list[_Convolution], rows: Rows, last: bool) -> Rows:
    for convolution in convolutions:
        rows = convolution.push(rows, last)
    return rows
