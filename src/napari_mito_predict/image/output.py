"""What every written image has in common: the place is free, axes and names fit, colours are known."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict

import numpy as np

from napari_mito_predict._files import LONGEST_NAME
from napari_mito_predict.errors import OutputError, OutputExistsError, UnwritableOutputError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

UNKNOWN = (None, None, None)
"""z, y, x of an image whose voxel size nobody knows."""
RGB = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "gray": (255, 255, 255),
}
"""The plain colours that colormaps of napari and channels of OME share."""


class ImageSettings(TypedDict, total=False):
    """What writers of images take beside the image; see `write_ome_tiff`."""

    axes: Required[str]
    channel_names: Sequence[str] | None
    channel_colours: Sequence[str] | None
    voxel_size_um: Sequence[float | None]
    time_step_s: float | None
    description: str
    predicted_by: Sequence[str]


def check_output(path: str | Path, *, overwrite: bool = False, needed_bytes: int = 0) -> Path:
    """Find out whether a result can be written, before hours are spent on computing it.

    Parameters
    ----------
    path : str or Path
        The file or OME-Zarr folder to be written; its folder must exist.
    overwrite : bool
        Whether it may replace an existing one.
    needed_bytes : int
        Compared with the free space.

    Returns
    -------
    Path

    Raises
    ------
    OutputExistsError
        It exists and may not be replaced.
    UnwritableOutputError
        Its name is too long; the folder is missing, read-only or too full.
    """
    path = Path(path)
    check_name(path)
    if path.exists() and not overwrite:
        raise OutputExistsError("exists already. Choose another name, or allow that it is replaced.", file=path)
    folder = path.parent
    if not folder.is_dir():
        raise UnwritableOutputError(f"the folder {folder} does not exist. Create it first.", file=path)
    if not os.access(folder, os.W_OK):
        raise UnwritableOutputError(f"the folder {folder} may not be written to. Choose another one.", file=path)
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise UnwritableOutputError(
            f"{needed_bytes} bytes are needed and {free} are free. Choose another disk.", file=path
        )
    return path


def check_name(path: Path) -> None:
    """Find out whether a name is short enough, also with the mark of an unfinished file.

    Raises
    ------
    UnwritableOutputError
        It is not.
    """
    length = len(os.fsencode(path.name))
    if length > LONGEST_NAME:
        raise UnwritableOutputError(
            f"its name has {length} bytes, and {LONGEST_NAME} is what can be written. Choose a shorter name.", file=path
        )


def check_layout(
    shape: Sequence[int], dtype: DTypeLike, axes: str, channel_names: Sequence[str] | None
) -> tuple[str, list[str]]:
    """Axes in capitals and names of the channels, if they fit an array of `shape` and `dtype`.

    Raises
    ------
    OutputError
        They do not.
    """
    axes, shape = axes.upper(), tuple(shape)
    if len(axes) != len(shape) or "".join(axis for axis in "TCZYX" if axis in axes) != axes or axes[-2:] != "YX":
        raise OutputError(
            f'axes "{axes}" do not fit data of shape {shape}; they have to be a part of TCZYX in that order.'
        )
    if np.dtype(dtype).kind not in "biuf":
        raise OutputError(f"data of type {dtype} cannot be written; only whole and real numbers can.")
    names = list(channel_names or [])
    channels = shape[axes.index("C")] if "C" in axes else 1
    if names and len(names) != channels:
        raise OutputError(f"{len(names)} channel names were given for {channels} channels.")
    return axes, names


def size_bytes(shape: Sequence[int], dtype: DTypeLike) -> int:
    """Bytes of an array."""
    return int(math.prod(shape) * np.dtype(dtype).itemsize)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file that is written when the operating system refuses.

    Raises
    ------
    UnwritableOutputError
        Instead of any `OSError` of the block.
    """
    try:
        yield
    except OSError as error:
        raise UnwritableOutputError(f"could not be written ({error.strerror or error}).", file=path) from error


def plane_indices(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Indices of the planes (Y, X) of an array, in order: a lazy array is never computed as a whole."""
    yield from np.ndindex(*shape[:-2])
