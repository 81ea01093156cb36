"""An OME-Zarr as files: what must be known of it before a library decodes any of them."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, Literal

import numpy as np

from napari_mito_predict.errors import UnreadableImageError, UnsupportedImageError, one_line

_V3 = "zarr.json"
_ARRAY_V2 = ".zarray"
_ATTRIBUTES_V2 = ".zattrs"
_METADATA_FILES = (_V3, ".zgroup", _ATTRIBUTES_V2, _ARRAY_V2)
_NUMBERS = "biufc"
# Codecs of numcodecs that make Python objects of bytes. Pixels never need them, and unpickling runs what it is told to.
_OBJECT_CODECS = frozenset(
    ["pickle", "json", "json2", "msgpack", "msgpack2", "vlen-array", "vlen-bytes", "vlen-utf8", "categorize"]
)
_SHARDING = "sharding_indexed"
_MIB = 2**20
_GIB = 2**30
# The metadata of a plate repeat those of all its arrays where a writer consolidates them: some MiB.
_LARGEST_JSON_BYTES = 32 * _MIB
# Real metadata are about ten levels deep; Python gives up, in one way or another, at about a thousand.
_DEEPEST_JSON = 100
_LARGEST_CHUNK_BYTES = 8 * _GIB
_LARGEST_SIZE = 2**62


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a group or array of zarr, or at least called one."""
    if not os.path.isdir(folder):
        return False
    return folder.suffix.lower() == ".zarr" or any(is_regular_file(folder / name) for name in _METADATA_FILES)


def is_regular_file(path: Path) -> bool:
    """Whether there is a file, and neither a folder nor a pipe or device, at which reading would wait forever."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def folder_within(folder: Path, path: str) -> Path:
    """The folder that metadata name by a path, which may not leave the folder they are of.

    Raises
    ------
    UnsupportedImageError
        It is absolute, goes up, or is a link to somewhere else.
    """
    named = PureWindowsPath(path)  # knows drive letters, and separators of both kinds
    if not path or named.drive or named.root or ".." in named.parts:
        raise _leads_outside(folder, path)
    found = folder / path
    try:
        inside = found.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, or no path at all
        raise _leads_outside(folder, path) from error
    if not inside:
        raise _leads_outside(folder, path)
    return found


def _leads_outside(folder: Path, path: str) -> UnsupportedImageError:
    return UnsupportedImageError(
        f"its metadata name {path!r:.80} as a part of it, which leads out of this folder and is not followed.",
        file=folder,
    )


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
class DeclaredArray:
    """What the metadata of an array declare, before anything of that size is made.

    Attributes
    ----------
    zarr_format : int
        2 or 3.
    shape : tuple of int
        At least 1 along every axis.
    dimension_names : tuple of str
        Empty where the array does not name them all.
    """

    zarr_format: Literal[2, 3]
    shape: tuple[int, ...]
    dimension_names: tuple[str, ...] = ()


def declared_array(folder: Path) -> DeclaredArray | None:
    """Read what an array declares; None where the folder is no array.

    Raises
    ------
    UnreadableImageError
        The metadata cannot be read, or declare sizes that no array has.
    UnsupportedImageError
        The array is divided in a way, or into chunks of a size, that is not read.
    """
    metadata = _json(folder / _V3)
    if metadata is not None:
        if metadata.get("node_type") != "array":
            return None
        names = metadata.get("dimension_names")
        chunks = _chunks_v3(metadata, folder)
        data_type = metadata.get("data_type")
        return _declared(3, metadata.get("shape"), chunks, data_type, names, folder)
    metadata = _json(folder / _ARRAY_V2)
    if metadata is None:
        return None
    attributes = _json(folder / _ATTRIBUTES_V2) or {}
    names = attributes.get("_ARRAY_DIMENSIONS")  # as xarray writes them
    return _declared(2, metadata.get("shape"), metadata.get("chunks"), metadata.get("dtype"), names, folder)


def _chunks_v3(metadata: dict[str, Any], folder: Path) -> object:
    """The shape of what is decoded at once: of a chunk, or of one of those in a shard."""
    try:
        codecs = metadata["codecs"]
        if codecs and isinstance(codecs[0], dict) and codecs[0].get("name") == _SHARDING:
            return codecs[0]["configuration"]["chunk_shape"]
        return metadata["chunk_grid"]["configuration"]["chunk_shape"]
    except (LookupError, TypeError) as error:
        raise UnsupportedImageError(
            "its metadata do not say, in a way that is read here, how the pixels are divided into chunks.", file=folder
        ) from error


def _declared(
    zarr_format: Literal[2, 3], shape: object, chunks: object, dtype: object, names: object, folder: Path
) -> DeclaredArray:
    sizes = _sizes(shape, "sizes", folder)
    chunk = _sizes(chunks, "sizes of chunks", folder)
    if len(chunk) != len(sizes):
        raise UnreadableImageError(
            f"its metadata are damaged: chunks of {len(chunk)} axes in an array of {len(sizes)}.", file=folder
        )
    if 0 in sizes or 0 in chunk:
        raise UnreadableImageError(
            f"an axis is empty (shape {sizes}, chunks {chunk}), so there is nothing to read.", file=folder
        )
    if _is_number(dtype):
        _refuse_huge_chunks(chunk, np.dtype(str(dtype)).itemsize, folder)
    if not isinstance(names, list) or len(names) != len(sizes) or not all(isinstance(name, str) for name in names):
        names = []
    return DeclaredArray(zarr_format, sizes, tuple(names))


def _sizes(value: object, what: str, folder: Path) -> tuple[int, ...]:
    """Sizes as metadata declare them: whole numbers, one for each axis."""
    if not isinstance(value, list) or not all(type(size) is int and 0 <= size < _LARGEST_SIZE for size in value):
        raise UnreadableImageError(f"its metadata are damaged: the {what} are {value!r:.60}.", file=folder)
    return tuple(value)


def _refuse_huge_chunks(chunk: tuple[int, ...], itemsize: int, folder: Path) -> None:
    """Refuse chunks that would not fit into memory: a chunk is decoded as a whole."""
    size = math.prod(chunk) * itemsize
    if size > _LARGEST_CHUNK_BYTES:
        raise UnsupportedImageError(
            f"it declares chunks of {' x '.join(map(str, chunk))} ({size / _GIB:.3g} GiB each); those of more than "
            f"{_LARGEST_CHUNK_BYTES // _GIB} GiB are not read.",
            file=folder,
        )


def _json(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None where there is no such file."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise UnreadableImageError("cannot be read: it is no file.", file=path)
        if state.st_size > _LARGEST_JSON_BYTES:
            raise UnreadableImageError(
                f"cannot be read: {state.st_size / _MIB:.0f} MiB, and metadata of more than "
                f"{_LARGEST_JSON_BYTES // _MIB} MiB are not read.",
                file=path,
            )
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableImageError(f"cannot be read ({one_line(error)}).", file=path) from error
    if _is_deep(found):
        raise UnreadableImageError(f"damaged: its values are nested more than {_DEEPEST_JSON} deep.", file=path)
    if not isinstance(found, dict):
        raise UnreadableImageError(f"damaged: expected an object, found {found!r:.40}.", file=path)
    return found


def _is_deep(value: object) -> bool:
    """Whether lists and objects are nested deeper than anybody means them to be; found out level by level."""
    level = [value]
    for _ in range(_DEEPEST_JSON):
        inner: list[object] = []
        for container in level:
            if isinstance(container, dict):
                inner += container.values()
            elif isinstance(container, list):
                inner += container
        level = [each for each in inner if isinstance(each, dict | list)]
        if not level:
            return False
    return True


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
