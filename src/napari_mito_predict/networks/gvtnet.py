"""The GVTNet of label-free prediction (Wang, Xie & Ji 2020, arXiv 2008.02340), in two and three dimensions.

A residual U-Net with a global voxel transformer operator at its bottom: there, every voxel looks at the whole field.
Skip connections are added, and batch normalisation and ReLU6 come before each convolution, not after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, repeat
from typing import Literal, cast

from torch import Tensor, nn

from napari_mito_predict.networks._layers import CONV, Activation, Double, Halve
from napari_mito_predict.networks.gvto import GVTO, Attention, Mode, Shortcut

Resizing = Literal["convolution", "v1", "v2"]
_MOMENTUM = 0.003


class GVTNet(nn.Module):
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
        for name, value, known in (
            ("attention", attention, ("linear", "softmax")),
            ("down", down, ("convolution", "v1", "v2")),
            ("up", up, ("convolution", "v1", "v2")),
        ):
            if value not in known:
                raise ValueError(f"{name} '{value}': expected {', '.join(known)}")
        if depth < 1:
            raise ValueError(f"depth {depth}: expected at least 1")
        self.ndim, self.depth = ndim, depth
        self.in_channels, self.out_channels = in_channels, out_channels
        self._resizing = {"down": down, "up": up}
        widths = [base_channels * 2**level for level in range(depth)]

        def operator(channels_in: int, channels: int, mode: Mode, shortcut: Shortcut = "v1") -> GVTO:
            return GVTO(
                ndim,
                channels_in,
                channels,
                mode=mode,
                shortcut=shortcut,
                attention=attention,
                heads=heads,
                momentum=momentum,
            )

        self.first = CONV[ndim](in_channels, widths[0], kernel_size=3, padding=1, bias=False)
        self.top = _Residual(ndim, widths[0], momentum)
        self.down = nn.ModuleList(
            _ResidualDown(ndim, a, b, momentum) if down == "convolution" else operator(a, b, "down", down)
            for a, b in pairwise(widths)
        )
        self.bottom = operator(widths[-1], widths[-1], "same")
        levels = range(depth - 2, -1, -1)
        self.up = nn.ModuleList(
            Double(ndim, wide, narrow) if up == "convolution" else operator(wide, narrow, "up", up)
            for narrow, wide in reversed(list(pairwise(widths)))
        )
        self.after = nn.ModuleList(_Residual(ndim, widths[i], momentum) for i in levels)
        self.last = Activation(ndim, widths[0], momentum)
        self.conv_out = CONV[ndim](widths[0], out_channels, kernel_size=3, padding=1)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

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
    def contexts(self) -> int | None:
        """Number of operators, all linear; None for softmax, which cannot be put together from parts."""
        operators = self._operators
        return None if operators[0].attention == "softmax" else len(operators)

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
        low, high = self._dependency(-1, cell, level=0)  # the last convolution
        return (cell + 2 * max(-low, high - (cell - 1)),) * self.ndim

    @property
    def _operators(self) -> list[GVTO]:
        """In the order in which they are passed."""
        found = [*self.down, self.bottom, *self.up]
        return [module for module in found if isinstance(module, GVTO)]

    def _features(self, x: Tensor, contexts: Sequence[Tensor] | None, before: nn.Module | None = None) -> Tensor:
        """What the last layers are given, or the operator `before`."""
        known = iter(contexts) if contexts is not None else repeat(None)
        x, skips = self.top(self.first(x)), []
        for down in self.down:
            if down is before:
                return x
            skips.append(x)
            x = down(x, next(known)) if isinstance(down, GVTO) else down(x)
        if self.bottom is before:
            return x
        x = self.bottom(x, next(known))
        for up, after in zip(self.up, self.after, strict=True):
            if up is before:
                return x
            x = up(x, next(known)) if isinstance(up, GVTO) else up(x)
            x = after(x + skips.pop())
        return x

    def _dependency(self, low: int, high: int, level: int) -> tuple[int, int]:
        """First and last input voxel, along one axis, that the decoder's voxels of `level` depend on; backwards."""
        if level == self.depth - 1:
            return self._encoder_dependency(low, high, level)
        low, high = low - 2, high + 2
        skip_low, skip_high = self._encoder_dependency(low, high, level)
        below_low, below_high = self._dependency((low - 1) // 2, high // 2, level + 1)
        return min(skip_low, below_low), max(skip_high, below_high)

    def _encoder_dependency(self, low: int, high: int, level: int) -> tuple[int, int]:
        more = 1 if self._resizing["down"] == "convolution" else 0  # the second convolution of a residual step
        for _ in range(level):
            low, high = 2 * (low - more), 2 * (high + more) + 2
        return low - 3, high + 3


class _Residual(nn.Module):
    """Two times batch normalisation, ReLU6, 3x3(x3) convolution, added to the input."""

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
    """The same with a first convolution of stride 2; the shortcut is a 1x1(x1) convolution of stride 2."""

    def __init__(self, ndim: int, channels_in: int, channels: int, momentum: float) -> None:
        super().__init__()
        self.activation = Activation(ndim, channels_in, momentum)
        self.shortcut = CONV[ndim](channels_in, channels, kernel_size=1, stride=2, bias=False)
        self.body = nn.Sequential(
            Halve(ndim, channels_in, channels),
            Activation(ndim, channels, momentum),
            CONV[ndim](channels, channels, kernel_size=3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        active = self.activation(x)
        return cast("Tensor", self.shortcut(active) + self.body(active))
