"""OME-Zarr (NGFF 0.1 to 0.5) folders: images, plates, wells, collections and bare arrays, with the extra ``zarr``."""

from __future__ import annotations

import copy
import lzma
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import (
    MissingReaderError,
    UnknownAxesError,
    UnreadableImageError,
    UnsupportedImageError,
)
from napari_mito_predict.image.arrays import read_stack, stack_region
from napari_mito_predict.image.backend import AXES, SceneInfo
from napari_mito_predict.image.metadata import length_um, time_s
from napari_mito_predict.image.zarr_collections import Place, find_images
from napari_mito_predict.image.zarr_files import (
    DeclaredArray,
    attributes_of,
    declared_array,
    folder_within,
    refuse_code,
)
from napari_mito_predict.image.zarr_ngff import (
    Described,
    clean_text,
    dataset_path,
    describe,
    describe_array,
    multiscales_of,
    ome_metadata,
)
from napari_mito_predict.image.zarr_stored import StoredChunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What zarr raises on metadata that it does not understand.
_OPEN_ERRORS = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, RuntimeError,
    ImportError, MemoryError,
)  # fmt: skip
# What codecs raise on chunks that are damaged or cut short.
_DECODE_ERRORS = (
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    ArithmeticError,
    zlib.error,
    lzma.LZMAError,
)
_GIVEN = set("TCZYXR")
_MOST = {"T": 1_000_000, "C": 10_000, "Z": 1_000_000}
_MOST_SCENES = 100_000
_MOST_LEVELS = 20
_ADVICE = 'Say what they are with `axes`, such as "CZYX" or "RZYX"; R: each entry is a scene of its own.'


class ZarrBackend:
    """An OME-Zarr folder; each image of it is a scene, opened when it is asked for and read at full resolution.

    The other resolutions are read by backends of their own, see `coarser`.

    Parameters
    ----------
    path : Path
        The folder: an image, a plate, a well, a collection, or an array.
    axes : str, optional
        One letter per axis, of TCZYX, and ``R`` for one of which each entry is a scene of its own; where the metadata
        do not say it, or wrongly.

    Raises
    ------
    MissingReaderError
        zarr is not installed.
    UnsupportedImageError
        It holds no numbers, decoding it might run code, or its metadata lead out of the folder.
    MetadataError
        What it says of itself is not understood; `UnknownAxesError` where that is helped by `axes`.
    UnreadableImageError
        No OME-Zarr, or, in one of our own files, chunks are missing.
    """

    def __init__(self, path: Path, axes: str | None = None) -> None:
        self.path = path
        self._given = axes
        self._level = 0
        attributes = attributes_of(path)
        # Our own files hold all chunks, see `zarr_metadata.ome_attributes`; other writers may leave out blank ones.
        self._complete = "napari_mito_predict" in attributes
        self._attributes = {"": attributes}
        self._stored: dict[Path, StoredChunks] = {}
        found = find_images(path, attributes)
        if not found.places:
            import_zarr(path)
            raise UnreadableImageError(
                "this folder is no OME-Zarr image (no metadata of multiscales, a plate, a well or a collection). "
                "Open the image itself, not the folder around it.",
                file=path,
            )
        self._notes = found.notes
        self._places = found.places
        # Of each scene, along the axis that the user calls R.
        self._positions: tuple[int, ...] = (0,) * len(found.places)
        if axes is not None and "R" in axes.upper():
            self._divide_along_r(axes.upper())
        self.scenes = tuple(place.name for place in self._places)

    def coarser(self, scene: int) -> list[ZarrBackend]:
        """Readers of the other resolutions of a scene, in the order of its metadata; nothing of them is opened."""
        number = self._places[scene].number
        if number is None:
            return []
        datasets = self._multiscales(scene)[number].get("datasets")
        count = min(len(datasets), _MOST_LEVELS) if isinstance(datasets, list) else 1
        levels = [copy.copy(self) for _ in range(1, count)]
        for level, backend in enumerate(levels, start=1):
            backend._level = level
        return levels

    def info(self, scene: int) -> SceneInfo:
        declared = self._declared(scene)
        described = self._described(scene, declared)
        letters = self._find_letters(scene, declared, described)
        by_axis = dict(zip(letters, declared.shape, strict=True))
        sizes = {axis: by_axis.get(axis, 1) for axis in AXES}
        self._refuse_sizes(sizes)
        array = self._array(scene, declared)
        scales = _scales(letters, described)
        names, notes = _channel_names(described, sizes["C"])
        return SceneInfo(
            sizes=sizes,
            dtype=np.dtype(array.dtype),
            channel_names=names,
            voxel_size_um=(length_um(*scales["Z"]), length_um(*scales["Y"]), length_um(*scales["X"])),
            time_step_s=time_s(*scales["T"]),
            warnings=(
                *self._missing_chunks(scene, array),
                *self._notes,
                *described.notes,
                *notes,
                *self._notes_on_axes(letters, described),
                *self._notes_on_group(scene),
            ),
            text=_description(self._attributes_of(scene)),
        )

    def read(self, scene: int, t: int, c: int, z: int | None) -> NDArray[Any]:
        declared = self._declared(scene)
        letters = self._find_letters(scene, declared, self._described(scene, declared))
        array = self._array(scene, declared)
        stored = self._stored_chunks(scene, array)
        r = self._positions[scene]
        touched = stored.touched(stack_region(letters, t, c, z, r), array.metadata.encode_chunk_key)
        wanted = stored.wanted(touched)
        # Before, because codecs trust their chunks; and after, because one that vanished meanwhile was read as zeros.
        self._refuse_lost(stored.lost(wanted), t, c)
        try:
            stack = read_stack(array, letters, t, c, z, r)
        except _DECODE_ERRORS as error:
            said = clean_text(error)
            raise UnreadableImageError(
                f"a chunk of channel {c}, time point {t} is damaged ({said:.120}).", file=self.path
            ) from error
        self._refuse_lost(stored.lost(wanted), t, c)
        return stack

    def _refuse_lost(self, lost: list[str], t: int, c: int) -> None:
        if lost:
            raise UnreadableImageError(
                f"{len(lost)} chunks of channel {c}, time point {t} are gone or cut short, although they "
                f"were there when the image was opened; the first is {lost[0]}. Wait until whatever changes this "
                "folder is done, or copy it again; then open it again.",
                file=self.path,
            )

    def _divide_along_r(self, axes: str) -> None:
        """Make a scene of each entry along the axis that the user calls R."""
        places: list[Place] = []
        positions: list[int] = []
        for scene, place in enumerate(self._places):
            declared = self._declared(scene)
            described = self._described(scene, declared)
            at = _given_letters(axes, declared.shape, self.path).index("R")
            name = described.axes[at].name if described.axes else "R"
            count = declared.shape[at]
            if len(places) + count > _MOST_SCENES:
                raise UnsupportedImageError(f"more than {_MOST_SCENES:,} scenes are not read.", file=self.path)
            places += [place._replace(name=f"{place.name}, {name} {position}") for position in range(count)]
            positions += range(count)
        self._places = tuple(places)
        self._positions = tuple(positions)

    def _attributes_of(self, scene: int) -> dict[str, Any]:
        """Attributes of the group of an image, as they were when they were first asked for."""
        group = self._places[scene].group
        if group not in self._attributes:
            self._attributes[group] = attributes_of(folder_within(self.path, group))
        return self._attributes[group]

    def _multiscales(self, scene: int) -> list[dict[str, Any]]:
        group = self.path / self._places[scene].group
        found = multiscales_of(ome_metadata(self._attributes_of(scene), group), group)
        if not self._level:
            return found
        return [each | {"datasets": each["datasets"][self._level :]} for each in found]

    def _folder(self, scene: int) -> Path:
        """Of the array that holds the full resolution."""
        group, number = self._places[scene].group, self._places[scene].number
        folder = folder_within(self.path, group) if group else self.path
        if number is None:
            return folder
        multiscales = self._multiscales(scene)
        if not multiscales:
            raise UnreadableImageError("there is no OME-Zarr image (no multiscales metadata).", file=folder)
        return folder_within(folder, dataset_path(multiscales[number], folder))

    def _declared(self, scene: int) -> DeclaredArray:
        """What the array of a scene declares now; refused if it holds no numbers, or could run code."""
        folder = self._folder(scene)
        refuse_code(folder)
        import_zarr(self.path)
        declared = declared_array(folder)
        if declared is None:
            raise UnreadableImageError("this folder is no OME-Zarr array, or is no longer there.", file=folder)
        return declared

    def _described(self, scene: int, declared: DeclaredArray) -> Described:
        number = self._places[scene].number
        if number is None:
            return describe_array(declared.dimension_names)
        metadata = ome_metadata(self._attributes_of(scene), self.path)
        return describe(metadata, self._multiscales(scene)[number], len(declared.shape))

    def _find_letters(self, scene: int, declared: DeclaredArray, described: Described) -> str:
        """One letter per axis: of TCZYX, R for that of the scenes, and _ for others, which have one entry."""
        shape = declared.shape
        if self._given is not None:
            return _given_letters(self._given, shape, self.path)
        if described.axes is None:
            raise UnknownAxesError(f"{described.why_no_axes} (shape {shape}). {_ADVICE}", file=self._where(scene))
        others = [axis.name for axis, size in zip(described.axes, shape, strict=True) if not axis.letter and size > 1]
        letters = "".join(axis.letter or "_" for axis in described.axes)
        named = letters.replace("_", "")
        if others or len(set(named)) != len(named) or not {"Y", "X"} <= set(named):
            names = [axis.name for axis in described.axes]
            raise UnknownAxesError(
                f"its axes are {names} (shape {shape}); only t, c, z, y and x are understood, each once, with y and x "
                f"among them. {_ADVICE}",
                file=self._where(scene),
            )
        return letters

    def _where(self, scene: int) -> Path:
        return self.path / self._places[scene].group

    def _refuse_sizes(self, sizes: dict[str, int]) -> None:
        """Refuse sizes that no image has, before lists of that length are made."""
        for axis, most in _MOST.items():
            if sizes[axis] > most:
                raise UnsupportedImageError(
                    f"it declares {sizes[axis]:,} entries along {axis}; more than {most:,} are not read.",
                    file=self.path,
                )

    def _array(self, scene: int, declared: DeclaredArray) -> Any:
        folder = self._folder(scene)
        try:
            return import_zarr(self.path).open_array(str(folder), mode="r", zarr_format=declared.zarr_format)
        except _OPEN_ERRORS as error:
            said = clean_text(error)
            if type(error).__name__ == "UnknownCodecError":
                raise UnsupportedImageError(
                    f"its pixels are stored in a compression that is not read here ({said:.120}).", file=folder
                ) from error
            raise UnreadableImageError(
                f"this folder is no OME-Zarr array, or it is damaged ({said:.120}).", file=folder
            ) from error

    def _stored_chunks(self, scene: int, array: Any) -> StoredChunks:
        """The chunks that were there when the scene was opened."""
        folder = self._folder(scene)
        if folder not in self._stored:
            self._stored[folder] = StoredChunks.of(folder, array, complete=self._complete)
        return self._stored[folder]

    def _missing_chunks(self, scene: int, array: Any) -> tuple[str, ...]:
        """Say that chunks are not there: writers may leave out blank ones, ours never does."""
        stored = self._stored_chunks(scene, array)
        if stored.complete:
            missing = stored.missing or stored.absent_in_shards
            if missing:
                raise UnreadableImageError(
                    f"{missing} of {stored.expected} chunks are missing, so this file is incomplete. Copy it again.",
                    file=self.path,
                )
            return ()
        read_as = "zeros" if not array.fill_value else f"the fill value {array.fill_value}"
        if stored.missing is None or stored.absent_in_shards is None:
            return (f"Its chunks were not counted, as they are too many; any that are missing are read as {read_as}.",)
        found = []
        if stored.missing:
            found.append(f"{stored.missing} of {stored.expected} chunks are missing")
        if stored.absent_in_shards:
            found.append(f"{stored.absent_in_shards} chunks are missing in shards")
        return tuple(
            f"{each} and read as {read_as}; that is right only if they were blank when written." for each in found
        )

    def _notes_on_axes(self, letters: str, described: Described) -> list[str]:
        if self._given is not None or described.axes is None:
            return []
        dropped = [axis.name for axis, letter in zip(described.axes, letters, strict=True) if letter == "_"]
        return [f"The axis {name!r} is not known; it has one entry, so that nothing is lost." for name in dropped]

    def _notes_on_group(self, scene: int) -> list[str]:
        group = self._places[scene].group
        if not group or len(self._multiscales(scene)) == 1:
            return []
        return [
            f"{group} holds {len(self._multiscales(scene))} images; this is the first. "
            f"Open {self.path / group} for the others."
        ]


def _given_letters(axes: str, shape: tuple[int, ...], path: Path) -> str:
    letters = axes.upper()
    if len(letters) != len(shape) or len(set(letters)) != len(letters) or not {"Y", "X"} <= set(letters) <= _GIVEN:
        raise UnknownAxesError(
            f'axes "{axes}" do not fit an image of shape {shape}. Give one letter per axis out of T (time), '
            "C (channel), Z, Y, X, and R for one of which each entry is a scene of its own; each once, with Y and X "
            "among them.",
            file=path,
        )
    return letters


def _scales(letters: str, described: Described) -> dict[str, tuple[float | None, str | None]]:
    """Give (step, unit) per axis; without a unit the step means nothing."""
    scales: dict[str, tuple[float | None, str | None]] = dict.fromkeys(AXES, (None, None))
    if described.axes is not None and described.steps is not None:
        for letter, axis, step in zip(letters, described.axes, described.steps, strict=True):
            scales[letter] = (step, axis.unit)
    return scales


def _channel_names(described: Described, count: int) -> tuple[tuple[str | None, ...], list[str]]:
    """Names of the channels, and that they are left out because they are not one for each."""
    labels = described.labels
    if len(labels) == count:
        return labels, []
    notes = []
    if labels:
        notes.append(f"Its metadata describe {len(labels)} channels, and it has {count}: their names are left out.")
    return (None,) * count, notes


def _description(attributes: dict[str, Any]) -> str:
    """The description that our writers put there."""
    ours = attributes.get("napari_mito_predict")
    return str(ours.get("description") or "") if isinstance(ours, dict) else ""


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
