"""Which images a batch is of: files, folders, patterns and plates. None of them is opened for its pixels."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from napari_mito_predict._reading import parsing
from napari_mito_predict.errors import ImageError, UnreadableImageError
from napari_mito_predict.image import ImageSource, is_plate, is_zarr, list_images, open_image
from napari_mito_predict.image.names import file_stem
from napari_mito_predict.image.readers import image_name, scene_names

ALL_SCENES: Final = "all"
"""Given as a scene: each of them is an image of its own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a batch.

    Attributes
    ----------
    path : Path
        The file.
    scene : int or str, optional
        Of the file; None for the first.
    asked_for : bool
        Whether somebody named this image; False for what was found in a folder or plate, where predictions are
        expected too.
    scene_name : str
        Where all scenes of the file are taken.
    """

    path: Path
    scene: int | str | None = None
    asked_for: bool = True
    scene_name: str = ""


def find_entries(
    given: Iterable[str | Path], *, scene: int | str | None = None, axes: str | None = None
) -> list[Entry]:
    """Find the images of a batch.

    Parameters
    ----------
    given : iterable of str or Path
        Files, folders of files, patterns such as ``scans/*.czi`` (``**`` for folders of folders), and OME-Zarr plates,
        of which all fields are taken.
    scene : int or str, optional
        Of each file: its index or name, or ``"all"``. The first by default.
    axes : str, optional
        See `napari_mito_predict.image.open_image`.

    Returns
    -------
    list of Entry
        In the order given, sorted within a folder or pattern; a file that is named twice once.

    Raises
    ------
    UnreadableImageError
        A folder has no image, or nothing fits a pattern.
    """
    found: dict[tuple[Path, int | str | None], Entry] = {}
    for one in map(Path, given):
        with parsing(one, UnreadableImageError, "cannot be looked at"):  # such as a folder that may not be read
            files = list(_files(one))
        for path, asked_for in files:
            for entry in entries_of(path, scene, axes, asked_for=asked_for):
                found.setdefault((path, entry.scene), entry)
    return list(found.values())


def _files(given: Path) -> Iterator[tuple[Path, bool]]:
    """The files that something stands for, and whether they were named."""
    if is_pattern(given):
        matches = [Path(match) for match in sorted(glob.glob(str(given), recursive=True))]
        if not matches:
            raise UnreadableImageError("no file fits this pattern.", file=given)
        for match in matches:
            if not match.is_dir() or is_zarr(match):
                yield match, False
    elif given.is_dir() and not is_zarr(given):
        listed = list_images(given)
        if not listed:
            raise UnreadableImageError("no CZI, TIFF, OME-Zarr or PNG image in this folder.", file=given)
        for path in listed:
            yield path, False
    else:
        yield given, True


def is_pattern(given: Path) -> bool:
    """Whether this stands for several files, as shells write it; a file that is really called so is itself."""
    return glob.has_magic(str(given)) and not given.exists()


def entries_of(path: Path, scene: int | str | None, axes: str | None, *, asked_for: bool) -> list[Entry]:
    """What is wanted of a file; of one that cannot be opened its first scene, which says why in its turn."""
    if scene != ALL_SCENES and not (scene is None and is_plate(path)):
        return [Entry(path, scene, asked_for)]
    try:
        names = scene_names(path, axes=axes)
    except ImageError:
        return [Entry(path, None, asked_for)]
    # Among the fields of a plate may be predictions, as among the files of a folder.
    return [Entry(path, number, False, name) for number, name in enumerate(names)]


class Names:
    """Which image came first to the name that its predictions get; disks are asked once about each file."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, int | str], Entry] = {}
        self._stems: dict[Path, str] = {}

    def claim(self, entry: Entry) -> Entry | None:
        """Keep its name for an image; give the one that came before and has it, if there is one."""
        first = self._first.setdefault(self._name_of(entry), entry)
        return None if (first.path, first.scene) == (entry.path, entry.scene) else first

    def release(self, entry: Entry) -> None:
        """Let others have the name of an image that is no longer there."""
        name = self._name_of(entry)
        if self._first.get(name) == entry:
            del self._first[name]

    def _name_of(self, entry: Entry) -> tuple[str, int | str]:
        """What tells its predictions from others, also where a file system tells no capitals from small letters."""
        if entry.path not in self._stems:
            self._stems[entry.path] = file_stem(image_name(entry.path)).casefold()
        return self._stems[entry.path], entry.scene or 0


class Opener:
    """Opens images one after the other; the scenes of a file share what was read of it.

    Parameters
    ----------
    axes : str, optional
        See `napari_mito_predict.image.open_image`.
    """

    def __init__(self, axes: str | None = None) -> None:
        self._axes = axes
        self._last: ImageSource | None = None

    def open(self, entry: Entry) -> ImageSource:
        """Open one image; raises what `napari_mito_predict.image.open_image` does."""
        if entry.scene is None:
            return open_image(entry.path, axes=self._axes)
        if self._last is None or self._last.path != entry.path:
            self._last = open_image(entry.path, scene=entry.scene, axes=self._axes)
            return self._last
        return self._last.with_scene(entry.scene)
