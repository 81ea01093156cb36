"""Files and folders that are either complete under their final name or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from napari_mito_predict.errors import UnwritableOutputError

_RENAME_ATTEMPTS = 5
_CHUNK = 1 << 20
_ABANDONED = re.compile(r"\.(?P<computer>[0-9a-f]{6})-(?P<process>\d+)-[0-9a-f]{8}\.partial\.")
_FLUSHED_AT_A_TIME = 4  # a disk merges what is flushed at the same time: a fifth of the time for 200 chunks


@contextlib.contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Give a temporary path beside `final`; rename it to `final` when the block ends without an error.

    Parameters
    ----------
    final : Path
        Where the finished file shall be; its folder must exist. The temporary name keeps the suffixes, because
        writers choose a format by them.

    Yields
    ------
    Path
        The temporary file to write. It is removed when the block raises, so no half-written result stays.

    Raises
    ------
    UnwritableOutputError
        The operating system refused to write or rename: the folder is missing, read-only or full.
    """
    final = Path(final)
    temporary = final.with_name(f".{uuid.uuid4().hex[:8]}.partial.{final.name}")
    try:
        yield temporary
        flush(temporary)
        rename(temporary, final)
    except OSError as error:
        raise UnwritableOutputError(
            f"could not be written ({error.strerror or error}). "
            "Check that the folder exists, may be written to and has free space.",
            file=final,
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(final: Path, *, replace: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `final`; the folder made there takes its place when the block ends without an error.

    Parameters
    ----------
    final : Path
        Where the finished folder shall be.
    replace : bool
        Whether a file or folder that is there already is replaced. It stays as it is when the block raises, whatever
        that raises, and when the last rename is refused.

    Yields
    ------
    Path
        Where to make the folder; nothing is there yet. It is removed when the block raises.

    Raises
    ------
    OSError
        The operating system refused to flush or rename, or something is there that may not be replaced. The caller
        names what it writes. Errors of the block are passed on as they are.
    """
    final = Path(final)
    token = f"{_this_computer()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    # Folders are tidied by these names: whoever is killed here leaves one or both of them.
    temporary = final.with_name(f".{token}.partial.{final.name}")
    old = final.with_name(f".{final.name}.{token}.old")
    try:
        yield temporary
        _flush_folder(temporary)
        if replace and final.exists():
            rename(final, old)  # no system replaces a folder that holds something
        rename(temporary, final)
    finally:
        if old.exists() and not final.exists():
            rename(old, final)
        _remove(temporary)
        _remove(old)


def remove_abandoned(folder: Path) -> None:
    """Remove the folders that `atomic_folder` began here in processes of this computer that have ended since.

    Those of other computers, which may share the folder, stay.
    """
    import psutil

    for left in folder.glob(".*.partial.*"):
        begun = _ABANDONED.match(left.name)
        if begun is None or begun["computer"] != _this_computer():
            continue
        if not psutil.pid_exists(int(begun["process"])):
            _remove(left)


def _this_computer() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


@contextlib.contextmanager
def folder_for(final: Path) -> Iterator[None]:
    """Make the folders above `final` that are not there yet; where the block raises, they are taken away again.

    Raises
    ------
    UnwritableOutputError
        They cannot be made.
    """
    new = [folder for folder in final.parents if not folder.exists()]
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutputError(
            f"this folder cannot be made ({error.strerror or error}). Choose another place.", file=final.parent
        ) from error
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # something else was put there
            for folder in new:
                folder.rmdir()
        raise


def atomic_write_text(final: Path, text: str) -> None:
    """Write `text` as UTF-8 to `final`, completely or not at all."""
    with atomic_path(final) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def sha256_file(path: Path) -> str:
    """SHA-256 of a whole file, as lower-case hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def flush(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    """Wait until all files are on the disk: only then is the name of the folder a promise."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    with ThreadPoolExecutor(_FLUSHED_AT_A_TIME) as pool:
        for _ in pool.map(flush, files):
            pass  # an error in one of the threads is raised here


def rename(old: Path, new: Path) -> None:
    """Rename a file or folder, with patience: on Windows a virus scanner or viewer may hold it for a moment.

    A file that is there already is replaced.
    """
    for attempt in range(_RENAME_ATTEMPTS):
        try:
            os.replace(old, new)
        except PermissionError:
            if attempt == _RENAME_ATTEMPTS - 1:
                raise
            time.sleep(0.05 * 2**attempt)
        else:
            _flush_names(new.parent)
            return


def _flush_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, as far as its drive lets us: a new one is kept then."""
    if os.name == "nt":  # no such thing there
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a file or folder as far as the operating system lets us."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
