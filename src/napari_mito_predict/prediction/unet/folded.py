"""A U-Net made ready: folded, in its precision, on its device; to be applied to windows, or strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.unet.folding import folded_level, folded_output
from napari_mito_predict.prediction.unet.layers import Layers, channels_last
from napari_mito_predict.prediction.unet.streaming import UNetStream
from napari_mito_predict.prediction.unet.window import part_of_pass

if TYPE_CHECKING:
    from napari_mito_predict.networks.unet import UNet


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
        Of weights and features; `channels_last` when absent.
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
        self.layout = layout or channels_last(self.ndim)

        def place(values: Tensor) -> Tensor:
            values = values.detach().to(device, dtype)
            if values.ndim == self.ndim + 2:  # a kernel, not a bias
                return values.contiguous(memory_format=self.layout)
            return values

        self._level = folded_level(network.net_recurse, place)
        self._output = folded_output(network, place)

    def __call__(
        self, window: Tensor, kept: Sequence[Span] | None = None, before_layer: Callable[[], object] = lambda: None
    ) -> Tensor:
        """One pass over a window ``(N, in_channels, *spatial)``: ``(N, out_channels, *kept)`` in our dtype.

        Parameters
        ----------
        window : Tensor
            In our dtype and on our device; sizes divisible by the network's stride.
        kept : sequence of Span, optional
            What is wanted, one span for each spatial axis; everything when absent.
        before_layer : callable
            Called before every convolution; what it raises ends the pass.
        """
        kept = kept or [Span(0, size) for size in window.shape[2:]]
        return part_of_pass(self._level, self._output, window, kept, Layers(self.layout, before_layer))

    def stream(self, axis: int, before_layer: Callable[[], object] = lambda: None) -> UNetStream:
        """Begin to take an image in strips along the spatial axis `axis`, 0 for the first.

        `before_layer` is called before every convolution; what it raises ends the stream, which is of no use then.
        """
        return UNetStream(self._level, self._output, axis, Layers(self.layout, before_layer))
