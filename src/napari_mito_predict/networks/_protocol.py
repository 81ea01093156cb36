"""What every network offers beside being a torch module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Network(Protocol):
    """A module from ``(N, in_channels, *spatial)`` to ``(N, out_channels, *spatial)``.

    Attributes
    ----------
    ndim : int
        Number of spatial axes.
    stride : tuple of int
        Per axis, what sizes must be divisible by and where tiles may start.
    receptive_field : tuple of int
        Per axis, the extent in voxels of the input that an output voxel can depend on, through convolutions.
    contexts : int or None
        How many averages over the whole field the network needs beside that: none for convolutions alone. A network
        with some is a `FieldNetwork`, and tiles of it are exact. None: it looks at the whole field in a way that
        cannot be put together from tiles.
    """

    ndim: int
    in_channels: int
    out_channels: int

    @property
    def stride(self) -> tuple[int, ...]: ...
    @property
    def receptive_field(self) -> tuple[int, ...]: ...
    @property
    def contexts(self) -> int | None: ...
    def __call__(self, x: Any, /) -> Any: ...
    def forward(self, x: Any, /) -> Any: ...


class FieldNetwork(Network, Protocol):
    """A network that looks at the whole field through averages over it, one after the other.

    ``context(x, core, given)`` is the next average, after those `given`, over the part `core` (slices on the stride
    grid, one per spatial axis) of the window `x`: ``(N, ...)``. Weighted by their sizes, those of parts average to that
    of the field. With all of them, ``forward(x, contexts)`` gives of a window what it gives of the field.
    """

    def context(self, x: Any, core: tuple[slice, ...], given: Sequence[Any], /) -> Any: ...
    def forward(self, x: Any, contexts: Sequence[Any] | None = None, /) -> Any: ...
