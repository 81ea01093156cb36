"""OME-Zarr (NGFF 0.4 and 0.5) folders, with the extra ``zarr``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import MissingReaderError, UnknownAxesError, UnreadableImageError
from napari_mito_predict.image.arrays import read_stack
from napari_mito_predict.image.metadata import length_um, time_s
from napari_mito_predict.image.source import AXES, SceneInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    UnreadableImageError
        No OME-Zarr, or, in one of our own files, chunks are missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        attributes = _attributes(path, "")
        self._images = _images(path, attributes)
        if not self._images:
            raise UnreadableImageError(
                f"{path}: this folder is no OME-Zarr image (no multiscales metadata). Open the image itself, "
                "not the folder or plate around it."
            )
        self.scenes = tuple(str(image.get("name") or f"Image:{i}") for i, (_, image, _) in enumerate(self._images))
        self._complete = "napari_mito_predict" in attributes

    def info(self, scene: int) -> SceneInfo:
        _, image, omero = self._images[scene]
        array = self._array(scene)
        axes = _axes(self.path, image, array.ndim)
        by_axis = dict(zip(axes, array.shape, strict=True))
        sizes = {axis: int(by_axis.get(axis, 1)) for axis in AXES}
        labels = [str(channel.get("label") or "").strip() or None for channel in omero.get("channels", [])]
        names = tuple(labels) if len(labels) == sizes["C"] else (None,) * sizes["C"]
        scales = _scales(image, axes)
        z, y, x = (length_um(*scales[axis]) for axis in "ZYX")
        return SceneInfo(
            sizes=sizes,
            dtype=np.dtype(array.dtype),
            channel_names=names,
            voxel_size_um=(z, y, x),
            time_step_s=time_s(*scales["T"]),
            warnings=self._missing_chunks(array),
        )

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        array = self._array(scene)
        axes = _axes(self.path, self._images[scene][1], array.ndim)
        try:
            return read_stack(array, axes, t, c, z)
        except (RuntimeError, ValueError, KeyError) as error:
            said = " ".join(str(error).split())[:120]
            raise UnreadableImageError(
                f"{self.path}: a chunk of channel {c}, time point {t} is damaged ({said})."
            ) from error

    def _array(self, scene: int) -> Any:
        group, image, _ = self._images[scene]
        return _open(self.path, "/".join(filter(None, (group, str(image["datasets"][0]["path"])))))

    def _missing_chunks(self, array: Any) -> tuple[str, ...]:
        """Count chunks that are not there: writers may leave out blank ones, ours never does."""
        missing = int(array.nchunks) - int(array.nchunks_initialized)
        if not missing:
            return ()
        found = f"{missing} of {array.nchunks} chunks are missing"
        if self._complete:
            raise UnreadableImageError(f"{self.path}: {found}, so this file is incomplete. Copy it again.")
        return (f"{found} and read as zeros; that is right only if they were blank when written.",)


def _images(path: Path, attributes: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Find (group, multiscale, omero) of every image; bioformats2raw puts each into a numbered subgroup."""
    metadata = attributes.get("ome", attributes)
    groups = [""]
    if "bioformats2raw.layout" in metadata and "multiscales" not in metadata:
        groups = sorted((child.name for child in path.iterdir() if child.name.isdecimal()), key=int)
    found = []
    for group in groups:
        own = _attributes(path, group) if group else attributes
        own = own.get("ome", own)
        found += [(group, image, own.get("omero", {})) for image in own.get("multiscales", [])]
    return found


def _axes(path: Path, image: dict[str, Any], ndim: int) -> str:
    """Give one letter per axis; NGFF before 0.4 always has five, in this order."""
    named = [axis["name"] if isinstance(axis, dict) else str(axis) for axis in image.get("axes", list("tczyx"))]
    axes = "".join(named).upper()
    if len(axes) != ndim or len(named) != ndim or not {"Y", "X"} <= set(axes) <= set(AXES):
        raise UnknownAxesError(f"{path}: its axes are {named}; only t, c, z, y and x can be read.")
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


def _attributes(path: Path, group: str) -> dict[str, Any]:
    return dict(_open(path, group).attrs)


def _open(path: Path, inside: str) -> Any:
    try:
        return import_zarr(path).open(str(path / inside), mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableImageError(
            f"{path}: this folder is no OME-Zarr, or it is damaged ({' '.join(str(error).split())[:120]})."
        ) from error


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
