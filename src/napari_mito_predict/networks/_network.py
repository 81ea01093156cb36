"""What every network offers beside being a torch module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

MOST_FEATURES: Final = 256
"""Of the `pooled_features`: a covariance of more would need more images than there usually are."""
_SILENCE = 0.01
"""A channel this weak says nothing; batch normalisation makes them about 1."""


class Network(nn.Module, ABC):
    """A module from ``(N, in_channels, *spatial)`` to ``(N, out_channels, *spatial)``.

    Attributes
    ----------
    ndim : {2, 3}
        Number of spatial axes.
    in_channels, out_channels : int
        Image channels in, predicted targets out.
    single_precision : bool
        Whether it computes in float32 whatever it is asked for.
    """

    ndim: int
    in_channels: int
    out_channels: int
    single_precision: bool = False

    @property
    @abstractmethod
    def stride(self) -> tuple[int, ...]:
        """What every spatial size must be divisible by, and where tiles may start; one number per axis."""

    @property
    @abstractmethod
    def receptive_field(self) -> tuple[int, ...]:
        """Extent in voxels, per axis, of the input that an output voxel can depend on through convolutions."""

    @property
    def contexts(self) -> int | None:
        """How many averages over the whole field the network needs beside its receptive field.

        None of convolutions alone. A network that needs some is a `FieldNetwork`, and tiles of it are exact. The value
        None: it looks at the whole field in a way that cannot be put together from tiles.
        """
        return 0

    @property
    def field_axes(self) -> tuple[int, ...]:
        """Along which of the axes (D, Y, X) it looks at the whole field, where it does: see `contexts`."""
        return (0, 1, 2)[3 - self.ndim :]

    @property
    def fewest_planes(self) -> int:
        """Planes that a volume must have."""
        return 1

    @property
    def bytes_per_voxel(self) -> float | None:
        """Memory of one pass, in bytes per input voxel, of a network that cannot be measured; None for all others."""
        return None

    @property
    def stored(self) -> tuple[str, bytes] | None:
        """The file of a package that holds it, and its content, of a network that brings both; None for all others."""
        return None

    @property
    def encoder_widths(self) -> tuple[int, ...]:
        """Channels of each of the `encoder_features`; none of a network that gives none."""
        return ()

    @property
    def feature_count(self) -> int:
        """How many `pooled_features` there are of an image."""
        return min(sum(self.encoder_widths), MOST_FEATURES)

    def encoder_features(self, x: Tensor) -> list[Tensor]:
        """What it makes of images on its way down, before anything that looks at the whole field.

        Parameters
        ----------
        x : Tensor, (N, in_channels, *spatial)
            As `forward` takes it, with `fewest_planes` planes where that is more than one.

        Returns
        -------
        list of Tensor, (N, channels, *coarser)
            Of each resolution but the coarsest, which is not computed.
        """
        return []

    def pooled_features(self, x: Tensor) -> Tensor:
        """How strongly images excite the channels of its encoder: what tells images apart as it sees them.

        The logarithm of each channel's mean magnitude over an image. The coarsest resolution is left out: of simulated
        cells, blurred ones differed from sharp ones everywhere else, and hardly there.

        Parameters
        ----------
        x : Tensor, (N, in_channels, *spatial)
            See `encoder_features`.

        Returns
        -------
        Tensor, (N, feature_count)
            Neighbouring channels are averaged where there are more than `MOST_FEATURES`.
        """
        if self.feature_count == 0:
            return x.new_zeros((len(x), 0))
        strengths = [features.abs().flatten(2).mean(2) for features in self.encoder_features(x)]
        pooled = torch.log(torch.cat(strengths, dim=1) + _SILENCE)
        return functional.adaptive_avg_pool1d(pooled, self.feature_count)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map images to predictions."""


class FieldNetwork(Network):
    """A network that looks at the whole field through averages over it, one after the other."""

    @abstractmethod
    def forward(self, x: Tensor, contexts: Sequence[Tensor] | None = None) -> Tensor:
        """Map images to predictions; with all averages of the field, a window gets what the field would get there."""

    @abstractmethod
    def context(self, x: Tensor, core: tuple[slice, ...], given: Sequence[Tensor]) -> Tensor:
        """Give the next average, after those `given`, over the part `core` of the window `x`.

        `core` are slices on the stride grid, one for each spatial axis. Weighted by their sizes, the averages of parts
        that divide a field average to that of the field.
        """
