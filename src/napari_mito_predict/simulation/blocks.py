"""Images of large fields from blocks: each block is imaged alone, what spreads beyond it is added to its neighbours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.fft import next_fast_len

if TYPE_CHECKING:
    from napari_mito_predict.simulation.shapes import Array

LARGEST = 512
"""Rows and columns of the largest block, and of the largest field that is imaged in one piece."""


def blocks(shape_yx: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Cut a field of `shape_yx` into blocks, rows first, as equal in size as they can be."""
    yield from itertools.product(_cuts(shape_yx[0]), _cuts(shape_yx[1]))


def _cuts(size: int) -> list[slice]:
    """Cut one axis into as few parts of at most `LARGEST` voxels as possible."""
    parts = -(-size // LARGEST)
    ends = np.linspace(0, size, parts + 1).round().astype(int)
    return [slice(int(start), int(stop)) for start, stop in itertools.pairwise(ends)]


class BlockImager:
    """Convolution of the blocks of one field with a point spread function of limited width (overlap-add).

    Because the kernel ends within `margin`, the images of all blocks add up to that of the whole field.

    Parameters
    ----------
    kernel : (Z, K, K) float32 array
        Centred in y and x, plane 0 in focus, periodic in z; K is odd.
    shape_yx : tuple of int
        Rows and columns of the field.
    plane : int, optional
        Image this plane only.
    """

    def __init__(self, kernel: Array, shape_yx: tuple[int, int], plane: int | None = None) -> None:
        self.margin = kernel.shape[1] // 2
        self._plane = plane
        # Room for the margin on both sides: a transform wraps round, and what spreads must not meet itself.
        largest = [max(cut.stop - cut.start for cut in _cuts(size)) for size in shape_yx]
        self._size = [next_fast_len(size + 2 * self.margin, real=True) for size in largest]
        if plane is None:
            self._transfer = torch.fft.rfftn(torch.from_numpy(kernel), s=[len(kernel), *self._size])
        else:
            # One plane is a sum over all planes of the object: z needs no transform.
            facing = np.ascontiguousarray(kernel[(plane - np.arange(len(kernel))) % len(kernel)])
            self._transfer = torch.fft.rfftn(torch.from_numpy(facing), s=self._size, dim=(1, 2))

    def image(self, block: Array) -> Array:
        """Image of `block` (Z, Y, X), float32 with `margin` more rows and columns on all four sides."""
        z = block.shape[0]
        y = block.shape[1]
        x = block.shape[2]
        source = torch.from_numpy(np.ascontiguousarray(block, np.float32))
        if self._plane is None:
            spectrum = torch.fft.rfftn(source, s=[z, *self._size])
            spectrum *= self._transfer
            image = torch.fft.irfftn(spectrum, s=[z, *self._size])
        else:
            spectrum = (torch.fft.rfftn(source, s=self._size, dim=(1, 2)) * self._transfer).sum(0, keepdim=True)
            image = torch.fft.irfftn(spectrum, s=self._size, dim=(1, 2))
        return image[:, : y + 2 * self.margin, : x + 2 * self.margin].numpy()  # type: ignore[no-any-return]


def add_block(total: Array, image: Array, corner_yx: tuple[int, int]) -> None:
    """Add `image` (Z, Y, X) to `total` with its first voxel at `corner_yx`, cutting off what lies outside."""
    target = [slice(None)]
    source = [slice(None)]
    for corner, size, whole in zip(corner_yx, image.shape[1:], total.shape[1:], strict=True):
        low = max(corner, 0)
        high = min(corner + size, whole)
        if low >= high:
            return
        target.append(slice(low, high))
        source.append(slice(low - corner, high - corner))
    total[tuple(target)] += image[tuple(source)]
