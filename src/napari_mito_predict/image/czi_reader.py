"""CZI files: one backend, and a library behind it that knows the container and decompresses the pixels."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from napari_mito_predict.errors import MissingReaderError, UnreadableImageError
from napari_mito_predict.image.backend import RGB, SceneInfo
from napari_mito_predict.image.czi_metadata import acquisition_time, mean_step_s, read_facts
from napari_mito_predict.image.czi_scenes import CziScene, Plane, Tile, damaged_czi, find_scenes
from napari_mito_predict.image.missing import describe_missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

LibraryName = Literal["auto", "czifile", "bioio", "aicsimageio"]

_HAS_CZIFILE = sys.version_info >= (3, 12)
"""Whether there is a czifile for this Python that reads scenes and today's compressions."""
_REQUIREMENTS = {
    "czifile": '"czifile>=2026.10.14"',
    "bioio": '"bioio-czi>=3.0.1" "aicspylibczi>=4.0"',
    "aicsimageio": '"napari-mito-predict[aicsimageio]"',
}


class CziLibrary(Protocol):
    """What a library has to say of one file; implementations are thread-safe and picklable, and keep nothing open.

    Whatever is wrong with the file is an `UnreadableImageError`.
    """

    @property
    def compressions(self) -> Collection[int]:
        """Numbers of those that it decompresses."""

    def tiles(self) -> list[Tile]:
        """Read the sub-block directory."""

    def xml(self) -> str:
        """Read the metadata."""

    def time_stamps_s(self) -> Sequence[float]:
        """Read when the time points were taken from the attachment that says so; empty where there is none."""

    def tile_xml(self, tiles: Sequence[Tile]) -> list[str]:
        """Read the metadata of single tiles; an empty one where there is none."""

    def read(self, scene: CziScene, planes: Sequence[Plane]) -> NDArray[Any]:
        """Read planes of one channel, ``(Z, Y, X)``; gaps in a mosaic are 0."""


class CziBackend:
    """A CZI file.

    Every read opens the file anew, so reads are thread-safe, nothing stays open and the object can be pickled.

    Parameters
    ----------
    path : Path
        The file.
    library : {"auto", "czifile", "bioio", "aicsimageio"}
        Which one reads it.

    Raises
    ------
    MissingReaderError
        The library is not installed.
    UnreadableImageError
        The file is damaged, or holds no pixels.
    """

    def __init__(self, path: Path, library: LibraryName = "auto") -> None:
        self.path = path
        self._library = open_library(path, library)
        self._scenes = find_scenes(self._library.tiles(), self._library.compressions, path)
        try:
            self._facts = read_facts(self._library.xml(), path)
        except (ValueError, SyntaxError) as error:  # a ParseError is a SyntaxError
            raise damaged_czi(path, f"its metadata: {error}") from error
        self.scenes = tuple(scene.name(self._facts.scene_names, path.stem) for scene in self._scenes)

    def info(self, scene: int) -> SceneInfo:
        found = self._scenes[scene]
        facts = self._facts
        names, hints = facts.channels(found.first_channel, found.sizes["C"])
        reasons = list(found.unsupported.values())
        is_unsupported = len(reasons) == found.sizes["C"]
        return SceneInfo(
            sizes=found.sizes,
            dtype=found.dtype,
            channel_names=names,
            hints=hints,
            voxel_size_um=facts.voxel_size_um,
            time_step_s=self._time_step_s(found) or facts.simulated_step_s,
            is_rgb=is_unsupported and set(reasons) == {RGB},
            simulated=facts.simulated,
            unsupported=reasons[0] if is_unsupported else "",
            unsupported_channels=found.unsupported,
            missing=frozenset(found.missing),
            warnings=(*found.warnings(), *_warnings(found, names, facts.declared)),
        )

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        found = self._scenes[scene]
        steps = range(found.sizes["Z"]) if z is None else [z]
        return self._library.read(found, [(t, c, step) for step in steps])

    def _time_step_s(self, scene: CziScene) -> float | None:
        """Find the mean seconds between time points: where they were taken is believed before what was asked for."""
        count = scene.sizes["T"]
        if count == 1:
            return None
        return (
            self._time_step_from_tiles(scene)
            or mean_step_s(self._facts.time_offsets_s, count)
            or self._facts.time_increment_s
            or mean_step_s(self._library.time_stamps_s(), count)
        )

    def _time_step_from_tiles(self, scene: CziScene) -> float | None:
        """Mean interval from the first acquisition of the first time point to that of the last one."""
        count = scene.sizes["T"]
        first = self._first_acquisition(scene, 0)
        last = self._first_acquisition(scene, count - 1)
        if first is None or last is None or last <= first:
            return None
        return (last - first).total_seconds() / (count - 1)

    def _first_acquisition(self, scene: CziScene, t: int) -> datetime | None:
        tiles = scene.tiles_of([plane for plane in scene.tiles if plane[0] == t])
        try:
            texts = self._library.tile_xml(tiles)
        except UnreadableImageError:
            return None  # it is said when that plane is read: the others may be sound
        times = map(acquisition_time, texts)
        return min((time for time in times if time is not None), default=None)


def open_library(path: Path, library: LibraryName = "auto") -> CziLibrary:
    """Choose the library for this Python; the module behind it is imported only then.

    Raises
    ------
    MissingReaderError
        It is not installed, or not made for this Python.
    """
    if library == "auto":
        library = "czifile" if _HAS_CZIFILE else "bioio"
    if _HAS_CZIFILE and library != "czifile":
        raise MissingReaderError(
            f'on this Python ({_python()}) CZI files are read by czifile: ask for the reader "auto" or "czifile". '
            f'"{library}" reads them on Python 3.11.',
            file=path,
        )
    if library == "czifile" and not _HAS_CZIFILE:
        raise MissingReaderError(
            f"CZI files are read by czifile on Python 3.12 and newer, and this is {_python()}: ask for the reader "
            '"auto" or "bioio".',
            file=path,
        )
    try:
        if library == "czifile":
            found: CziLibrary = importlib.import_module("napari_mito_predict.image.czi_czifile").CzifileLibrary(path)
        else:
            found = importlib.import_module("napari_mito_predict.image.czi_libczi").LibCziLibrary(path, library)
    except ImportError as error:
        raise MissingReaderError(
            f"reading CZI files needs one more package: pip install {_REQUIREMENTS[library]} ({error}).", file=path
        ) from error
    return found


def _python() -> str:
    return ".".join(map(str, sys.version_info[:2]))


def _warnings(scene: CziScene, names: Sequence[str | None], declared: dict[str, int]) -> list[str]:
    found = []
    if scene.missing:
        found.append(describe_missing(scene.missing, names))
    if scene.partial:
        found.append(
            f"{len(scene.partial)} mosaic planes have fewer tiles than the others, so they hold black gaps: "
            f"{_listed(scene.partial)}."
        )
    words = {"T": "time points", "C": "channels", "Z": "Z steps"}
    for axis, word in words.items():
        if declared.get(axis, 0) > scene.sizes[axis]:
            found.append(f"The file announces {declared[axis]} {word}, but holds {scene.sizes[axis]}.")
    if len(names) > 1 and not any(names):
        found.append(
            f"None of the {len(names)} channels has a name. Check that channels and Z steps were not exchanged "
            f"when the file was made ({scene.sizes['C']} channels, {scene.sizes['Z']} Z steps)."
        )
    return found


def _listed(planes: Sequence[Plane], most: int = 6) -> str:
    """Name the first planes as "T1 C0 Z2", and count the rest."""
    text = ", ".join(f"T{t} C{c} Z{z}" for t, c, z in planes[:most])
    return text + (f" and {len(planes) - most} more" if len(planes) > most else "")
