"""OME-Zarr (NGFF 0.4 and 0.5) folders, with the extra ``zarr``."""

from __future__ import annotations

import lzma
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_mito_predict.errors import MissingReaderError, UnknownAxesError, UnreadableImageError
from napari_mito_predict.image.arrays import read_stack, stack_region
from napari_mito_predict.image.metadata import length_um, time_s
from napari_mito_predict.image.source import AXES, SceneInfo
from napari_mito_predict.image.zarr_files import StoredChunks, attributes_of, refuse_code

if TYPE_CHECKING:
    from numpy.typing import NDArray


# What codecs raise on chunks that are damaged or cut short.
_DECODE_ERRORS = (RuntimeError, ValueError, LookupError, TypeError, EOFError, zlib.error, lzma.LZMAError)


class ZarrBackend:
    """An OME-Zarr folder; each multiscale image of it is a scene, read at full resolution.

    Parameters
    ----------
    path : Path
        The folder.

    Raises
    ------
    MissingReaderError
        zarr is not installed.
    UnsupportedImageError
        It holds no numbers, or decoding it might run code.
    UnreadableImageError
        No OME-Zarr, or, in one of our own files, chunks are missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        attributes = attributes_of(path)
        self._images = _images(path, attributes)
        for scene in range(len(self._images)):
            refuse_code(self._folder(scene))
        import_zarr(path)
        if not self._images:
            raise UnreadableImageError(
                "this folder is no OME-Zarr image (no multiscales metadata). Open the image itself, "
                "not the folder or plate around it.",
                file=path,
            )
        self.scenes = tuple(str(image.multiscale.get("name") or f"Image:{i}") for i, image in enumerate(self._images))
        # Our own files hold all chunks, see `zarr_metadata.ome_attributes`; other writers may leave out blank ones.
        self._complete = "napari_mito_predict" in attributes
        self._stored: dict[int, StoredChunks] = {}

    def info(self, scene: int) -> SceneInfo:
        image = self._images[scene].multiscale
        array = self._array(scene)
        axes = _axes(self.path, image, array.ndim)
        by_axis = dict(zip(axes, array.shape, strict=True))
        sizes = {axis: int(by_axis.get(axis, 1)) for axis in AXES}
        channels = self._images[scene].omero.get("channels", [])
        names: tuple[str | None, ...] = (None,) * sizes["C"]
        if len(channels) == sizes["C"]:
            names = tuple(str(channel.get("label") or "").strip() or None for channel in channels)
        scales = _scales(image, axes)
        return SceneInfo(
            sizes=sizes,
            dtype=np.dtype(array.dtype),
            channel_names=names,
            voxel_size_um=(length_um(*scales["Z"]), length_um(*scales["Y"]), length_um(*scales["X"])),
            time_step_s=time_s(*scales["T"]),
            warnings=self._missing_chunks(scene, array),
            text=self._images[scene].text,
        )

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        array = self._array(scene)
        axes = _axes(self.path, self._images[scene].multiscale, array.ndim)
        stored, region = self._stored_chunks(scene, array), stack_region(axes, t, c, z)
        # Before, because codecs trust their chunks; and after, because one that vanished meanwhile was read as zeros.
        self._refuse_lost(stored.lost(region, array.metadata.encode_chunk_key), t, c)
        try:
            stack = read_stack(array, axes, t, c, z)
        except _DECODE_ERRORS as error:
            said = " ".join(str(error).split())[:120]
            raise UnreadableImageError(
                f"a chunk of channel {c}, time point {t} is damaged ({said}).", file=self.path
            ) from error
        self._refuse_lost(stored.lost(region, array.metadata.encode_chunk_key), t, c)
        return stack

    def _refuse_lost(self, lost: list[str], t: int, c: int) -> None:
        if lost:
            raise UnreadableImageError(
                f"{len(lost)} chunks of channel {c}, time point {t} are gone or cut short, although they "
                f"were there when the image was opened; the first is {lost[0]}. Wait until whatever changes this "
                "folder is done, or copy it again; then open it again.",
                file=self.path,
            )

    def _folder(self, scene: int) -> Path:
        image = self._images[scene]
        try:
            dataset = str(image.multiscale["datasets"][0]["path"])
        except (KeyError, IndexError, TypeError) as error:
            raise UnreadableImageError(
                "its multiscales metadata do not say where the pixels are (no path of a dataset).", file=self.path
            ) from error
        return self.path / image.group / dataset

    def _array(self, scene: int) -> Any:
        folder = self._folder(scene)
        refuse_code(folder)
        try:
            return import_zarr(self.path).open_array(str(folder), mode="r")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnreadableImageError(
                f"this folder is no OME-Zarr array, or it is damaged ({' '.join(str(error).split())[:120]}).",
                file=folder,
            ) from error

    def _stored_chunks(self, scene: int, array: Any) -> StoredChunks:
        """The chunks that were there when the scene was opened."""
        if scene not in self._stored:
            self._stored[scene] = StoredChunks.of(self._folder(scene), array, complete=self._complete)
        return self._stored[scene]

    def _missing_chunks(self, scene: int, array: Any) -> tuple[str, ...]:
        """Say that chunks are not there: writers may leave out blank ones, ours never does."""
        stored = self._stored_chunks(scene, array)
        if not stored.missing:
            return ()
        found = f"{stored.missing} of {stored.expected} chunks are missing"
        if stored.complete:
            raise UnreadableImageError(f"{found}, so this file is incomplete. Copy it again.", file=self.path)
        return (f"{found} and read as zeros; that is right only if they were blank when written.",)


class _Image(NamedTuple):
    """An image of a store: its group, what multiscales and omero say of it, and the description that we wrote."""

    group: str
    multiscale: dict[str, Any]
    omero: dict[str, Any]
    text: str = ""


def _images(path: Path, attributes: dict[str, Any]) -> list[_Image]:
    """Find every image; bioformats2raw puts each into a numbered subgroup."""
    metadata = attributes.get("ome", attributes)
    groups = [""]
    if "bioformats2raw.layout" in metadata and "multiscales" not in metadata:
        groups = sorted((child.name for child in path.iterdir() if child.name.isdecimal()), key=int)
    found = []
    for group in groups:
        own = attributes_of(path / group) if group else attributes
        text = _described(own)
        own = own.get("ome", own)
        found += [_Image(group, multiscale, own.get("omero", {}), text) for multiscale in own.get("multiscales", [])]
    return found


def _described(attributes: dict[str, Any]) -> str:
    """The description that our writers put there."""
    ours = attributes.get("napari_mito_predict")
    return str(ours.get("description") or "") if isinstance(ours, dict) else ""


def _axes(path: Path, image: dict[str, Any], ndim: int) -> str:
    """Give one letter per axis; NGFF before 0.4 always has five, in this order."""
    named = [axis["name"] if isinstance(axis, dict) else str(axis) for axis in image.get("axes", list("tczyx"))]
    axes = "".join(named).upper()
    if len(axes) != ndim or len(named) != ndim or not {"Y", "X"} <= set(axes) <= set(AXES):
        raise UnknownAxesError(f"its axes are {named}; only t, c, z, y and x can be read.", file=path)
    return axes


def _scales(image: dict[str, Any], axes: str) -> dict[str, tuple[float | None, str | None]]:
    """Give (step, unit) per axis; without a unit the step means nothing."""
    units = [axis.get("unit") if isinstance(axis, dict) else None for axis in image.get("axes", axes)]
    steps = np.ones(len(axes))
    for transforms in (image, image["datasets"][0]):
        for transform in transforms.get("coordinateTransformations", []):
            if transform.get("type") == "scale":
                steps = steps * np.asarray(transform["scale"], float)
    known = {axis: (float(step), unit) for axis, step, unit in zip(axes, steps, units, strict=True)}
    return {axis: known.get(axis, (None, None)) for axis in AXES}


def import_zarr(path: str | Path) -> Any:
    """Import zarr 3, or say how to get it; AICSImageIO brings zarr 2, which is another library.

    Raises
    ------
    MissingReaderError
        zarr is absent, broken or too old.
    """
    try:
        import zarr
    except ImportError:
        found = "none is installed"
    else:
        if int(zarr.__version__.partition(".")[0]) >= 3:
            return zarr
        found = f"{zarr.__version__} is installed"
    raise MissingReaderError(
        f'{path}: OME-Zarr needs zarr 3 or newer, and {found}: pip install "napari-mito-predict[zarr]".'
    )
