"""Images to OME-Zarr, whole or block by block: complete under their final name, or not there at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from napari_mito_predict._files import atomic_folder
from napari_mito_predict.image.output import UNKNOWN, check_layout, check_output, plane_indices, size_bytes, writing
from napari_mito_predict.image.predicted import describe_prediction
from napari_mito_predict.image.zarr_chunks import ChunkWriter
from napari_mito_predict.image.zarr_metadata import ome_attributes
from napari_mito_predict.image.zarr_reader import import_zarr

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from napari_mito_predict.image.output import ImageSettings

_LARGEST_SIDE = 512  # small enough that chunks are complete, and written, while the network still works


@contextlib.contextmanager
def create_ome_zarr(
    path: str | Path,
    shape: Sequence[int],
    dtype: DTypeLike,
    *,
    axes: str,
    channel_names: Sequence[str] | None = None,
    channel_colours: Sequence[str] | None = None,
    voxel_size_um: Sequence[float | None] = UNKNOWN,
    time_step_s: float | None = None,
    description: str = "",
    predicted_by: Sequence[str] = (),
    overwrite: bool = False,
) -> Iterator[ChunkWriter]:
    """Write an OME-Zarr (NGFF 0.5, one resolution, chunks of one plane) block by block.

    Parameters
    ----------
    path : str or Path
        Ends with ``.ome.zarr`` by custom; its folder must exist.
    shape : sequence of int
        One size per axis.
    dtype : dtype
        Any real one.
    axes, channel_names, channel_colours, voxel_size_um, time_step_s, description, predicted_by, overwrite
        See `write_ome_tiff`.

    Yields
    ------
    ChunkWriter
        Takes the blocks, which together have to cover the image. It appears as `path` when the block of the ``with``
        statement ends; nothing is left of it when that raises.

    Raises
    ------
    MissingReaderError
        The extra ``zarr`` is not installed.
    OutputExistsError, UnwritableOutputError, OutputError
        As `write_ome_tiff`, before the block begins.
    """
    zarr = import_zarr(path)
    axes, names = check_layout(shape, dtype, axes, channel_names)
    path = check_output(path, overwrite=overwrite, needed_bytes=size_bytes(shape, dtype))
    attributes = ome_attributes(
        axes,
        channel_names=names,
        channel_colours=channel_colours or (),
        voxel_size_um=voxel_size_um,
        time_step_s=time_step_s,
        description=describe_prediction(description, predicted_by),
    )
    with contextlib.ExitStack() as folder:
        temporary = folder.enter_context(atomic_folder(path))
        with writing(path):
            array = _create_array(zarr, temporary, axes, shape, dtype, attributes)
        with contextlib.closing(ChunkWriter(array, path)) as writer:
            yield writer
            writer.flush()
        # Only here, not around the whole: an `OSError` of the caller's block is not about `path`.
        with writing(path):
            folder.close()


def write_ome_zarr(path: str | Path, data: Any, *, overwrite: bool = False, **settings: Unpack[ImageSettings]) -> Path:
    """Write an OME-Zarr of an array, plane by plane; parameters as `write_ome_tiff`, result as `create_ome_zarr`.

    Raises
    ------
    MissingReaderError, OutputExistsError, UnwritableOutputError, OutputError
        As `create_ome_zarr`.
    """
    path = Path(path)
    created = create_ome_zarr(path, data.shape, data.dtype, overwrite=overwrite, **settings)
    with created as writer, writing(path):
        for index in plane_indices(data.shape):
            plane = np.asarray(data[index])
            region = (*(slice(i, i + 1) for i in index), *map(slice, plane.shape))
            writer.write(region, plane.reshape((1,) * len(index) + plane.shape))
    return path


def _create_array(
    zarr: Any, folder: Path, axes: str, shape: Sequence[int], dtype: DTypeLike, attributes: dict[str, Any]
) -> Any:
    """Make the group with its one array, empty; a chunk is one plane, or a part of it where that is large."""
    sizes = dict(zip(axes, shape, strict=True))
    in_plane = {axis: min(sizes[axis], _LARGEST_SIDE) for axis in "YX"}
    with zarr.config.set({"array.write_empty_chunks": True}):
        group = zarr.open_group(folder, mode="w", zarr_format=3)
        array = group.create_array(
            "0",
            shape=tuple(shape),
            dtype=dtype,
            chunks=tuple(in_plane.get(axis, 1) for axis in axes),
            dimension_names=list(axes.lower()),
        )
        group.attrs.update(attributes)
    return array
