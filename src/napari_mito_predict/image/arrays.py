"""Arrays already in memory, or dask arrays, as images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import ImageError, UnknownAxesError
from napari_mito_predict.image.backend import AXES, RGB, SceneInfo
from napari_mito_predict.image.metadata import known_size
from napari_mito_predict.image.source import ImageSource

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ArrayBackend:
    """A numpy or dask array, or anything that slices like one; it is never changed and never copied as a whole."""

    path: Path | None = None
    scenes: tuple[str, ...] = ("array",)

    def __init__(self, array: Any, axes: str, info: SceneInfo) -> None:
        self._array = array
        self._axes = axes
        self._info = info

    def info(self, scene: int) -> SceneInfo:
        """Describe the array; it is the only scene."""
        return self._info

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        """Read ``(Z, Y, X)``, or ``(1, Y, X)`` for one `z`."""
        return read_stack(self._array, self._axes, t, c, z)


def read_stack(array: Any, axes: str, t: int, c: int, z: int | None, r: int = 0) -> NDArray[Any]:
    """Cut one stack, or one Z step, out of an array with any order of axes.

    Parameters
    ----------
    array : array-like
        Anything that takes integers and slices and becomes a numpy array: numpy, dask, zarr.
    axes : str
        One letter per axis: of ``TCZYX``, ``R`` for one more, and ``_`` for those of which the first entry is read.
    t, c : int
        Time point and channel; ignored where the array has no such axis.
    z : int or None
        One Z step, or None for all.
    r : int
        Where along ``R``.

    Returns
    -------
    numpy.ndarray
        ``(Z, Y, X)``, a new array.
    """
    block = np.array(array[stack_region(axes, t, c, z, r)])
    spatial = [axis for axis in axes if axis in "ZYX"]  # the others are gone: they were indexed with integers
    volume = block.transpose([spatial.index(axis) for axis in "ZYX" if axis in spatial])
    if "Z" not in spatial:
        return volume[np.newaxis]
    return volume


def stack_region(axes: str, t: int, c: int, z: int | None, r: int = 0) -> tuple[slice | int, ...]:
    """Index of one stack, or one Z step, in an array of these axes; parameters as `read_stack`."""
    index: dict[str, slice | int] = {"T": t, "C": c, "R": r, "_": 0}
    if z is not None:
        index["Z"] = slice(z, z + 1)  # an integer would remove the axis
    return tuple(index.get(axis, slice(None)) for axis in axes)


def from_array(
    array: Any,
    *,
    axes: str,
    channel_names: Sequence[str | None] | None = None,
    voxel_size_um: Sequence[float | None] | None = None,
    time_step_s: float | None = None,
    name: str = "array",
) -> ImageSource:
    """Make an image of an array.

    Parameters
    ----------
    array : numpy.ndarray or dask.array.Array
        Of any real dtype.
    axes : str
        One letter per axis, in the array's order, from ``TCZYX``; ``S`` for the samples of a colour image.
    channel_names : sequence of str or None, optional
        One per channel.
    voxel_size_um : sequence of float or None, optional
        z, y, x in micrometres; None or 0 where unknown.
    time_step_s : float, optional
        Seconds between time points.
    name : str
        Used in messages and results.

    Returns
    -------
    ImageSource

    Raises
    ------
    UnknownAxesError
        The axes do not fit the array.
    ImageError
        An axis is empty, or names and channels differ in number.
    """
    axes = axes.upper()
    shape = tuple(int(size) for size in array.shape)
    _check_axes(axes, shape, name)
    by_axis = dict(zip(axes, shape, strict=True))
    sizes = {axis: by_axis.get(axis, 1) for axis in AXES}
    names: tuple[str | None, ...] = (None,) * sizes["C"]
    if channel_names is not None:
        names = tuple(channel_names)
    if len(names) != sizes["C"]:
        raise ImageError(f"{name}: {len(names)} channel names were given for {sizes['C']} channels.")
    is_rgb = "S" in axes
    voxel = [known_size(size) for size in voxel_size_um or (None, None, None)]
    info = SceneInfo(
        sizes=sizes,
        dtype=np.dtype(array.dtype),
        channel_names=tuple(channel_name or None for channel_name in names),
        voxel_size_um=(voxel[0], voxel[1], voxel[2]),
        time_step_s=known_size(time_step_s),
        is_rgb=is_rgb,
        unsupported=RGB if is_rgb else "",
    )
    return ImageSource(ArrayBackend(array, axes, info), name=name)


def _check_axes(axes: str, shape: tuple[int, ...], name: str) -> None:
    letters = set(axes)
    each_once = len(letters) == len(axes)
    if not each_once or len(axes) != len(shape) or not {"Y", "X"} <= letters <= set("TCZYXS"):
        raise UnknownAxesError(
            f'{name}: axes "{axes}" do not fit an array of shape {shape}. Give one letter per axis out of T (time), '
            "C (channel), Z, Y, X, each once, with Y and X among them."
        )
    for axis, size in zip(axes, shape, strict=True):
        if size == 0:
            raise ImageError(f"{name}: the {axis} axis is empty (shape {shape}), so there is nothing to read.")
