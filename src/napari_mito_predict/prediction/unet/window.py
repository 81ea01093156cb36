"""A U-Net over one window, of which a part is kept: nothing is computed that this part does not depend on.

Coarse levels look far, so that the way down needs all of the window. On the way up, every level is computed only where
the part that is kept looks at it: of a halo, little more than a few voxels of the finest level, where most of the work
is.

The same way through the same U is gone in `networks.unet` (as trained) and in `streaming` (strip by strip): a change of
one is a change of all three. Tests hold them equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_mito_predict.prediction.tiles import Span

if TYPE_CHECKING:
    from torch import Tensor

    from napari_mito_predict.prediction.unet.folding import Kernel, LevelKernels
    from napari_mito_predict.prediction.unet.layers import Layers

Spans = Sequence[Span]


def part_of_pass(level: LevelKernels, output: Kernel, window: Tensor, kept: Spans, layers: Layers) -> Tensor:
    """The part `kept` of the network's answer to a window.

    Parameters
    ----------
    level, output : LevelKernels, Kernel
        The network.
    window : Tensor, (N, in_channels, *spatial)
        Sizes divisible by the network's stride.
    kept : sequence of Span
        One for each spatial axis.
    layers : Layers
        Computes them.

    Returns
    -------
    Tensor, (N, out_channels, *kept)
        Those voxels of the answer to the whole window.
    """
    seen = _grown(kept, 1, _whole(window))
    features = _level(level, window, seen, layers)
    return _crop(layers.convolve(output, features, (1,) * output.ndim), kept, seen)


def _level(kernels: LevelKernels, features: Tensor, kept: Spans, layers: Layers) -> Tensor:
    """One level of the U with everything below it, where it is kept."""
    whole = _whole(features)
    for kernel in kernels.encoder:
        features = layers.convolve(kernel, features, (1,) * kernel.ndim)
    if kernels.coarser is None:
        return _crop(features, kept, whole)
    coarser = kernels.coarser
    seen = _grown(kept, len(coarser.decoder), whole)  # each convolution looks one voxel farther
    below = tuple(Span(span.start // 2, (span.stop + 1) // 2) for span in seen)
    up = layers.upsample(coarser.up, _level(coarser.below, layers.downsample(coarser.down, features), below, layers))
    here = tuple(Span(2 * span.start, 2 * span.stop) for span in below)
    features = _joined(_crop(features, seen, whole), _crop(up, seen, here), layers)
    for kernel in coarser.decoder:  # what is wrong at the edges of `seen`, one voxel more with each, is cropped away
        features = layers.convolve(kernel, features, (1,) * kernel.ndim)
    return _crop(features, kept, seen)


def _joined(skipped: Tensor, up: Tensor, layers: Layers) -> Tensor:
    """The encoder's features and the upsampled ones as channels of one tensor, in that order."""
    channels = skipped.shape[1]
    joined = layers.borrow((up.shape[0], channels + up.shape[1], *up.shape[2:]), up.dtype, up.device)
    joined[:, :channels] = skipped
    joined[:, channels:] = up
    return joined


def _whole(features: Tensor) -> Spans:
    return tuple(Span(0, size) for size in features.shape[2:])


def _grown(spans: Spans, by: int, whole: Spans) -> Spans:
    return tuple(span.grow(by, within) for span, within in zip(spans, whole, strict=True))


def _crop(features: Tensor, kept: Spans, at: Spans) -> Tensor:
    """The voxels `kept` of features that lie at `at`; a view."""
    for i, (span, origin) in enumerate(zip(kept, at, strict=True)):
        features = features.narrow(i + 2, span.start - origin.start, span.size)
    return features
