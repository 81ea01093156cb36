"""Networks that take a fixed number of planes: slid along a stack by one plane, what overlaps is averaged."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from napari_mito_predict.networks._network import Network


class SlidingNetwork(Network):
    """A network that takes `in_stack_depth` planes at a time, and gives as many.

    Each plane of the answer is the mean over all windows that hold it, as the authors of VisCy predict: one at the ends
    of a stack, up to `in_stack_depth` within. A network of single planes is two-dimensional.

    Parameters
    ----------
    in_stack_depth : int
        Planes of a window.
    in_channels, out_channels : int
        Image channels in, predicted targets out.
    """

    def __init__(self, in_stack_depth: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_stack_depth = in_stack_depth
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.ndim = 2 if in_stack_depth == 1 else 3

    @abstractmethod
    def window(self, x: Tensor) -> Tensor:
        """Map one window ``(N, in_channels, in_stack_depth, Y, X)`` to ``(N, out_channels, in_stack_depth, Y, X)``."""

    @abstractmethod
    def levels(self, x: Tensor) -> list[Tensor]:
        """Encode one window: the features of every level ``(N, C, Y, X)``, the finest first."""

    @property
    @abstractmethod
    def plane_stride(self) -> int:
        """What the size of planes must be divisible by."""

    @property
    @abstractmethod
    def plane_field(self) -> int:
        """Extent in pixels, along y and x, that the convolutions see."""

    def forward(self, x: Tensor) -> Tensor:
        """Map images to predictions.

        Parameters
        ----------
        x : Tensor, (N, in_channels, D, Y, X), or (N, in_channels, Y, X)
            At least `in_stack_depth` planes. In memory are the features of one window at a time, and the answer.
        """
        if self.ndim == 2:
            return self.window(x[:, :, None])[:, :, 0]
        depth = self.in_stack_depth
        windows = x.shape[2] - depth + 1
        if windows < 1:
            raise ValueError(f"the network takes {depth} planes at a time, and there are {x.shape[2]}")
        shape = (x.shape[0], self.out_channels, *x.shape[2:])
        total = torch.zeros(shape, dtype=torch.float32, device=x.device)
        for first in range(windows):
            total[:, :, first : first + depth] += self.window(x[:, :, first : first + depth])
        return total.div_(self._windows_of_planes(x.shape[2], x.device))

    def encoder_features(self, x: Tensor) -> list[Tensor]:
        """Give the features of each level but the coarsest, (N, C, Y, X), of one window."""
        return self.levels(x[:, :, None] if self.ndim == 2 else x)[:-1]

    def _windows_of_planes(self, planes: int, device: torch.device) -> Tensor:
        """How many windows hold each of so many planes; (D, 1, 1)."""
        place = torch.arange(planes, device=device)
        from_an_end = torch.minimum(place, place.flip(0)) + 1
        most = min(self.in_stack_depth, planes - self.in_stack_depth + 1)
        return from_an_end.clamp(max=most)[:, None, None]

    @property
    def fewest_planes(self) -> int:
        """Planes that a stack must have: those of a window."""
        return self.in_stack_depth

    @property
    def field_axes(self) -> tuple[int, ...]:
        """Along which of the axes (D, Y, X) it looks at the whole field: a window is all that it sees of the others."""
        return (1, 2)

    @property
    def stride(self) -> tuple[int, ...]:
        """What every spatial size must be divisible by, one number per axis."""
        return (1,) * (self.ndim - 2) + (self.plane_stride,) * 2

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """Extent in voxels, per axis, that the convolutions see; normalisation aside, which sees whole planes.

        Along the planes, all windows that hold a plane are seen.
        """
        return (2 * self.in_stack_depth - 1,) * (self.ndim - 2) + (self.plane_field,) * 2

    @property
    def contexts(self) -> int | None:
        """None: they normalise by the whole field of a window, which parts of it cannot be put together to."""
        return None
