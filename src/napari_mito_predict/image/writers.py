"""Images to OME-TIFF and OME-Zarr: complete under their final name, or not there at all."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_mito_predict._files import atomic_path
from napari_mito_predict.errors import OutputError, OutputExistsError, UnwritableOutputError
from napari_mito_predict.image.zarr_reader import import_zarr

if TYPE_CHECKING:
    from numpy.typing import NDArray

VoxelSize = Sequence[float | None]
_AXIS_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_UNKNOWN: VoxelSize = (None, None, None)
_RGB = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "gray": (255, 255, 255),
}
"""The plain colours that colormaps of napari and channels of OME share."""


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
        The folder is missing, read-only or too full.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path}: exists already. Choose another name, or allow overwriting (--overwrite).")
    folder = path.parent
    if not folder.is_dir():
        raise UnwritableOutputError(f"{path}: the folder {folder} does not exist. Create it first.")
    if not os.access(folder, os.W_OK):
        raise UnwritableOutputError(f"{path}: the folder {folder} may not be written to. Choose another one.")
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise UnwritableOutputError(
            f"{path}: {needed_bytes} bytes are needed and {free} are free. Choose another disk."
        )
    return path


def write_ome_tiff(
    path: str | Path,
    data: Any,
    *,
    axes: str,
    channel_names: Sequence[str] | None = None,
    channel_colours: Sequence[str] | None = None,
    voxel_size_um: VoxelSize = _UNKNOWN,
    time_step_s: float | None = None,
    description: str = "",
    overwrite: bool = False,
) -> Path:
    """Write an OME-TIFF that Fiji, napari and Bio-Formats open with names, scale and times.

    Parameters
    ----------
    path : str or Path
        Ends with ``.ome.tif`` by custom; its folder must exist.
    data : numpy.ndarray or dask.array.Array
        Any real dtype; dask arrays are computed one plane after the other.
    axes : str
        One letter of ``TCZYX`` per axis, in that order.
    channel_names : sequence of str, optional
        One per channel.
    channel_colours : sequence of str, optional
        One per channel, such as ``"magenta"``; unknown ones are left to the viewer.
    voxel_size_um : sequence of float or None
        z, y, x in micrometres; unknown ones are left out, never written as 1.
    time_step_s : float, optional
        Seconds between time points.
    description : str
        Goes into the description of the image.
    overwrite : bool
        Whether it may replace an existing file.

    Returns
    -------
    Path

    Raises
    ------
    OutputExistsError, UnwritableOutputError
        See `check_output`; checked before anything is computed.
    OutputError
        Axes or names do not fit the data.
    """
    axes, names = _checked(data, axes, channel_names)
    path = check_output(path, overwrite=overwrite, needed_bytes=_bytes(data))
    metadata: dict[str, Any] = {"axes": axes}
    if names:
        metadata["Channel"] = {"Name": names}
    colours = [_RGB.get(colour) for colour in channel_colours or ()]
    if names and colours and all(colours):
        metadata["Channel"]["Color"] = [_ome_colour(rgb) for rgb in colours if rgb]
    for axis, size in zip("ZYX", voxel_size_um, strict=True):
        if size is not None:
            metadata |= {f"PhysicalSize{axis}": float(size), f"PhysicalSize{axis}Unit": "µm"}
    if time_step_s is not None:
        metadata |= {"TimeIncrement": float(time_step_s), "TimeIncrementUnit": "s"}
    if description:
        metadata["Description"] = description
    dtype = np.dtype(np.uint8 if data.dtype == bool else data.dtype).newbyteorder("=")
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            _planes(data, dtype),
            shape=tuple(data.shape),
            dtype=dtype,
            ome=True,
            photometric="minisblack",
            metadata=metadata,
            bigtiff=_bytes(data) > 2**31,
        )
    return path


def write_ome_zarr(
    path: str | Path,
    data: Any,
    *,
    axes: str,
    channel_names: Sequence[str] | None = None,
    channel_colours: Sequence[str] | None = None,
    voxel_size_um: VoxelSize = _UNKNOWN,
    time_step_s: float | None = None,
    description: str = "",
    overwrite: bool = False,
) -> Path:
    """Write an OME-Zarr (NGFF 0.5, one resolution, chunks of one plane); parameters as `write_ome_tiff`.

    Blank chunks are written too, so that a chunk missing later means damage.

    Raises
    ------
    MissingReaderError
        The extra ``zarr`` is not installed.
    OutputExistsError, UnwritableOutputError, OutputError
        As `write_ome_tiff`.
    """
    zarr = import_zarr(path)
    axes, names = _checked(data, axes, channel_names)
    path = check_output(path, overwrite=overwrite, needed_bytes=_bytes(data))
    chunks = tuple(1 if axis in "TCZ" else min(size, 1024) for axis, size in zip(axes, data.shape, strict=True))
    with _atomic_folder(path) as temporary:
        group = zarr.open_group(temporary, mode="w", zarr_format=3)
        with zarr.config.set({"array.write_empty_chunks": True}):
            array = group.create_array(
                "0", shape=data.shape, dtype=data.dtype, chunks=chunks, dimension_names=list(axes.lower())
            )
            for index in np.ndindex(*data.shape[:-2]):
                array[index] = np.asarray(data[index])
        ome: dict[str, Any] = {"version": "0.5", "multiscales": [_multiscale(axes, voxel_size_um, time_step_s)]}
        if names:
            ome["omero"] = {"channels": _omero_channels(names, channel_colours or ())}
        group.attrs["ome"] = ome
        group.attrs["napari_mito_predict"] = {"empty_chunks_written": True, "description": description}
    return path


def _checked(data: Any, axes: str, channel_names: Sequence[str] | None) -> tuple[str, list[str]]:
    axes, shape = axes.upper(), tuple(data.shape)
    if len(axes) != len(shape) or "".join(axis for axis in "TCZYX" if axis in axes) != axes or axes[-2:] != "YX":
        raise OutputError(
            f'axes "{axes}" do not fit data of shape {shape}; they have to be a part of TCZYX in that order.'
        )
    if np.dtype(data.dtype).kind not in "biuf":
        raise OutputError(f"data of type {data.dtype} cannot be written; only whole and real numbers can.")
    names = list(channel_names or [])
    channels = shape[axes.index("C")] if "C" in axes else 1
    if names and len(names) != channels:
        raise OutputError(f"{len(names)} channel names were given for {channels} channels.")
    return axes, names


def _ome_colour(rgb: tuple[int, int, int]) -> int:
    """OME's colour: red, green, blue and opacity as one signed 32-bit number."""
    return int.from_bytes(bytes((*rgb, 255)), "big", signed=True)


def _omero_channels(names: Sequence[str], colours: Sequence[str]) -> list[dict[str, str]]:
    channels = [{"label": name} for name in names]
    for channel, colour in zip(channels, colours, strict=False):
        if colour in _RGB:
            channel["color"] = bytes(_RGB[colour]).hex().upper()
    return channels


def _planes(data: Any, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Give the planes of an array one after the other, so that a dask array is never computed as a whole."""
    for index in itertools.product(*(range(size) for size in data.shape[:-2])):
        yield np.ascontiguousarray(data[index], dtype=dtype)


def _bytes(data: Any) -> int:
    return int(math.prod(data.shape) * np.dtype(data.dtype).itemsize)


def _multiscale(axes: str, voxel_size_um: VoxelSize, time_step_s: float | None) -> dict[str, Any]:
    """Describe the axes as NGFF 0.5; a scale of 1 without a unit is its way to say unknown."""
    known = {"T": time_step_s} | dict(zip("ZYX", voxel_size_um, strict=True))
    described = [{"name": axis.lower(), "type": _AXIS_TYPES[axis]} for axis in axes]
    for entry, axis in zip(described, axes, strict=True):
        if known.get(axis) is not None:
            entry["unit"] = "second" if axis == "T" else "micrometer"
    scale = [float(known.get(axis) or 1.0) for axis in axes]
    return {
        "axes": described,
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
    }


@contextlib.contextmanager
def _atomic_folder(final: Path) -> Iterator[Path]:
    """Give a temporary folder beside `final` that takes its place when the block ends without an error."""
    temporary = final.with_name(f".{uuid.uuid4().hex[:8]}.partial.{final.name}")
    old = final.with_name(f".{uuid.uuid4().hex[:8]}.old.{final.name}")
    try:
        yield temporary
        if final.exists():
            final.rename(old)
        temporary.rename(final)
    except OSError as error:
        raise UnwritableOutputError(f"{final}: could not be written ({error.strerror or error}).") from error
    finally:
        for leftover in (temporary, old):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
