"""Images to OME-TIFF: complete under their final name, or not there at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_mito_predict._files import atomic_path
from napari_mito_predict.image.output import RGB, UNKNOWN, check_layout, check_output, plane_indices, size_bytes
from napari_mito_predict.image.predicted import describe_prediction
from napari_mito_predict.image.record_within import record_tag

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

_LONGEST_INTEGER = 4
_FLOAT32 = 4
"""Bytes."""


def write_ome_tiff(
    path: str | Path,
    data: Any,
    *,
    axes: str,
    channel_names: Sequence[str] | None = None,
    channel_colours: Sequence[str] | None = None,
    voxel_size_um: Sequence[float | None] = UNKNOWN,
    time_step_s: float | None = None,
    description: str = "",
    predicted_by: Sequence[str] = (),
    record: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write an OME-TIFF that Fiji, napari and Bio-Formats open with names, scale and times.

    Parameters
    ----------
    path : str or Path
        Ends with ``.ome.tif`` by custom; its folder must exist.
    data : numpy.ndarray or dask.array.Array
        Any real dtype; dask arrays are computed one plane after the other. Types that OME-TIFF does not know become
        those that do: bool 8 bits, float16 float32, and whole numbers of 64 bits float64, which is exact up to 2^53.
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
    predicted_by : sequence of str
        Of predictions, the name of the model of each channel: the file says so from now on, see `PredictionMark`.
    record : mapping, optional
        Of predictions, how they were made, JSON-ready; it goes into the file, and so is there whenever the pixels are.
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
    axes, names = check_layout(data.shape, data.dtype, axes, channel_names)
    path = check_output(path, overwrite=overwrite, needed_bytes=size_bytes(data.shape, data.dtype))
    metadata: dict[str, Any] = {"axes": axes}
    if names:
        metadata["Channel"] = {"Name": names}
    colours = [RGB.get(colour) for colour in channel_colours or ()]
    if names and colours and all(colours):
        metadata["Channel"]["Color"] = [_ome_colour(rgb) for rgb in colours if rgb]
    for axis, size in zip("ZYX", voxel_size_um, strict=True):
        if size is not None:
            metadata |= {f"PhysicalSize{axis}": float(size), f"PhysicalSize{axis}Unit": "µm"}
    if time_step_s is not None:
        metadata |= {"TimeIncrement": float(time_step_s), "TimeIncrementUnit": "s"}
    described = describe_prediction(description, predicted_by)
    if described:
        metadata["Description"] = described
    dtype = _storable(data.dtype)
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            _planes(data, dtype),
            shape=tuple(data.shape),
            dtype=dtype,
            ome=True,
            photometric="minisblack",
            metadata=metadata,
            extratags=[] if record is None else [record_tag(record)],
            bigtiff=size_bytes(data.shape, data.dtype) > 2**31,
        )
    return path


def _storable(dtype: DTypeLike) -> np.dtype[Any]:
    """The type of number that an OME-TIFF can hold for `dtype`."""
    given = np.dtype(dtype)
    if given.kind == "b":
        return np.dtype(np.uint8)
    if given.kind in "iu" and given.itemsize > _LONGEST_INTEGER:
        return np.dtype(np.float64)
    if given.kind == "f":
        return np.dtype(np.float32 if given.itemsize <= _FLOAT32 else np.float64)
    return given.newbyteorder("=")


def _ome_colour(rgb: tuple[int, int, int]) -> int:
    """OME's colour: red, green, blue and opacity as one signed 32-bit number."""
    return int.from_bytes(bytes((*rgb, 255)), "big", signed=True)


def _planes(data: Any, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    for index in plane_indices(data.shape):
        yield np.ascontiguousarray(data[index], dtype=dtype)
