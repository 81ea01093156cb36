"""What every network offers beside being a torch module."""

from __future__ import annotations

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
        Per axis, the extent in voxels of the input that an output voxel can depend on.
    """

    ndim: int
    in_channels: int
    out_channels: int

    @property
    def stride(self) -> tuple[int, ...]: ...
    @property
    def receptive_field(self) -> tuple[int, ...]: ...
    def __call__(self, x: Any, /) -> Any: ...
    def forward(self, x: Any, /) -> Any: ...
