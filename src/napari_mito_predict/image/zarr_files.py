"""An OME-Zarr as files: what must be known of it before a library decodes any of them."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mito_predict.errors import UnreadableImageError, UnsupportedImageError

if TYPE_CHECKING:
    from collections.abc import Callable

_V3 = "zarr.json"
_ARRAY_V2 = ".zarray"
_ATTRIBUTES_V2 = ".zattrs"
_NUMBERS = "biufc"
# Codecs of numcodecs that make Python objects of bytes. Pixels never need them, and unpickling runs what it is told to.
_OBJECT_CODECS = frozenset(
    ["pickle", "json", "json2", "msgpack", "msgpack2", "vlen-array", "vlen-bytes", "vlen-utf8", "categorize"]
)
_BLOSC_HEADER_BYTES = 16
_CHUNK_NAME = re.compile(r"(c[./])?\d+([./]\d+)*")


def attributes_of(folder: Path) -> dict[str, Any]:
    """Read the attributes of a group or array, of zarr format 2 or 3; empty where it has none.

    Raises
    ------
    UnreadableImageError
        They cannot be read.
    """
    metadata = _json(folder / _V3)
    if metadata is None:
        attributes = _json(folder / _ATTRIBUTES_V2)
    else:
        attributes = metadata.get("attributes", {})
    if attributes is not None and not isinstance(attributes, dict):
        raise UnreadableImageError(
            f"its attributes are damaged: expected an object, found {attributes!r:.40}.", file=folder
        )
    return attributes or {}


def refuse_code(folder: Path) -> None:
    """Refuse an array that is not of plain numbers, or whose metadata ask for a codec that could run code.

    zarr looks up the codecs that an array names and lets them decode it. Data that anybody may have written must not
    choose Python's pickle that way, which older releases of numcodecs allow.

    Parameters
    ----------
    folder : Path
        Of the array. One that is missing is left to zarr to complain of.

    Raises
    ------
    UnsupportedImageError
        The dtype is no number, or such a codec is named, as compressor, filter or within another codec.
    UnreadableImageError
        The metadata cannot be read.
    """
    for name, key in ((_V3, "data_type"), (_ARRAY_V2, "dtype")):
        metadata = _json(folder / name)
        if metadata is None or (name == _V3 and metadata.get("node_type") != "array"):
            continue
        dtype = metadata.get(key)
        if not _is_number(dtype):
            raise UnsupportedImageError(
                f"its pixels are of type {json.dumps(dtype):.60}; only whole and real numbers are read.", file=folder
            )
        codecs = _names({k: v for k, v in metadata.items() if k != "attributes"})
        refused = sorted({codec for codec in codecs if codec.rpartition(".")[2].lower() in _OBJECT_CODECS})
        if refused:
            raise UnsupportedImageError(
                f"its pixels are stored with the codec '{refused[0]}', which makes Python objects and may "
                "run code; such files are not read. Save the image again as OME-Zarr of plain numbers.",
                file=folder,
            )


@dataclass(frozen=True)
class StoredChunks:
    """The files of an array as they were when it was opened.

    zarr reads zeros where a file is missing: a writer may have left out blank chunks. One that was there and is gone
    was not blank.

    Attributes
    ----------
    folder : Path
        Of the array.
    shape, grid : tuple of int
        Of the array, and of what one file holds: a chunk, or a shard of several.
    names : frozenset of str
        Relative to the folder.
    complete : bool
        Whether all were written, blank ones too.
    blosc : bool
        Whether each file is one block of Blosc.
    """

    folder: Path
    shape: tuple[int, ...]
    grid: tuple[int, ...]
    names: frozenset[str]
    complete: bool
    blosc: bool

    @classmethod
    def of(cls, folder: Path, array: Any, *, complete: bool) -> StoredChunks:
        """Look at the files of a zarr array."""
        found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if _has_content(path))
        names = frozenset(name for name in found if _CHUNK_NAME.fullmatch(name))
        grid = tuple(array.shards or array.chunks)
        codecs = [] if array.shards else list(array.compressors)
        blosc = "blosc" in "".join(map(str, codecs[-1:])).lower()
        return cls(folder, tuple(array.shape), grid, names, complete, blosc=blosc)

    @property
    def expected(self) -> int:
        """How many files there are where no chunk was left out."""
        return math.prod(-(-size // part) for size, part in zip(self.shape, self.grid, strict=True))

    @property
    def missing(self) -> int:
        """How many of them are not there."""
        return max(0, self.expected - len(self.names))

    def lost(self, region: Sequence[slice | int], name_of: Callable[[tuple[int, ...]], str]) -> list[str]:
        """Names of the files within `region` that should be there and are not, or are cut short; looked for now.

        Parameters
        ----------
        region : sequence of slice or int
            One for each axis of the array, without steps.
        name_of : callable
            Gives the name of the file at a place in the grid.
        """
        names = (name_of(place) for place in itertools.product(*self._touched(region)))
        wanted = (name for name in names if self.complete or name in self.names)
        return [name for name in wanted if not self._is_whole(self.folder / name)]

    def _is_whole(self, path: Path) -> bool:
        """Whether a file is there and, where its own header says so, has its length.

        Blosc trusts the length in the header: of a block that was cut it decodes whatever memory comes behind it.
        """
        if not self.blosc:
            return _has_content(path)
        try:
            with path.open("rb") as stream:
                header = stream.read(_BLOSC_HEADER_BYTES)
            length = int.from_bytes(header[12:16], "little")
            return len(header) == _BLOSC_HEADER_BYTES and path.stat().st_size >= length
        except OSError:
            return False

    def _touched(self, region: Sequence[slice | int]) -> Iterator[range]:
        for part, size, step in zip(region, self.shape, self.grid, strict=True):
            if isinstance(part, int):
                yield range(part // step, part // step + 1)
            else:
                start, stop = part.indices(size)[:2]
                yield range(start // step, -(-stop // step))


def _has_content(path: Path) -> bool:
    """Whether a file is there and not empty: an empty shard reads as zeros, too."""
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def _json(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None where there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableImageError(f"cannot be read ({' '.join(str(error).split())[:120]}).", file=path) from error
    if not isinstance(found, dict):
        raise UnreadableImageError(f"damaged: expected an object, found {found!r:.40}.", file=path)
    return found


def _is_number(dtype: object) -> bool:
    """Whether a dtype as metadata name it is one of numbers; lists are records, objects are texts and dates."""
    try:
        return isinstance(dtype, str) and np.dtype(dtype).kind in _NUMBERS
    except (TypeError, ValueError, SyntaxError):
        return False


def _names(value: object) -> Iterator[str]:
    """All that is called ``id`` (format 2) or ``name`` (format 3), however deep: codecs may hold others."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("id", "name") and isinstance(inner, str):
                yield inner
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
