"""A U-Net strip by strip along one axis: no overlap, no arithmetic done twice, and the answer of one whole pass.

Every 3x3(x3) convolution keeps the two rows of its input that the next strip needs, every skip connection keeps the
rows that wait for the coarse levels, and everything else looks at one row (or pair of rows) alone. Memory holds one
strip and these rows, however long the axis is.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, cast

from torch import Tensor

if TYPE_CHECKING:
    from napari_mito_predict.prediction.unet.folding import Kernel, LevelKernels
    from napari_mito_predict.prediction.unet.layers import Layers

Rows = Tensor | None
"""``(N, C, *spatial)``, some rows along the streamed axis; None for none."""


class UNetStream:
    """Takes an image in strips and gives the output in strips; it is of no use any more when a layer failed.

    The same way through the same U as in `window`, which says where else.

    Parameters
    ----------
    level, output : LevelKernels, Kernel
        The network.
    axis : int
        The spatial axis along which strips follow each other, 0 for the first.
    layers : Layers
        Computes them.
    """

    def __init__(self, level: LevelKernels, output: Kernel, axis: int, layers: Layers) -> None:
        streamed = _StreamedAxis(axis + 2, layers)  # behind N and C
        self._level = _Level(level, streamed)
        self._last = _Convolution(output, streamed)

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


class _StreamedAxis:
    """The axis that strips follow each other along, and who computes layers: shared by all parts of a stream.

    Parameters
    ----------
    dim : int
        Of tensors ``(N, C, *spatial)``.
    layers : Layers
        Computes, and lends memory.
    """

    def __init__(self, dim: int, layers: Layers) -> None:
        self.dim = dim
        self.layers = layers

    def count(self, rows: Tensor | _SkipConnection | None) -> int:
        """How many rows these are."""
        if rows is None:
            return 0
        return rows.shape[self.dim]

    def window(self, like: Tensor | _SkipConnection, rows: int) -> Tensor:
        """Memory of the shape of `like` but for the number of rows; see `Layers.borrow`."""
        shape = list(like.shape)
        shape[self.dim] = rows
        return self.layers.borrow(shape, like.dtype, like.device)

    def rows(self, tensor: Tensor, start: int, count: int) -> Tensor:
        """`count` rows of it from `start`, as a view."""
        return tensor.narrow(self.dim, start, count)


class _Level:
    """One level of the U with everything below it."""

    def __init__(self, kernels: LevelKernels, axis: _StreamedAxis) -> None:
        self._axis = axis
        self._encoder = [_Convolution(kernel, axis) for kernel in kernels.encoder]
        self._below: _Level | None = None
        if kernels.coarser is None:
            return
        self._down = _Downsampling(kernels.coarser.down, axis)
        self._below = _Level(kernels.coarser.below, axis)
        self._up = kernels.coarser.up
        self._decoder = [_Convolution(kernel, axis) for kernel in kernels.coarser.decoder]
        self._waiting: deque[Tensor] = deque()  # the encoder's features that the skip connection still needs

    def push(self, rows: Rows, last: bool) -> Rows:
        features = _push_through(self._encoder, rows, last)
        if self._below is None:
            return features
        if features is not None:
            self._waiting.append(features)
        down = self._down.push(features)
        del features  # the queue holds it as long as it is needed
        below = self._below.push(down, last)
        if below is None:
            return _push_through(self._decoder, None, last)
        up = self._axis.layers.upsample(self._up, below)
        return _push_through(self._decoder, _SkipConnection(self._axis, self._waiting, up), last)


class _SkipConnection:
    """Upsampled rows with the features that waited for them, as channels of one tensor.

    It looks like a tensor, but is written only where a convolution reads it: nothing is copied twice.

    Parameters
    ----------
    axis : _StreamedAxis
        Along which rows are counted.
    waiting : deque of Tensor
        The encoder's features, of which the first rows belong to `up`.
    up : Tensor
        Upsampled features, as many channels as the encoder's.
    """

    def __init__(self, axis: _StreamedAxis, waiting: deque[Tensor], up: Tensor) -> None:
        self._axis = axis
        self._waiting = waiting
        self._up = up
        self.dtype, self.device = up.dtype, up.device
        self.shape = (up.shape[0], 2 * up.shape[1], *up.shape[2:])

    def write(self, window: Tensor) -> None:
        """Fill `window`, and take the features that it needs from the queue."""
        axis, channels = self._axis, self._up.shape[1]
        window[:, channels:] = self._up
        filled, count = 0, axis.count(self._up)
        while filled < count:
            features = self._waiting.popleft()
            size = axis.count(features)
            taken = min(size, count - filled)
            axis.rows(window[:, :channels], filled, taken).copy_(axis.rows(features, 0, taken))
            if taken < size:
                self._waiting.appendleft(axis.rows(features, taken, size - taken))
            filled += taken


class _Convolution:
    """3x3(x3) convolution with zeros around the image, and ReLU but for the last.

    A row of the output needs its neighbours: the last two rows of each strip are held for the first of the next.
    """

    def __init__(self, kernel: Kernel, axis: _StreamedAxis) -> None:
        self._kernel, self._axis = kernel, axis
        self._held: Rows = None
        self._begun = False

    def push(self, rows: Tensor | _SkipConnection | None, last: bool) -> Rows:
        if rows is None and not (last and self._begun):
            return None
        if rows is not None and last and not self._begun:  # all there is: the convolution adds its zeros itself
            if isinstance(rows, _SkipConnection):
                rows = self._window(rows, zeros_before=0, zeros_after=0)
            return self._apply(rows, zeros=1)
        window = self._window(rows, zeros_before=int(not self._begun), zeros_after=int(last))
        self._begun = True
        size = self._axis.count(window)
        self._held = None
        if not last:
            # A copy: the window is borrowed, and the next layer writes to that memory.
            self._held = self._axis.rows(window, max(size - 2, 0), min(size, 2)).clone()
        if size < 3:
            return None
        return self._apply(window, zeros=0)

    def _window(self, rows: Tensor | _SkipConnection | None, zeros_before: int, zeros_after: int) -> Tensor:
        """The rows that were held, and these, between zeros."""
        axis = self._axis
        held, count = axis.count(self._held), axis.count(rows)
        start = zeros_before + held
        like = cast("Tensor", self._held) if rows is None else rows
        window = axis.window(like, start + count + zeros_after)
        axis.rows(window, 0, zeros_before).zero_()
        if self._held is not None:
            axis.rows(window, zeros_before, held).copy_(self._held)
        if isinstance(rows, _SkipConnection):
            rows.write(axis.rows(window, start, count))
        elif rows is not None:
            axis.rows(window, start, count).copy_(rows)
        axis.rows(window, start + count, zeros_after).zero_()
        return window

    def _apply(self, window: Tensor, zeros: int) -> Tensor:
        """Convolve, with `zeros` rows of zeros at both ends along the streamed axis."""
        padding = [1] * self._kernel.ndim
        padding[self._axis.dim - 2] = zeros  # padding has no entries for N and C
        return self._axis.layers.convolve(self._kernel, window, padding)


class _Downsampling:
    """Halves the resolution; keeps an odd row for its partner."""

    def __init__(self, kernel: Kernel, axis: _StreamedAxis) -> None:
        self._kernel, self._axis = kernel, axis
        self._held: Rows = None

    def push(self, rows: Rows) -> Rows:
        if rows is None:
            return None
        axis, count = self._axis, self._axis.count(rows)
        pairs = rows
        if self._held is not None:
            pairs = axis.window(rows, count + 1)
            axis.rows(pairs, 0, 1).copy_(self._held)
            axis.rows(pairs, 1, count).copy_(rows)
        size = axis.count(pairs)
        self._held = None
        if size % 2:
            self._held = axis.rows(pairs, size - 1, 1).clone()
        if size < 2:
            return None
        return axis.layers.downsample(self._kernel, axis.rows(pairs, 0, size - size % 2))


def _push_through(convolutions: list[_Convolution], rows: Tensor | _SkipConnection | None, last: bool) -> Rows:
    """Push rows through one convolution after the other."""
    for convolution in convolutions:
        rows = convolution.push(rows, last)
    return cast("Rows", rows)
