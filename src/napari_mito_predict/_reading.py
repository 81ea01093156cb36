"""Files that anybody may have written: opened only if they are files, read up to a bound, parsed in one boundary."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from napari_mito_predict.errors import MitoPredictError, one_line

# Never waits for the other end of a pipe; and the bytes as they are, on Windows.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def open_file(path: str | Path) -> BinaryIO:
    """Open a file to read it, and nothing else: at a pipe or device, reading may wait forever or never end.

    Raises
    ------
    OSError
        There is none, it cannot be read, or it is a folder, pipe, socket or device.
    """
    try:
        _require_regular(os.stat(path).st_mode)  # a device may do something when it is opened
        descriptor = os.open(path, _FLAGS)
    except ValueError as error:
        raise OSError(errno.EINVAL, f"no name of a file: {error}") from error
    try:
        _require_regular(os.fstat(descriptor).st_mode)  # it may be another one by now
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def read_bytes(path: str | Path, largest: int) -> bytes:
    """Read a file of at most `largest` bytes.

    Raises
    ------
    OSError
        See `open_file`; or it is larger, which is found out without reading more.
    """
    with open_file(path) as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise OSError(errno.EFBIG, f"larger than such a file may be, {largest:,} bytes")
    return content


def read_text(path: str | Path, largest: int) -> str:
    """Read a text in UTF-8, with or without a byte-order mark, of at most `largest` bytes.

    Raises
    ------
    OSError
        See `read_bytes`.
    UnicodeDecodeError
        It is no such text.
    """
    return read_bytes(path, largest).decode("utf-8-sig")


@contextmanager
def parsing(path: str | Path, kind: type[MitoPredictError], what: str) -> Iterator[None]:
    """Name the file that a library was given, whatever it raises: what it does with damaged ones is not to be foreseen.

    Errors of ours pass. `MemoryError` does too: nothing is known of the file then.

    Parameters
    ----------
    path : str or Path
        The file, for the message.
    kind : type of MitoPredictError
        What is raised instead.
    what : str
        What is wrong, such as ``"cannot be read"``; what the library said follows in brackets.
    """
    try:
        yield
    except (MitoPredictError, MemoryError):
        raise
    except Exception as error:
        raise kind(f"{what} ({_said(error)}).", file=path) from error


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or one_line(error)
    return one_line(error)


def _require_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, and a file was expected")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and no file")
