"""Images to OME-Zarr, whole or block by block: complete under their final name, or not there at all."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from napari_mito_predict._files import atomic_folder
from napari_mito_predict.image.output import UNKNOWN, check_layout, check_output, plane_indices, writing
from napari_mito_predict.image.predicted import describe_prediction
from napari_mito_predict.image.record_within import RECORD_KEY
from napari_mito_predict.image.zarr_chunks import WAITING_BYTES, ChunkWriter, Coarser
from napari_mito_predict.image.zarr_metadata import OURS, ome_attributes
from napari_mito_predict.image.zarr_pyramid import plan_levels, pyramid_bytes
from napari_mito_predict.image.zarr_reader import import_zarr

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from napari_mito_predict.image.output import ImageSettings
    from napari_mito_predict.image.zarr_metadata import NgffVersion, Window
    from napari_mito_predict.image.zarr_pyramid import Level

_BLANK_TOO = {"array.write_empty_chunks": True}


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
    record: Callable[[], Mapping[str, Any]] | None = None,
    version: NgffVersion = "0.5",
    overwrite: bool = False,
) -> Iterator[ChunkWriter]:
    """Write an OME-Zarr block by block: in chunks of one plane, real numbers in several resolutions, see `plan_levels`.

    Parameters
    ----------
    path : str or Path
        Ends with ``.ome.zarr`` by custom; its folder must exist.
    shape : sequence of int
        One size per axis.
    dtype : dtype
        Any real one.
    record : callable, optional
        Of predictions, gives how they were made, JSON-ready; asked when all blocks are written.
    version : {"0.5", "0.4"}
        Of NGFF. 0.5 is zarr 3, in shards, which are files of many chunks; 0.4 is zarr 2, one file for each chunk.
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
    settings: ImageSettings = {
        "axes": axes,
        "channel_names": channel_names,
        "channel_colours": channel_colours,
        "voxel_size_um": voxel_size_um,
        "time_step_s": time_step_s,
        "description": description,
        "predicted_by": predicted_by,
    }
    import_zarr(path)
    check_layout(shape, dtype, axes, channel_names)
    with contextlib.ExitStack() as folder:
        path = Path(path)
        draft = OmeZarrDraft(path, path, tuple(shape), np.dtype(dtype), settings, version)
        check_output(path, overwrite=overwrite, needed_bytes=pyramid_bytes(draft.levels, dtype))
        draft = replace(draft, folder=folder.enter_context(atomic_folder(path)))
        draft.create()
        with draft.writer() as writer:
            yield writer
        draft.describe()
        if record is not None:
            draft.keep(record())
        # Only here, not around the whole: an `OSError` of the caller's block is not about `path`.
        with writing(path):
            folder.close()


@dataclass(frozen=True)
class OmeZarrDraft:
    """An OME-Zarr that has not got its name yet; several processes may write into it, each its own time points.

    Attributes
    ----------
    path : Path
        What it will be, for messages.
    folder : Path
        Where it is until then.
    shape : tuple of int
        One size per axis.
    dtype : dtype
        Any real one.
    settings : ImageSettings
        See `create_ome_zarr`.
    version : {"0.5", "0.4"}
        Of NGFF.
    """

    path: Path
    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    settings: ImageSettings
    version: NgffVersion = "0.5"

    @property
    def levels(self) -> tuple[Level, ...]:
        """Its resolutions. No file, of any of them, holds more than one time point."""
        return plan_levels(self._axes, self.shape, self.dtype, self.settings.get("voxel_size_um", UNKNOWN))

    @property
    def is_there(self) -> bool:
        """Whether it was created, and nobody has removed it."""
        return (self.folder / ("zarr.json" if self.version == "0.5" else ".zgroup")).exists()

    def create(self) -> None:
        """Make the arrays, empty; what is in the folder is removed."""
        zarr = import_zarr(self.path)
        with writing(self.path):
            group = zarr.open_group(self.folder, mode="w", zarr_format=3 if self.version == "0.5" else 2)
            for number, level in enumerate(self.levels):
                _create_array(group, number, level, self.dtype, self._axes)

    @contextlib.contextmanager
    def writer(self) -> Iterator[ChunkWriter]:
        """Give what takes blocks, as long as the ``with`` statement lasts; all of them are written when it ends."""
        with contextlib.closing(_writer(self._arrays(), self.levels, self.path)) as writer:
            yield writer
            writer.flush()

    def clear(self, times: range) -> None:
        """Remove what is there of some time points of a series: a killed process may leave half a file."""
        within = "c" if self.version == "0.5" else ""  # of an array, where its files are, by time point
        for number, t in itertools.product(range(len(self.levels)), times):
            shutil.rmtree(self.folder / str(number) / within / str(t), ignore_errors=True)

    def describe(self) -> None:
        """Write the metadata, when all pixels are there."""
        _, names = check_layout(self.shape, self.dtype, self._axes, self.settings.get("channel_names"))
        arrays = self._arrays()
        attributes = ome_attributes(
            self._axes,
            self.levels,
            self.version,
            channel_names=names,
            channel_colours=self.settings.get("channel_colours") or (),
            voxel_size_um=self.settings.get("voxel_size_um", UNKNOWN),
            time_step_s=self.settings.get("time_step_s"),
            description=describe_prediction(
                self.settings.get("description", ""), self.settings.get("predicted_by", ())
            ),
            windows=[_window(plane) for plane in _middle_planes(self._axes, arrays[-1])],
        )
        with writing(self.path):
            self._group().attrs.update(attributes)

    def keep(self, record: Mapping[str, Any]) -> None:
        """Write into the metadata how a prediction was made, JSON-ready; see `record_within`."""
        with writing(self.path):
            attributes = self._group().attrs
            attributes[OURS] = attributes[OURS] | {RECORD_KEY: dict(record)}

    @property
    def _axes(self) -> str:
        return self.settings["axes"].upper()

    def _group(self) -> Any:
        return import_zarr(self.path).open_group(self.folder, mode="r+")

    def _arrays(self) -> list[Any]:
        """Of all resolutions; what is written of them is stored, blank chunks too."""
        with writing(self.path), import_zarr(self.path).config.set(_BLANK_TOO):
            group = self._group()
            return [group[str(number)] for number in range(len(self.levels))]


def write_ome_zarr(
    path: str | Path,
    data: Any,
    *,
    record: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    **settings: Unpack[ImageSettings],
) -> Path:
    """Write an OME-Zarr of an array, plane by plane; parameters as `write_ome_tiff`, result as `create_ome_zarr`.

    Raises
    ------
    MissingReaderError, OutputExistsError, UnwritableOutputError, OutputError
        As `create_ome_zarr`.
    """
    path = Path(path)
    given: Callable[[], Mapping[str, Any]] | None = None
    if record is not None:
        given = partial(dict, record)
    created = create_ome_zarr(path, data.shape, data.dtype, record=given, overwrite=overwrite, **settings)
    with created as writer, writing(path):
        for index in plane_indices(data.shape):
            plane = np.asarray(data[index])
            region = (*(slice(i, i + 1) for i in index), *map(slice, plane.shape))
            writer.write(region, plane.reshape((1,) * len(index) + plane.shape))
    return path


def _create_array(group: Any, number: int, level: Level, dtype: DTypeLike, axes: str) -> None:
    """Make the array of one resolution, empty."""
    form: dict[str, Any] = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    if group.metadata.zarr_format == 3:
        form = {"dimension_names": list(axes.lower())}
        if level.shards != level.chunks:
            form["shards"] = level.shards
    group.create_array(str(number), shape=level.shape, dtype=dtype, chunks=level.chunks, **form)


def _writer(arrays: Sequence[Any], levels: Sequence[Level], path: Path) -> ChunkWriter:
    """Give the writer of the full resolution, which fills the others."""
    finest, *others = arrays
    coarser = None
    if others:
        coarser = Coarser(_writer(others, levels[1:], path), levels[1].factors)
    waiting_bytes = WAITING_BYTES // levels[0].reduction[-1]
    return ChunkWriter(finest, path, waiting_bytes, sizes=levels[0].shards, coarser=coarser)


def _middle_planes(axes: str, array: Any) -> Iterator[NDArray[Any]]:
    """One plane of each channel."""
    channels = array.shape[axes.index("C")] if "C" in axes else 1
    for channel in range(channels):
        middle = zip(axes[:-2], array.shape, strict=False)
        yield array[tuple(channel if axis == "C" else size // 2 for axis, size in middle)]


def _window(plane: NDArray[Any]) -> Window:
    """What a plane is shown with, by the values of nearly all of its pixels."""
    values = plane.astype(np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        values = np.array([0.0, 1.0])
    names = ("min", "start", "end", "max")
    return dict(zip(names, map(float, np.percentile(values, (0, 0.1, 99.9, 100))), strict=True))
