"""Which arrays of layers were read from which file, and whether they still hold what was read.

The metadata of a layer say nothing about its pixels: napari copies them to duplicates, crops, projections and parts. So
arrays are recognised, not layers.
"""

from __future__ import annotations

import weakref
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.image import ImageSource
from napari_mito_predict.image.arrays import read_stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.image.backend import SceneInfo


@dataclass(frozen=True)
class Origin:
    """Where an array was read from.

    Attributes
    ----------
    source : ImageSource
        The scene of the file.
    channel : int
        Which channel, from 0.
    """

    source: ImageSource
    channel: int


class _ReadArrays:
    """Arrays that were read from files, each for as long as somebody holds it."""

    def __init__(self) -> None:
        # By the number of the object, because arrays cannot be keys; the reference says whether it is still that one.
        self._in_memory: dict[int, tuple[weakref.ref[NDArray[Any]], Origin, str]] = {}
        # By name: a copy of a lazy array has the name of the first, and reads the same chunks.
        self._lazy: weakref.WeakValueDictionary[str, Origin] = weakref.WeakValueDictionary()

    def remember(self, array: Any, origin: Origin) -> None:
        if isinstance(array, np.ndarray):
            number = id(array)
            reference = weakref.ref(array, lambda _: self._in_memory.pop(number, None))
            self._in_memory[number] = (reference, origin, fingerprint(array))
        else:
            self._lazy[array.name] = origin

    def origin_of(self, array: Any) -> Origin | None:
        if not isinstance(array, np.ndarray):
            return self._lazy.get(getattr(array, "name", ""))
        known = self._in_memory.get(id(array))
        if known is None or known[0]() is not array:
            return None
        return known[1]

    def is_unchanged(self, array: Any) -> bool:
        known = self._in_memory.get(id(array))
        return known is None or known[2] == fingerprint(array)


_read_arrays = _ReadArrays()


def remember_origin(array: Any, origin: Origin) -> None:
    """Keep the origin of an array that was just read: one in memory, or a dask array that holds `origin` itself."""
    _read_arrays.remember(array, origin)


def origin_of(array: Any) -> Origin | None:
    """Give the channel of a file that an array was read from; None for all other arrays.

    Somebody may have written into it since, see `as_shown`.
    """
    return _read_arrays.origin_of(array)


def fingerprint(array: Any) -> str:
    """Give a text that becomes another one when shape, type or values of an array change.

    Of an array in memory it is made of all values, which takes about a second for a gigabyte. A lazy array is told by
    its name: dask gives another one to whatever is made of it.
    """
    kind = f"{array.dtype} {tuple(array.shape)}"
    if not isinstance(array, np.ndarray):
        return f"{kind} {getattr(array, 'name', id(array))}"
    checksum = 0
    for part in np.atleast_1d(array):  # part by part, because what is not contiguous has to be copied
        checksum = zlib.crc32(np.ascontiguousarray(part).tobytes(), checksum)
    return f"{kind} {checksum:08x}"


class LayerPixels:
    """Backend of the image that a layer shows: its own pixels, and for the other channels of its file the file's.

    Parameters
    ----------
    array : array-like
        Data of the layer, one channel.
    axes : str
        One letter of ``TZYX`` per axis of `array`.
    info : SceneInfo
        Of the image, sampled as the layer is.
    origin : Origin
        Of the array.
    edited : bool
        The array no longer holds what was read, so that nobody may say that the image is that of the file.
    """

    def __init__(self, array: Any, axes: str, info: SceneInfo, origin: Origin, *, edited: bool = False) -> None:
        self._array = array
        self._axes = axes
        self._info = info
        self._origin = origin
        self.path: Path | None = None
        if not edited:
            self.path = origin.source.path
        self.scenes = origin.source.scenes

    def info(self, scene: int) -> SceneInfo:
        """Describe the image as the layer shows it."""
        return self._info

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        """Read ``(Z, Y, X)``, or ``(1, Y, X)`` for one `z`, in the dtype of the file."""
        # A lazy layer reads plane by plane; its file knows faster ways.
        if c != self._origin.channel or not isinstance(self._array, np.ndarray):
            return self._origin.source.read(t, c, z)
        return read_stack(self._array, self._axes, t, c, z)

    def edited(self) -> LayerPixels | None:
        """Give these pixels without the claim to be the file's, if somebody wrote into the array since it was read."""
        if _read_arrays.is_unchanged(self._array):
            return None
        return LayerPixels(self._array, self._axes, replace(self._info, simulated=False), self._origin, edited=True)


def as_shown(image: ImageSource) -> ImageSource:
    """Give the image of a layer as its pixels are now: without its file, if somebody wrote into them since.

    Reads all pixels that are in memory: a second for a gigabyte.
    """
    if not isinstance(image.backend, LayerPixels):
        return image
    edited = image.backend.edited()
    if edited is None:
        return image
    return ImageSource(edited, image.scene, name=image.name, channels=image.channels)
