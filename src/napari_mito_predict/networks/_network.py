"""What every network offers beside being a torch module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn


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
    def feature_count(self) -> int:
        """Channels of the features at its coarsest resolution; 0 of a network that gives none."""
        return 0

    def deepest_features(self, x: Tensor) -> Tensor:
        """What it makes of images at its coarsest resolution, before anything that looks at the whole field.

        Nothing behind that is computed.

        Parameters
        ----------
        x : Tensor, (N, in_channels, *spatial)
            As `forward` takes it, with `fewest_planes` planes where that is more than one.

        Returns
        -------
        Tensor, (N, feature_count, *coarse)
        """
        return x[:, :0]

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
