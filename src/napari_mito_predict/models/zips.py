"""Zip files from anywhere: opened with a bound on what is looked at, and refused where they are not what they seem."""

from __future__ import annotations

import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, Final, NamedTuple

from napari_mito_predict.errors import DamagedModelError, one_line

ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What `zipfile` raises for files that are damaged, or were made to hurt; a wrong password is a RuntimeError."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OTHER_METHODS = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
_MOST_RATIO = 200
_RATIO_MATTERS_FROM = 1 << 24
"""Bytes. A card or a sample of zeros may be compressed as well as it likes."""
_LARGEST_DIRECTORY = 1 << 20
"""Bytes of the list of files, of which a package has fewer than 30: what zipfile makes of it takes ten times that."""
_END = struct.Struct("<4s4H2LH")
"""Signature, numbers of disks and files, and what `_End` holds."""
_END_SIGNATURE = b"PK\x05\x06"
_LOCATOR_64_SIGNATURE = b"PK\x06\x07"
_LOCATOR_64_SIZE = 20
_LONGEST_COMMENT = 1 << 16
_FIRST_BYTES = b"PK\x03\x04"
_ENCRYPTED = 0x1
_LONGEST_SHOWN = 60


class _End(NamedTuple):
    """What the end of a zip file says: bytes of the list of files, where that begins, and bytes of a comment."""

    size: int
    offset: int
    comment: int


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file to read single members, by `check_member`, never to unpack it as a whole.

    Parameters
    ----------
    path : Path
        A file; pipes and devices are kept away by the caller.

    Raises
    ------
    DamagedModelError
        It is no zip file, is damaged, has a list of files as no model has, or names among them that lead elsewhere or
        are there twice.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DamagedModelError(f"could not be read ({error.strerror or error}).", file=path) from error
    with stream, _opened(stream, path) as archive:
        yield archive


def _opened(stream: BinaryIO, path: Path) -> zipfile.ZipFile:
    try:
        _require_small_directory(stream, path)
        archive = zipfile.ZipFile(stream)
    except ZIP_ERRORS as error:
        raise DamagedModelError(f"this zip file cannot be read ({one_line(error)}).", file=path) from error
    _check_names(archive, path)
    return archive


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> bytes:
    """Read one member that `check_member` let pass; its checksum is compared."""
    try:
        with archive.open(info) as stream:
            return stream.read()
    except ZIP_ERRORS as error:
        raise DamagedModelError(f"'{info.filename}' in it cannot be read ({one_line(error)}).", file=path) from error


def check_member(info: zipfile.ZipInfo, largest: int, path: Path) -> None:
    """Refuse a member before a byte of it is read.

    Raises
    ------
    DamagedModelError
        It is encrypted, a link, compressed by a method that is not read here, larger than `largest` bytes, or so much
        smaller than what it claims to hold that it is made to fill memory.
    """
    name = _shown(info.filename)
    if info.flag_bits & _ENCRYPTED:
        raise DamagedModelError(
            f"'{name}' in it is encrypted, with a password. Zip the model again without one.", file=path
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise DamagedModelError(f"'{name}' in it is a link, no file. Zip the model again with its files.", file=path)
    if info.compress_type not in _METHODS:
        method = _OTHER_METHODS.get(info.compress_type, f"number {info.compress_type}")
        raise DamagedModelError(
            f"'{name}' in it is compressed by a method that is not read here ({method}). Zip the model again, in the "
            "ordinary way (deflate).",
            file=path,
        )
    if info.file_size > largest:
        raise DamagedModelError(
            f"'{name}' in it is larger than a model may be ({info.file_size:,} bytes; at most {largest:,}).", file=path
        )
    if info.file_size > max(_RATIO_MATTERS_FROM, _MOST_RATIO * info.compress_size):
        raise DamagedModelError(
            f"'{name}' in it claims to be {info.file_size:,} bytes, compressed to {info.compress_size:,}: no model "
            "is. It is not unpacked.",
            file=path,
        )


def _require_small_directory(stream: BinaryIO, path: Path) -> None:
    """Refuse a list of files of many megabytes, all of which zipfile would read."""
    is_zip = stream.read(len(_FIRST_BYTES)) == _FIRST_BYTES
    length = stream.seek(0, os.SEEK_END)
    start = max(0, length - _LONGEST_COMMENT - _END.size - _LOCATOR_64_SIZE)
    stream.seek(start)
    tail = stream.read()
    place = tail.rfind(_END_SIGNATURE)
    if place < 0 or len(tail) - place < _END.size:
        if is_zip:
            raise _cut_short(path)
        raise DamagedModelError("neither a model folder nor a zipped one.", file=path)
    end = _End(*_END.unpack_from(tail, place)[5:])
    if tail[max(0, place - _LOCATOR_64_SIZE) :].startswith(_LOCATOR_64_SIGNATURE):
        raise DamagedModelError(
            "this zip file is in the form for archives of more than 4 GB (zip64). Zip the model again.", file=path
        )
    # The end of a zip file in the zip file is taken for its own where that is missing.
    if place + _END.size + end.comment != len(tail) or end.offset + end.size != start + place:
        raise _cut_short(path)
    if end.size > _LARGEST_DIRECTORY:
        raise DamagedModelError(
            f"this zip file lists far more files than a model has ({end.size:,} bytes of names).", file=path
        )


def _cut_short(path: Path) -> DamagedModelError:
    return DamagedModelError("this zip file is cut short: its end is missing. Copy it again.", file=path)


def _check_names(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse names that lead out of the archive, or that are there twice: such a file was made to deceive."""
    names = [info.orig_filename for info in archive.infolist()]
    for name in names:
        parts = PurePosixPath(name).parts
        if "\\" in name:
            raise DamagedModelError(
                f"'{_shown(name)}' in it has a backslash in its name. Zip the model again with another program.",
                file=path,
            )
        if ".." in parts or name.startswith("/") or PureWindowsPath(name).drive or "\0" in name:
            raise DamagedModelError(f"'{_shown(name)}' in it leads out of the zip file. It is not read.", file=path)
    counts = Counter(_folded(name) for name in names)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise DamagedModelError(f"'{_shown(repeated[0])}' is in it {counts[repeated[0]]} times.", file=path)


def _folded(name: str) -> str:
    """A name as file systems compare them."""
    return unicodedata.normalize("NFC", str(PurePosixPath(name))).casefold()


def _shown(name: str) -> str:
    return ascii(name[:_LONGEST_SHOWN])[1:-1]
