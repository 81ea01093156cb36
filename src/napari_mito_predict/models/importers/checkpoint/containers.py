"""The two layouts of a checkpoint file: a zip archive, and before torch 1.6 one pickle after the other."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from napari_mito_predict.models.importers.checkpoint.described import Description, Storage
from napari_mito_predict.models.importers.checkpoint.pickled import PickleError, read_pickle

ITEM_BYTES: Final[Mapping[str, int]] = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "complex64": 8,
    "complex128": 16,
}
_CONTENTS = "data.pkl"
_END_OF_DIRECTORY = b"PK\x05\x06"
_LONGEST_END = 22 + (1 << 16)
"""Bytes: what a zip archive ends with, and a comment."""
_LARGEST_DIRECTORY = 8 << 20
_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001


@dataclass(frozen=True)
class Container:
    """What a checkpoint holds.

    Attributes
    ----------
    content : object
        As described in it, with tensors that were not made.
    read : callable
        Gives the bytes of a storage, as many as it declares, little-endian.
    """

    content: Any
    read: Callable[[Storage], bytes]


def declared_bytes(storage: Storage) -> int:
    """Bytes that a storage takes, as the file declares it."""
    return storage.count * ITEM_BYTES[storage.dtype]


def open_zip(stream: BinaryIO) -> Container:
    """Open a checkpoint of torch 1.6 or newer.

    Raises
    ------
    PickleError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError
        It is damaged, or no checkpoint.
    """
    _refuse_large_directory(stream)
    archive = zipfile.ZipFile(stream)
    members = {member.filename: member for member in archive.infolist()}
    _refuse_compressed(members, stream)
    folder = _folder(members)
    if members.get(f"{folder}byteorder") and archive.read(f"{folder}byteorder") != b"little":
        raise PickleError("its numbers are stored in the byte order of another kind of processor")
    description = Description()
    content = read_pickle(io.BytesIO(archive.read(folder + _CONTENTS)), description)

    def read(storage: Storage) -> bytes:
        member = members.get(f"{folder}data/{storage.key}")
        if member is None or member.file_size != declared_bytes(storage):
            raise PickleError("some of its numbers are missing")
        return archive.read(member)

    return Container(content, read)


def _refuse_large_directory(stream: BinaryIO) -> None:
    """Refuse a list of files that takes long to read: zip archives may list millions, whatever their size."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _LONGEST_END))
    end = stream.read()
    found = end.rfind(_END_OF_DIRECTORY)
    directory_bytes = int.from_bytes(end[found + 12 : found + 16], "little")
    if found >= 0 and directory_bytes > _LARGEST_DIRECTORY:
        raise PickleError("it holds more files than a checkpoint has")


def _refuse_compressed(members: Mapping[str, zipfile.ZipInfo], stream: BinaryIO) -> None:
    """Refuse files that may become larger than the archive: torch stores them as they are."""
    size = stream.seek(0, os.SEEK_END)
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members.values())
    if not stored or sum(member.file_size for member in members.values()) > size:
        raise PickleError("it is a compressed zip archive, and torch writes uncompressed ones")


def _folder(members: Mapping[str, zipfile.ZipInfo]) -> str:
    """The folder in the archive that all of the checkpoint is in, with a slash."""
    found = [name.removesuffix(_CONTENTS) for name in members if name.endswith(f"/{_CONTENTS}")]
    if len(found) != 1:
        raise PickleError("it is a zip archive, but none that torch wrote")
    if f"{found[0]}constants.pkl" in members:
        raise PickleError("it is a TorchScript program, and no checkpoint")
    return found[0]


def open_legacy(stream: BinaryIO) -> Container:
    """Open a checkpoint of the time before torch 1.6, which newer ones write when they are asked to.

    Raises
    ------
    PickleError, OSError
        It is damaged, or no checkpoint.
    """
    description = Description()
    stream.seek(0)
    if read_pickle(stream, description) != _MAGIC or read_pickle(stream, description) != _PROTOCOL:
        raise PickleError("it is a pickle, but none that torch wrote")
    read_pickle(stream, description)  # of the system it was written on: what is written does not depend on it
    content = read_pickle(stream, description)
    starts = _starts(stream, read_pickle(stream, description), description.storages)

    def read(storage: Storage) -> bytes:
        if storage.key not in starts:
            raise PickleError("some of its numbers are missing")
        stream.seek(starts[storage.key])
        return stream.read(declared_bytes(storage))

    return Container(content, read)


def _starts(stream: BinaryIO, keys: Any, storages: Mapping[str, Storage]) -> dict[str, int]:
    """Where each storage begins: they follow one after the other, each after the number of its items."""
    if not isinstance(keys, list):
        raise PickleError("it is cut or altered")
    start = stream.tell()
    size = stream.seek(0, os.SEEK_END)
    starts: dict[str, int] = {}
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        stream.seek(start)
        if storage is None or key in starts or int.from_bytes(stream.read(8), "little") != storage.count:
            raise PickleError("it is cut or altered")
        starts[key] = start + 8
        start += 8 + declared_bytes(storage)
        if start > size:
            raise PickleError("it is cut, and some of its numbers are missing")
    return starts
