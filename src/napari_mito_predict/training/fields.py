"""Which fields there are to train on: from files, two folders or a table to named fields."""

from __future__ import annotations

import csv
import glob
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._reading import read_text
from napari_mito_predict.errors import ImageError, TrainingDataError
from napari_mito_predict.image import is_zarr, list_images, open_image
from napari_mito_predict.image.names import image_stem

if TYPE_CHECKING:
    from napari_mito_predict.training.config_parts import Channel, Data


_ONE_FILE = ("path_czi", "channel_signal", "channel_target")
_TWO_FILES = ("path_signal", "path_target")
"""Columns of pytorch_fnet's tables."""
_DELIMITERS = ",;\t"
_LARGEST_TABLE = 16 << 20


@dataclass(frozen=True)
class Place:
    """One channel of one scene of one file.

    Attributes
    ----------
    path : Path
    channel : str, int or None
        Name, index or role; ``None``: the file's only channel.
    scene : int
        Index of the scene.
    """

    path: Path
    channel: Channel | None
    scene: int = 0


@dataclass(frozen=True)
class Field:
    """One field of view: where its transmitted light is, and its truth for each target.

    Attributes
    ----------
    name : str
        Unique among the fields of a run; what splits and messages call it.
    input : Place
        The transmitted light.
    truths : tuple of Place
        One per target, in the order of the targets.
    """

    name: str
    input: Place
    truths: tuple[Place, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files it needs, without repeats."""
        return tuple(dict.fromkeys(place.path for place in (self.input, *self.truths)))


def find_fields(data: Data, targets: Mapping[str, Channel | None]) -> tuple[Field, ...]:
    """Find the fields that `data` describes. Files are opened at most for their list of scenes.

    Parameters
    ----------
    data : Data
        Files, two folders, or a table.
    targets : mapping
        Name of each target -> its truth channel.

    Raises
    ------
    TrainingDataError
        Files that do not exist, names that do not match, a table that is not one; lists all of them.
    """
    channels = tuple(targets.values())
    if data.files is not None:
        fields = _from_files(find_files(data.files), data, channels)
    elif data.csv is not None:
        fields = _from_table(Path(data.csv), data, channels)
    else:
        fields = _from_folders(data, channels)
    fields = _unique(fields)
    unknown = sorted(set(data.exclude) - {field.name for field in fields})
    if unknown:
        raise TrainingDataError(f"'exclude' names fields that are not there: {', '.join(unknown)}.")
    kept = tuple(field for field in fields if field.name not in data.exclude)
    if not kept:
        raise TrainingDataError("No fields are left to train on. Add files, or exclude fewer.")
    return kept


def find_files(patterns: Sequence[str]) -> tuple[Path, ...]:
    """Expand patterns, sorted within each pattern, without repeats.

    Raises
    ------
    TrainingDataError
        A pattern matches nothing; lists all of those.
    """
    found: dict[Path, None] = {}
    missing = []
    for pattern in patterns:
        matches = _matching(pattern)
        if not matches:
            missing.append(pattern)
        found.update(dict.fromkeys(matches))
    if missing:
        raise TrainingDataError(f"No such training files: {', '.join(missing)}.")
    return tuple(found)


def match_names(inputs: Sequence[Path], targets: Sequence[Path]) -> list[tuple[str, Path, Path]]:
    """Match the files of two folders by name.

    Equal stems match. Otherwise what all names of one folder begin or end with (``_phase``, ``C1-``) is taken away
    first, so that ``field3_phase.tif`` belongs to ``field3_nuclei.tif``.

    Returns
    -------
    list of (name, input, target)
        Sorted by name.

    Raises
    ------
    TrainingDataError
        Files without a partner, or with two; lists them.
    """
    best: list[tuple[str, Path, Path]] = []
    for key in (image_stem, _bare_stems(inputs, targets)):
        by_name = {key(path): path for path in targets}
        pairs = sorted((key(path), path, by_name[key(path)]) for path in inputs if key(path) in by_name)
        if len({name for name, _, _ in pairs}) == len(pairs) > len(best):
            best = pairs
    lonely = [path.name for path in inputs if path not in {given for _, given, _ in best}]
    lonely += [path.name for path in targets if path not in {truth for _, _, truth in best}]
    if lonely:
        raise TrainingDataError(
            f"{len(best)} pairs of files match by name, but these have no partner: {_some(lonely)}. Rename them, move "
            "them away, or narrow the folders by a pattern such as `input_folder: in/*_TL.tif`."
        )
    return best


def _from_files(files: Sequence[Path], data: Data, channels: Sequence[Channel | None]) -> list[Field]:
    fields = []
    for path in files:
        scenes = _scenes(path, data.axes)
        for i, scene in enumerate(scenes):
            name = image_stem(path)
            if len(scenes) > 1:
                name += f"-{scene or i + 1}"
            truths = tuple(Place(path, channel, i) for channel in channels)
            fields.append(Field(name, Place(path, data.transmitted, i), truths))
    return fields


def _from_folders(data: Data, channels: Sequence[Channel | None]) -> list[Field]:
    given, truth = (_images_in(str(pattern)) for pattern in (data.input_folder, data.target_folder))
    return [
        Field(name, Place(a, _own(data)), tuple(Place(b, channel) for channel in channels))
        for name, a, b in match_names(given, truth)
    ]


def _from_table(path: Path, data: Data, channels: Sequence[Channel | None]) -> list[Field]:
    """Rows of pytorch_fnet's two kinds of table; paths are relative to it."""
    columns, rows = _read_table(path)
    if set(_ONE_FILE) <= set(columns):
        if len(channels) != 1:
            raise TrainingDataError("a table with 'channel_target' has one target; give `target: name`.", file=path)
        _refuse_short_rows(path, rows, _ONE_FILE)
        return [_table_row_czi(path.parent, row) for row in rows.values()]
    if set(_TWO_FILES) <= set(columns):
        _refuse_short_rows(path, rows, _TWO_FILES)
        return [
            Field(
                image_stem(Path(row["path_signal"])),
                Place(path.parent / row["path_signal"], _own(data)),
                tuple(Place(path.parent / row["path_target"], channel) for channel in channels),
            )
            for row in rows.values()
        ]
    raise TrainingDataError(
        f"expected the columns {', '.join(_ONE_FILE)}, or {', '.join(_TWO_FILES)}; "
        f"found {', '.join(columns) or 'nothing'}.",
        file=path,
    )


def _read_table(path: Path) -> tuple[list[str], dict[int, dict[str, str]]]:
    """Names of columns, and cells by name for each line by its number; as spreadsheets write tables, and people."""
    try:
        text = read_text(path, _LARGEST_TABLE)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingDataError(f"not a readable table ({reason}).", file=path) from error
    head = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    lines = {}
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines[reader.line_num] = [cell.strip() for cell in cells]
    except csv.Error as error:
        raise TrainingDataError(f"not a readable table (line {reader.line_num}: {error}).", file=path) from error
    if not lines:
        return [], {}
    columns = lines.pop(next(iter(lines)))
    rows = {number: dict(zip(columns, cells, strict=False)) for number, cells in lines.items()}
    return [column for column in columns if column], rows


def _refuse_short_rows(path: Path, rows: Mapping[int, Mapping[str, str]], wanted: Sequence[str]) -> None:
    if not rows:
        raise TrainingDataError("the table has no rows.", file=path)
    for number, row in rows.items():
        missing = [column for column in wanted if not row.get(column)]
        if missing:
            raise TrainingDataError(f"line {number} has no {' and no '.join(missing)}. Fill in the cell.", file=path)


def _table_row_czi(folder: Path, row: Mapping[str, str]) -> Field:
    file = folder / row["path_czi"]
    given, truth = (row[key].strip() for key in ("channel_signal", "channel_target"))
    return Field(image_stem(file), Place(file, given), (Place(file, truth),))


def _own(data: Data) -> Channel | None:
    """Transmitted light in files of its own: their only channel, unless the user names another."""
    if data.transmitted == "transmitted":
        return None
    return data.transmitted


def _scenes(path: Path, axes: str | None) -> tuple[str, ...]:
    """Names of the scenes; a file that cannot be opened counts as one, and its reading says why."""
    try:
        return open_image(path, axes=axes).scenes
    except ImageError:
        return ("",)


def _images_in(pattern: str) -> list[Path]:
    """Images in a folder, or at all paths of a pattern."""
    found = _matching(pattern)
    if found == [Path(pattern)] and found[0].is_dir() and not is_zarr(found[0]):
        found = list_images(found[0])
    if not found:
        raise TrainingDataError(f"{pattern}: no images there (CZI, TIFF, OME-Zarr, PNG). Check the path.")
    return found


def _matching(pattern: str) -> list[Path]:
    """Paths that a pattern matches, sorted; what exists is taken as it is called, brackets and all."""
    path = Path(pattern)
    if os.path.exists(path):
        return [path]
    folder = next((parent for parent in path.parents if os.path.isdir(parent)), None)
    if folder is None:  # its drive is gone
        return []
    rest = str(path.relative_to(folder))
    return [folder / name for name in sorted(glob.glob(rest, root_dir=folder, recursive=True))]


def _bare_stems(inputs: Sequence[Path], targets: Sequence[Path]) -> Callable[[Path], str]:
    """A key that leaves out what all names of a folder share at either end."""
    ends = dict.fromkeys(inputs, _shared(inputs)) | dict.fromkeys(targets, _shared(targets))

    def bare(path: Path) -> str:
        start, end = ends[path]
        return image_stem(path)[start : len(image_stem(path)) - end]

    return bare


def _shared(paths: Sequence[Path]) -> tuple[int, int]:
    """Length of the common beginning and end of all stems, cut back to whole words and never into numbers."""
    stems = [image_stem(path) for path in paths]
    if len(stems) < 2:
        return 0, 0
    return _common(stems), _common([stem[::-1] for stem in stems])


def _common(texts: Sequence[str]) -> int:
    first, last = min(texts), max(texts)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    while length and first[length - 1] not in "_- .":
        length -= 1
    return length


def _unique(fields: Sequence[Field]) -> list[Field]:
    """Fields of the same name get their folder's name in front; if that does not help, a number behind."""
    fields = _renamed(fields, lambda field, i: f"{field.input.path.parent.name}/{field.name}")
    return _renamed(fields, lambda field, i: f"{field.name}-{i}")


def _renamed(fields: Sequence[Field], name: Callable[[Field, int], str]) -> list[Field]:
    """Give those fields a new name whose name is taken by others too; `name` gets the field and its number from 1."""
    count = Counter(field.name for field in fields)
    renamed = []
    for number, field in enumerate(fields, 1):
        if count[field.name] > 1:
            renamed.append(replace(field, name=name(field, number)))
        else:
            renamed.append(field)
    return renamed


def _some(names: Sequence[str], most: int = 8) -> str:
    listed = ", ".join(names[:most])
    if len(names) <= most:
        return listed
    return f"{listed} and {len(names) - most} more"
