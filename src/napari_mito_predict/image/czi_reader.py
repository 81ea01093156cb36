"""CZI through BioIO or AICSImageIO: one adapter, since BioIO is the successor with the same interface."""

from __future__ import annotations

import importlib
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from xml.etree import ElementTree

import numpy as np

from napari_mito_predict.errors import MissingReaderError
from napari_mito_predict.image import czi_metadata
from napari_mito_predict.image.czi_metadata import CziScene, open_czi
from napari_mito_predict.image.czi_structure import check_tiles, damaged_czi
from napari_mito_predict.image.source import RGB, SceneInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

Library = Literal["bioio", "aicsimageio"]


class _ReaderClass(NamedTuple):
    """Where a reader is, and what has to be installed for it."""

    module: str
    name: str
    requirement: str


_READERS = {
    "bioio": _ReaderClass("bioio_czi", "Reader", "bioio-czi"),
    "aicsimageio": _ReaderClass("aicsimageio.readers.czi_reader", "CziReader", "napari-mito-predict[aicsimageio]"),
}
# What both libraries and the XML parser raise on damaged files.
_LIBRARY_ERRORS = (RuntimeError, ValueError, LookupError, ElementTree.ParseError)
AIRYSCAN = (
    "this is raw, unprocessed Airyscan data (one image per detector element). "
    "Run Airyscan Processing in ZEN and open the processed file."
)


class CziBackend:
    """A CZI file.

    Every read opens the file anew, so reads are thread-safe, nothing stays open and the object can be pickled.

    Parameters
    ----------
    path : Path
        The file.
    library : {"bioio", "aicsimageio"}
        Which of the two reads the pixels.

    Raises
    ------
    MissingReaderError
        The library is not installed.
    UnreadableImageError
        The file is damaged, or holds no pixels.
    """

    def __init__(self, path: Path, library: Library = "bioio") -> None:
        self.path = path
        self._library = library
        self._readers: dict[int, Any] = {}
        self._layouts: dict[int, CziScene] = {}
        with open_czi(path):  # a damaged file fails here, with our message
            reader = _reader_class(library)(str(path))
        try:
            self.scenes = tuple(str(name) for name in reader.scenes)
        except _LIBRARY_ERRORS as error:
            raise damaged_czi(path, error) from error

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_readers": {}}

    def info(self, scene: int) -> SceneInfo:
        try:
            return self._describe(scene)
        except _LIBRARY_ERRORS as error:
            raise damaged_czi(self.path, error) from error

    def _describe(self, scene: int) -> SceneInfo:
        with open_czi(self.path) as czi:
            xml = czi.meta
            layout = self._layouts.setdefault(scene, czi_metadata.scene_layout(czi, scene, self.path))
            sizes = layout.tczyx()
            names, hints = czi_metadata.channel_facts(xml, sizes["C"])
            is_rgb = "A" in layout.sizes
            return SceneInfo(
                sizes=sizes,
                dtype=czi_metadata.pixel_dtype(czi, xml),
                channel_names=names,
                hints=hints,
                voxel_size_um=czi_metadata.voxel_size_um(xml),
                time_step_s=czi_metadata.time_step_s(czi, xml, layout, self.path),
                is_rgb=is_rgb,
                simulated=czi_metadata.custom_attribute(xml, "simulated_by") == "napari-mito-predict",
                unsupported=_unsupported(layout, is_rgb=is_rgb),
                missing=frozenset(layout.missing),
                warnings=_czi_warnings(layout, names, czi_metadata.declared_sizes(xml), len(self.scenes)),
            )

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        layout = self._layouts[scene]
        planes = list(range(layout.sizes.get("Z", 1))) if z is None else [z]
        check_tiles(self.path, chain.from_iterable(layout.tiles[t, c, plane] for plane in planes))
        read = self._read_single_tiles if layout.box is None else self._read_stitched
        try:
            with czi_metadata.LIBCZI:
                data = read(scene, t, c, planes)
        except _LIBRARY_ERRORS as error:
            raise damaged_czi(self.path, error) from error
        if len(data) != len(planes):
            raise damaged_czi(self.path, f"{len(data)} planes came back instead of {len(planes)}")
        return data

    def _read_single_tiles(self, scene: int, t: int, c: int, planes: list[int]) -> NDArray[Any]:
        """Read planes that are one tile each, ``(Z, Y, X)``."""
        reader = self._readers.get(scene)
        if reader is None:
            # AICSImageIO reads whole chunks: planes of their own, so that one never acquired leaves the others.
            options = {"chunk_dims": ["Y", "X"]} if self._library == "aicsimageio" else {}
            reader = _reader_class(self._library)(str(self.path), **options)
            reader.set_scene(scene)
            self._readers[scene] = reader
        if self._library == "bioio":
            return np.asarray(reader.get_image_data("ZYX", T=t, C=c, Z=planes))
        return np.asarray(reader.get_image_dask_data("ZYX", T=t, C=c, Z=planes).compute(scheduler="synchronous"))

    def _read_stitched(self, scene: int, t: int, c: int, planes: list[int]) -> NDArray[Any]:
        """Read planes of a mosaic as ZEN stitched them, ``(Z, Y, X)``; gaps between tiles are 0.

        Straight from aicspylibczi: both libraries would first build a graph with a node for every tile of the file.
        """
        layout = self._layouts[scene]
        index = {axis: first for axis, first in layout.begin.items() if axis not in "SMXYA"}
        stack = []
        with open_czi(self.path) as czi:
            for z in planes:
                wanted = {"T": t, "C": c, "Z": z}
                plane = {axis: first + wanted.get(axis, 0) for axis, first in index.items()}
                image = czi.read_mosaic(region=layout.box, scale_factor=1.0, **plane)
                stack.append(image.reshape(image.shape[-2:]))
        return np.stack(stack)


def _unsupported(layout: CziScene, *, is_rgb: bool) -> str:
    """Why nothing can be predicted from a scene; empty for sound ones."""
    if is_rgb:
        return RGB
    return AIRYSCAN if layout.sizes.get("H", 1) > 1 else ""


def _reader_class(library: Library) -> Any:
    reader = _READERS[library]
    try:
        return getattr(importlib.import_module(reader.module), reader.name)
    except ImportError as error:
        raise MissingReaderError(
            f'Reading CZI files needs one more package: pip install "{reader.requirement}".'
        ) from error


def _czi_warnings(
    layout: CziScene, names: tuple[str | None, ...], declared: dict[str, int], scenes: int
) -> tuple[str, ...]:
    sizes = layout.tczyx()
    found = []
    if layout.missing:
        found.append(
            f"{len(layout.missing)} planes were never acquired, so the recording was probably stopped early: "
            f"{_listed(layout.missing)}. Reading them is an error."
        )
    if layout.partial:
        found.append(
            f"{len(layout.partial)} mosaic planes have fewer tiles than the others, so they hold black gaps: "
            f"{_listed(layout.partial)}."
        )
    words = {"T": "time points", "C": "channels", "Z": "Z steps"}
    for axis, word in words.items():
        if declared.get(axis, 0) > sizes[axis]:
            found.append(f"The file announces {declared[axis]} {word}, but holds {sizes[axis]}.")
    if layout.sizes.get("S", 1) > scenes:
        found.append(
            f"The file holds {layout.sizes['S']} scenes but describes only {scenes}: the others cannot be read. "
            "Open it in ZEN and save it again."
        )
    if len(names) > 1 and not any(names):
        found.append(
            f"None of the {len(names)} channels has a name. Check that channels and Z steps were not exchanged "
            f"when the file was made ({sizes['C']} channels, {sizes['Z']} Z steps)."
        )
    return tuple(found)


def _listed(planes: tuple[tuple[int, int, int], ...], most: int = 6) -> str:
    """Name the first planes as "T1 C0 Z2", and count the rest."""
    text = ", ".join(f"T{t} C{c} Z{z}" for t, c, z in planes[:most])
    return text + (f" and {len(planes) - most} more" if len(planes) > most else "")
