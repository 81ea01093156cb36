"""The GVTNet of label-free prediction (Wang, Xie & Ji 2020, arXiv 2008.02340), in two and three dimensions.

A residual U-Net with a global voxel transformer operator at its bottom: there, every voxel looks at the whole field.
Skip connections are added, and batch normalisation and ReLU6 come before each convolution, not after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise, repeat
from typing import Literal, cast

from torch import Tensor, nn

from napari_mito_predict.networks._layers import CONV, Activation, Double, Halve
from napari_mito_predict.networks._network import FieldNetwork
from napari_mito_predict.networks.gvto import GVTO, Attention

Resizing = Literal["convolution", "v1", "v2"]
_MOMENTUM = 0.003


class GVTNet(FieldNetwork):
    """Residual U-Net that attends to the whole field at its bottom.

    Parameters
    ----------
    ndim : {2, 3}
        Spatial dimensions.
    depth : int
        Number of levels: one more than down-samplings by 2, as in the paper. Every spatial size must be divisible by
        ``2**(depth - 1)``.
    base_channels : int
        Feature channels of the top level; each level below has twice as many.
    in_channels, out_channels : int
        Image channels in, predicted targets out.
    attention : {"linear", "softmax"}
        Of every operator; see `napari_mito_predict.networks.gvto.GVTO`. Tiled prediction is exact with "linear" only.
    heads : int
        Of every operator.
    down, up : {"convolution", "v1", "v2"}
        What changes the resolution: convolutions, or an operator with this shortcut.
    momentum : float
        Of batch normalisation: the share of each batch in the running statistics. With the paper's 0.003 these need
        some 1,000 iterations to settle; a shorter training wants 0.1.

    Notes
    -----
    Input ``(N, in_channels, *spatial)``, output ``(N, out_channels, *spatial)``, both float.

    The defaults are those of the paper's label-free experiments: widths 32, 64, 128 and 256, convolutions between
    them, one linear operator with one head at the bottom, Glorot initialisation; 6,172,225 trainable parameters in
    three dimensions. The paper's other experiments use operators for going up; they had other depths and skips, which
    are not offered here. Two dimensions, `out_channels` and operators on the way down are ours.
    """

    def __init__(
        self,
        ndim: int = 3,
        depth: int = 4,
        base_channels: int = 32,
        in_channels: int = 1,
        out_channels: int = 1,
        attention: Attention = "linear",
        heads: int = 1,
        down: Resizing = "convolution",
        up: Resizing = "convolution",
        momentum: float = _MOMENTUM,
    ) -> None:
        super().__init__()
        _require("attention", attention, ("linear", "softmax"))
        _require("down", down, ("convolution", "v1", "v2"))
        _require("up", up, ("convolution", "v1", "v2"))
        if depth < 1:
            raise ValueError(f"depth {depth}: expected at least 1")
        self.ndim = ndim
        self.depth = depth
        self.base_channels = base_channels
        self.in_channels = in_channels
        self.out_channels = out_channels
        self._has_residual_down = down == "convolution"
        operator = partial(GVTO, ndim, attention=attention, heads=heads, momentum=momentum)
        widths = [base_channels * 2**level for level in range(depth)]
        # The order of the modules is part of the state dictionary, and of what a seed gives.
        self.first = CONV[ndim](in_channels, widths[0], kernel_size=3, padding=1, bias=False)
        self.top = _Residual(ndim, widths[0], momentum)
        self.down = nn.ModuleList()
        for narrow, wide in pairwise(widths):
            if down == "convolution":
                self.down.append(_ResidualDown(ndim, narrow, wide, momentum))
            else:
                self.down.append(operator(narrow, wide, mode="down", shortcut=down))
        self.bottom = operator(widths[-1], widths[-1])
        self.up = nn.ModuleList()
        for wide, narrow in pairwise(reversed(widths)):
            if up == "convolution":
                self.up.append(Double(ndim, wide, narrow))
            else:
                self.up.append(operator(wide, narrow, mode="up", shortcut=up))
        self.after = nn.ModuleList(_Residual(ndim, width, momentum) for width in reversed(widths[:-1]))
        self.last = Activation(ndim, widths[0], momentum)
        self.conv_out = CONV[ndim](widths[0], out_channels, kernel_size=3, padding=1)
        _initialise(self)

    def forward(self, x: Tensor, contexts: Sequence[Tensor] | None = None) -> Tensor:
        """Map images to predictions.

        Parameters
        ----------
        x : Tensor, (N, in_channels, *spatial)
        contexts : sequence of Tensor, optional
            What the field around `x` holds, one of `context` for each operator; absent where `x` is the whole field.

        Returns
        -------
        Tensor, (N, out_channels, *spatial)
        """
        return cast("Tensor", self.conv_out(self.last(self._features(x, contexts))))

    def context(self, x: Tensor, core: tuple[slice, ...], given: Sequence[Tensor]) -> Tensor:
        """What the part `core` of `x` adds to the context of the next operator.

        Contexts of parts that divide a field, averaged with their sizes as weights, are that of the field.

        Parameters
        ----------
        x : Tensor, (N, in_channels, *spatial)
            A window with enough around `core` that its features there are those of the whole field.
        core : tuple of slice
            Of the spatial axes, on the stride grid.
        given : sequence of Tensor
            The field's contexts of the operators before.
        """
        operator = self._operators[len(given)]
        features = self._features(x, given, before=operator)
        scale = x.shape[-1] // features.shape[-1]
        own = tuple(slice(part.start // scale, part.stop // scale) for part in core)
        return operator.context(features[:, :, *own])

    @property
    def encoder_widths(self) -> tuple[int, ...]:
        """Channels of each level but the deepest."""
        return tuple(self.base_channels << level for level in range(self.depth - 1))

    def encoder_features(self, x: Tensor) -> list[Tensor]:
        """Give what each step down is given."""
        return [self._features(x, None, before=down) for down in self.down]

    @property
    def contexts(self) -> int | None:
        """Number of operators, all linear; None for softmax, which cannot be put together from parts."""
        operators = self._operators
        if operators[0].attention == "softmax":
            return None
        return len(operators)

    @property
    def stride(self) -> tuple[int, ...]:
        """What every spatial size must be divisible by, one number per axis."""
        return (2 ** (self.depth - 1),) * self.ndim

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """Extent in voxels, per axis, that the convolutions see; attention aside, which sees everything.

        Taken as symmetric about a cell of the stride grid, by its longer side.
        """
        cell = self.stride[0]
        first, last = self._dependency(-1, cell, level=0)  # `conv_out` sees one voxel more on both sides
        longer_side = max(-first, last - (cell - 1))
        return (cell + 2 * longer_side,) * self.ndim

    @property
    def _operators(self) -> list[GVTO]:
        """In the order in which they are passed."""
        found = [*self.down, self.bottom, *self.up]
        return [module for module in found if isinstance(module, GVTO)]

    def _features(self, x: Tensor, contexts: Sequence[Tensor] | None, before: nn.Module | None = None) -> Tensor:
        """Compute what the last layers are given or, where `before` is an operator, what that one is given."""
        remaining: Iterator[Tensor | None] = repeat(None)
        if contexts is not None:
            remaining = iter(contexts)
        x = self.top(self.first(x))
        skips = []
        for down in self.down:
            if down is before:
                return x
            skips.append(x)
            x = _pass_through(down, x, remaining)
        if self.bottom is before:
            return x
        x = _pass_through(self.bottom, x, remaining)
        for up, after in zip(self.up, self.after, strict=True):
            if up is before:
                return x
            x = after(_pass_through(up, x, remaining) + skips.pop())
        return x

    def _dependency(self, first: int, last: int, level: int) -> tuple[int, int]:
        """First and last input voxel, along one axis, that the decoder's voxels `first` to `last` of `level` depend on.

        Goes backwards through the network, as does `_encoder_dependency`.
        """
        if level == self.depth - 1:
            return self._encoder_dependency(first, last, level)
        first -= 2  # the two convolutions of `after`
        last += 2
        skip_first, skip_last = self._encoder_dependency(first, last, level)
        # `Double` spreads voxel i of the coarser level over voxels 2i, 2i + 1 and 2i + 2 of this one.
        below_first, below_last = self._dependency((first - 1) // 2, last // 2, level + 1)
        return min(skip_first, below_first), max(skip_last, below_last)

    def _encoder_dependency(self, first: int, last: int, level: int) -> tuple[int, int]:
        """First and last input voxel that the encoder's voxels `first` to `last` of `level` depend on."""
        for _ in range(level):
            if self._has_residual_down:
                first -= 1  # its second convolution
                last += 1
            first = 2 * first  # `Halve` sees voxels 2i, 2i + 1 and 2i + 2 of the finer level
            last = 2 * last + 2
        return first - 3, last + 3  # `first`, and the two convolutions of `top`


def _require(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} '{value}': expected {', '.join(known)}")


def _initialise(network: nn.Module) -> None:
    """Glorot initialisation of all convolutions, as in the paper."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _pass_through(module: nn.Module, x: Tensor, remaining: Iterator[Tensor | None]) -> Tensor:
    """Pass `x` through a module; an operator takes its context from those `remaining`."""
    if isinstance(module, GVTO):
        return cast("Tensor", module(x, next(remaining)))
    return cast("Tensor", module(x))


class _Residual(nn.Module):
    """Twice batch normalisation, ReLU6 and a 3x3(x3) convolution, added to the input."""

    def __init__(self, ndim: int, channels: int, momentum: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Activation(ndim, channels, momentum),
            CONV[ndim](channels, channels, kernel_size=3, padding=1, bias=False),
            Activation(ndim, channels, momentum),
            CONV[ndim](channels, channels, kernel_size=3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", x + self.body(x))


class _ResidualDown(nn.Module):
    """A residual step to the next coarser level: its first convolution, and a 1x1(x1) shortcut, have stride 2.

    The shortcut takes every second voxel and then convolves: the same numbers, but with its stride inside the
    convolution, oneDNN (in torch 2.13, on processors with AVX2 and no AVX-512) writes past its memory in the backward
    pass where there are few channels.
    """

    def __init__(self, ndim: int, channels_in: int, channels: int, momentum: float) -> None:
        super().__init__()
        self.activation = Activation(ndim, channels_in, momentum)
        self.every_second = (slice(None, None, 2),) * ndim
        self.shortcut = CONV[ndim](channels_in, channels, kernel_size=1, bias=False)
        self.body = nn.Sequential(
            Halve(ndim, channels_in, channels),
            Activation(ndim, channels, momentum),
            CONV[ndim](channels, channels, kernel_size=3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        active = self.activation(x)
        return cast("Tensor", self.shortcut(active[:, :, *self.every_second]) + self.body(active))
