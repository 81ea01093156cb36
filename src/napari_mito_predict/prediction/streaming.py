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
    from napari_mito_predict.prediction.folding import Kernel, LevelKernels
    from napari_mito_predict.prediction.layers import Layers

Rows = Tensor | None
"""``(N, C, *spatial)``, some rows along the streamed axis; None for none."""


class UNetStream:
    """Takes an image in strips and gives the output in strips; it is of no use any more when a layer failed.

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
        place = _Place(axis + 2, layers)
        self._level = _Level(level, place)
        self._last = _Convolution(output, place)

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


class _Place:
    """What all parts of a stream share: the streamed axis, and who computes layers."""

    def __init__(self, dim: int, layers: Layers) -> None:
        self.dim = dim
        self.layers = layers

    def window(self, like: Tensor | _Skipped, rows: int) -> Tensor:
        """Memory of the shape of `like` but for the number of rows; see `Layers.borrow`."""
        shape = list(like.shape)
        shape[self.dim] = rows
        return self.layers.borrow(shape, like.dtype, like.device)

    def rows(self, tensor: Tensor, start: int, count: int) -> Tensor:
        """`count` rows of it from `start`, as a view."""
        return tensor.narrow(self.dim, start, count)


class _Level:
    """One level of the U with everything below it."""

    def __init__(self, kernels: LevelKernels, place: _Place) -> None:
        self._place = place
        self._more = [_Convolution(kernel, place) for kernel in kernels.more]
        self._below: _Level | None = None
        if kernels.coarser is None:
            return
        self._down = _Downsampling(kernels.coarser.down, place)
        self._below = _Level(kernels.coarser.below, place)
        self._up = kernels.coarser.up
        self._less = [_Convolution(kernel, place) for kernel in kernels.coarser.less]
        self._waiting: deque[Tensor] = deque()

    def push(self, rows: Rows, last: bool) -> Rows:
        features = _through(self._more, rows, last)
        if self._below is None:
            return features
        if features is not None:
            self._waiting.append(features)
        down = self._down.push(features)
        del features  # the queue holds it as long as it is needed
        below = self._below.push(down, last)
        if below is None:
            return _through(self._less, None, last)
        up = self._place.layers.upsample(self._up, below)
        return _through(self._less, _Skipped(self._place, self._waiting, up), last)


class _Skipped:
    """Upsampled rows with the features that waited for them, as channels of one tensor: written where it is needed."""

    def __init__(self, place: _Place, waiting: deque[Tensor], up: Tensor) -> None:
        self._place, self._waiting, self._up = place, waiting, up
        self.dtype, self.device = up.dtype, up.device
        self.shape = (up.shape[0], 2 * up.shape[1], *up.shape[2:])

    def write(self, window: Tensor) -> None:
        """Fill `window`, and take the features that it needs from the queue."""
        place, channels = self._place, self._up.shape[1]
        window[:, channels:] = self._up
        filled, count = 0, self._up.shape[place.dim]
        while filled < count:
            features = self._waiting.popleft()
            size = features.shape[place.dim]
            taken = min(size, count - filled)
            place.rows(window[:, :channels], filled, taken).copy_(place.rows(features, 0, taken))
            if taken < size:
                self._waiting.appendleft(place.rows(features, taken, size - taken))
            filled += taken


class _Convolution:
    """3x3(x3) convolution with zeros around the image, and ReLU but for the last."""

    def __init__(self, kernel: Kernel, place: _Place) -> None:
        self._kernel, self._place = kernel, place
        self._held: Rows = None
        self._begun = False

    def push(self, rows: Tensor | _Skipped | None, last: bool) -> Rows:
        if rows is None and not (last and self._begun):
            return None
        if rows is not None and last and not self._begun:  # all there is: the convolution adds its zeros itself
            return self._apply(self._window(rows, 0, 0) if isinstance(rows, _Skipped) else rows, zeros=1)
        window = self._window(rows, 0 if self._begun else 1, 1 if last else 0)
        self._begun, size = True, window.shape[self._place.dim]
        self._held = None if last else self._place.rows(window, max(size - 2, 0), min(size, 2)).clone()
        return None if size < 3 else self._apply(window, zeros=0)

    def _window(self, rows: Tensor | _Skipped | None, zeros_before: int, zeros_after: int) -> Tensor:
        """The rows that were held, and these, between zeros."""
        dim, place = self._place.dim, self._place
        held = 0 if self._held is None else self._held.shape[dim]
        start = zeros_before + held
        count = 0 if rows is None else rows.shape[dim]
        like = cast("Tensor", self._held) if rows is None else rows
        window = place.window(like, start + count + zeros_after)
        place.rows(window, 0, zeros_before).zero_()
        if self._held is not None:
            place.rows(window, zeros_before, held).copy_(self._held)
        if isinstance(rows, _Skipped):
            rows.write(place.rows(window, start, count))
        elif rows is not None:
            place.rows(window, start, count).copy_(rows)
        place.rows(window, start + count, zeros_after).zero_()
        return window

    def _apply(self, window: Tensor, zeros: int) -> Tensor:
        """Convolve, with `zeros` rows of zeros at both ends along the streamed axis."""
        padding = [zeros if i + 2 == self._place.dim else 1 for i in range(self._kernel.ndim)]
        return self._place.layers.convolve(self._kernel, window, padding)


class _Downsampling:
    """Halves the resolution; keeps an odd row for its partner."""

    def __init__(self, kernel: Kernel, place: _Place) -> None:
        self._kernel, self._place = kernel, place
        self._held: Rows = None

    def push(self, rows: Rows) -> Rows:
        if rows is None:
            return None
        place, count = self._place, rows.shape[self._place.dim]
        pairs = rows
        if self._held is not None:
            pairs = place.window(rows, count + 1)
            place.rows(pairs, 0, 1).copy_(self._held)
            place.rows(pairs, 1, count).copy_(rows)
        size = pairs.shape[place.dim]
        self._held = place.rows(pairs, size - 1, 1).clone() if size % 2 else None
        if size < 2:
            return None
        return place.layers.downsample(self._kernel, place.rows(pairs, 0, size - size % 2))


def _through(convolutions: list[_Convolution], rows: Tensor | _Skipped | None, last: bool) -> Rows:
    for convolution in convolutions:
        rows = convolution.push(rows, last)
    return cast("Rows", rows)
