"""Filters of large stacks, strip by strip, in memory and time that can be watched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari_mito_predict.measurement.progress import Progress

Array = npt.NDArray[Any]
_VOXELS = 1 << 22
"""Of a strip, without what is read around it."""
_THREADS = min(4, os.cpu_count() or 1)


def filtered(
    pixels: Array,
    function: Callable[[Array], Array],
    halo: int,
    progress: Progress,
    message: str,
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    """Apply a filter to strips of rows of an image.

    Parameters
    ----------
    pixels : (Y, X) or (Z, Y, X) array
    function : callable
        Gives an array of the shape it gets, of which a row depends on rows at most `halo` away.
    halo : int
    progress : Progress
    message : str
        What is done.
    dtype
        Of the result.

    Returns
    -------
    numpy.ndarray
        As the function would give it for the whole image.
    """
    result = np.empty(pixels.shape, dtype)
    strips = list(_strips(pixels.shape, halo))

    def compute(strip: tuple[slice, slice]) -> None:
        kept, read = strip
        inner = slice(kept.start - read.start, kept.stop - read.start)
        result[..., kept, :] = function(pixels[..., read, :])[..., inner, :]

    progress.step(0, len(strips), message)
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting = [pool.submit(compute, strip) for strip in strips]
        try:
            for done, future in enumerate(waiting, 1):
                future.result()
                progress.step(done, len(strips), message)
        except BaseException:
            for future in waiting:
                future.cancel()
            raise
    return result


def _strips(shape: tuple[int, ...], halo: int) -> Iterator[tuple[slice, slice]]:
    """Rows that are kept, and those that are read for them."""
    height = shape[-2]
    rows = max(1, halo, _VOXELS * height // max(1, int(np.prod(shape))))
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        yield slice(start, stop), slice(max(0, start - halo), min(height, stop + halo))
