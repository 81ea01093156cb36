"""A U-Net strip by strip along one axis: no overlap, no arithmetic done twice, and the answer of one whole pass.

Every 3x3(x3) convolution keeps the two rows of its input that the next strip needs, every skip connection keeps the
rows that wait for the coarse levels, and everything else looks at one row (or pair of rows) alone. Memory holds one
strip and these rows, however long the axis is.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from napari_mito_predict.networks.unet import UNet

Rows = Tensor | None
"""``(N, C, *spatial)``, some rows along the streamed axis; None for none."""

_CONVOLVE = {2: functional.conv2d, 3: functional.conv3d}
_UPSAMPLE = {2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


def can_stream(network: object) -> bool:
    """Whether `UNetStream` knows this network."""
    return isinstance(network, UNet)


class UNetStream:
    """A U-Net that takes its input in strips and gives its output in strips.

    Batch normalisation is folded into the convolutions, with the statistics of evaluation mode.

    Parameters
    ----------
    network : UNet
        2-D or 3-D, any depth and number of convolutions; it is not changed.
    axis : int
        Spatial axis along which strips follow each other, 0 for the first.
    dtype : torch.dtype
        Of the arithmetic: float32, or bfloat16 or float16 for speed.
    device : torch.device, optional
        Where to compute; the network's own when absent.
    """

    def __init__(
        self, network: UNet, axis: int, dtype: torch.dtype = torch.float32, device: torch.device | None = None
    ) -> None:
        dim, to = axis + 2, _Placement(dtype, device)
        self._level = _Level(network.net_recurse, dim, to)
        self._last = _Convolution(cast("_Conv", network.conv_out), None, dim, to)

    def push(self, rows: Tensor, *, last: bool) -> Rows:
        """Take the next rows of the input; give those rows of the output that are complete now.

        Parameters
        ----------
        rows : Tensor, (N, in_channels, *spatial)
            In the stream's dtype and on its device. All strips together are as long as the network's stride demands,
            each strip may have any number of rows.
        last : bool
            No more will come: the output is completed.

        Returns
        -------
        Tensor, (N, out_channels, *spatial), or None
            All outputs together have as many rows as all inputs.
        """
        return self._last.push(self._level.push(rows, last), last)


class _Placement(NamedTuple):
    """Where and in what the arithmetic is done."""

    dtype: torch.dtype
    device: torch.device | None


class _Level:
    """One level of the U with everything below it."""

    def __init__(self, level: nn.Module, dim: int, to: _Placement) -> None:
        self._dim = dim
        self._more = _convolutions(level.get_submodule("sub_2conv_more"), dim, to)
        self._below: _Level | None = None
        if level.depth == 0:
            return
        self._down = _Downsampling(_conv(level, "conv_down"), _norm(level, "bn0"), dim, to)
        self._below = _Level(level.get_submodule("sub_u"), dim, to)
        self._up = _Upsampling(_conv(level, "convt"), _norm(level, "bn1"), to)
        self._less = _convolutions(level.get_submodule("sub_2conv_less"), dim, to)
        self._waiting: Rows = None

    def push(self, rows: Rows, last: bool) -> Rows:
        features = _through(self._more, rows, last)
        if self._below is None:
            return features
        self._waiting = _joined(self._waiting, features, self._dim)
        up = self._up.push(self._below.push(self._down.push(features), last))
        joined = None
        if up is not None and self._waiting is not None:
            skipped, self._waiting = _split(self._waiting, up.shape[self._dim], self._dim)
            joined = torch.cat((skipped, up), dim=1)
        return _through(self._less, joined, last)


class _Convolution:
    """3x3(x3) convolution with zeros around the image, and ReLU where batch normalisation follows it."""

    def __init__(self, conv: _Conv, norm: _Norm | None, dim: int, to: _Placement) -> None:
        self._weight, self._bias = _folded(conv, norm, to)
        self._rectify = norm is not None
        self._dim = dim
        self._convolve = _CONVOLVE[conv.weight.ndim - 2]
        self._padding = tuple(0 if i + 2 == dim else 1 for i in range(conv.weight.ndim - 2))
        self._held: Rows = None
        self._begun = False

    def push(self, rows: Rows, last: bool) -> Rows:
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
        if size < 3:
            return None
        result = self._convolve(window, self._weight, self._bias, padding=self._padding)
        return result.relu_() if self._rectify else result


class _Downsampling:
    """Convolution of kernel and stride 2, ReLU; keeps an odd row for its partner."""

    def __init__(self, conv: _Conv, norm: _Norm, dim: int, to: _Placement) -> None:
        self._weight, self._bias = _folded(conv, norm, to)
        self._dim = dim
        self._convolve = _CONVOLVE[conv.weight.ndim - 2]
        self._held: Rows = None

    def push(self, rows: Rows) -> Rows:
        whole = _joined(self._held, rows, self._dim)
        if whole is None:
            return None
        size = whole.shape[self._dim]
        pairs, self._held = _split(whole, size - size % 2, self._dim)
        return None if size < 2 else self._convolve(pairs, self._weight, self._bias, stride=2).relu_()


class _Upsampling:
    """Transposed convolution of kernel and stride 2, ReLU: each row becomes two."""

    def __init__(self, conv: _Conv, norm: _Norm, to: _Placement) -> None:
        self._weight, self._bias = _folded(conv, norm, to)
        self._upsample = _UPSAMPLE[conv.weight.ndim - 2]

    def push(self, rows: Rows) -> Rows:
        return None if rows is None else self._upsample(rows, self._weight, self._bias, stride=2).relu_()


_Conv = nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d
_Norm = nn.BatchNorm2d | nn.BatchNorm3d


def _convolutions(block: nn.Module, dim: int, to: _Placement) -> list[_Convolution]:
    return [
        _Convolution(_conv(block, f"conv{i}"), _norm(block, f"bn{i}"), dim, to)
        for i in range(1, cast("int", block.convs) + 1)
    ]


def _through(convolutions: list[_Convolution], rows: Rows, last: bool) -> Rows:
    for convolution in convolutions:
        rows = convolution.push(rows, last)
    return rows


def _folded(conv: _Conv, norm: _Norm | None, to: _Placement) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of the convolution together with the batch normalisation behind it."""
    weight, bias = conv.weight, conv.bias
    if norm is not None and norm.running_mean is not None and norm.running_var is not None:
        transposed = isinstance(conv, nn.ConvTranspose2d | nn.ConvTranspose3d)
        weight, bias = fuse_conv_bn_weights(
            weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias, transpose=transposed
        )
    layout = torch.channels_last_3d if weight.ndim == 5 else torch.channels_last
    placed = weight.detach().to(to.device, to.dtype).contiguous(memory_format=layout)
    return placed, None if bias is None else bias.detach().to(to.device, to.dtype)


def _conv(module: nn.Module, name: str) -> _Conv:
    return cast("_Conv", module.get_submodule(name))


def _norm(module: nn.Module, name: str) -> _Norm:
    return cast("_Norm", module.get_submodule(name))


def _joined(first: Rows, second: Rows, dim: int) -> Rows:
    if first is None or second is None:
        return second if first is None else first
    return torch.cat((first, second), dim)


def _split(rows: Tensor, count: int, dim: int) -> tuple[Tensor, Rows]:
    """The first `count` rows, and a copy of the rest, which would otherwise keep all of them alive."""
    rest = rows.shape[dim] - count
    return rows.narrow(dim, 0, count), rows.narrow(dim, count, rest).clone() if rest else None
