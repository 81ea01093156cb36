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

LONGEST_NAME = 255 - 40
"""Bytes of the name of a file. File systems take 255; up to 40 are for the mark of an unfinished file or folder."""
_RENAME_ATTEMPTS = 5
_CHUNK = 1 << 20
_WRITER = r"(?P<computer>[0-9a-f]{6})-(?P<process>\d+)-[0-9a-f]{8}"
_UNFINISHED = re.compile(rf"\.({_WRITER}|[0-9a-f]{{8}})\.partial\..+")  # an earlier version named no process
_REPLACED = re.compile(rf"\.(?P<final>.+)\.{_WRITER}\.old")
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
    temporary = unfinished_path(final)
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
    temporary = unfinished_path(final)
    try:
        yield temporary
        flush_folder(temporary)
        put_in_place(temporary, final, replace=replace)
    finally:
        remove(temporary)


def unfinished_path(final: Path, writer: str = "") -> Path:
    """Give a name beside `final` for what is being written, which names the process that does so.

    Parameters
    ----------
    final : Path
        What it will be.
    writer : str
        From `writer_token`; where that is another process, what is written stays as long as that one runs.
    """
    return final.with_name(f".{writer or writer_token()}.partial.{final.name}")


def unfinished_of(writer: str, folder: Path) -> list[Path]:
    """What there is in a folder under names of this writer, see `unfinished_path`."""
    return list(folder.glob(f".{writer}.partial.*"))


def put_in_place(temporary: Path, final: Path, *, replace: bool) -> None:
    """Give a finished folder its name; one that is there already is moved away first, and comes back if that fails.

    Parameters
    ----------
    temporary, final : Path
        In one folder.
    replace : bool
        Whether what is there already is replaced.

    Raises
    ------
    OSError
        The operating system refused, or something is there that may not be replaced.
    """
    old = final.with_name(f".{final.name}.{writer_token()}.old")
    try:
        if replace and final.exists():
            rename(final, old)  # no system replaces a folder that holds something
        rename(temporary, final)
    finally:
        if old.exists() and not final.exists():
            rename(old, final)
        remove(old)


def remove_abandoned(folder: Path, *, locked: bool = False) -> None:
    """Remove what processes of this computer began to write into a folder, and have ended since.

    A folder that one of them had moved away, to replace it, comes back where nothing has taken its place.

    Parameters
    ----------
    folder : Path
        Not those in it.
    locked : bool
        Nobody else writes here now: what other computers began goes too. They may share the folder else, so that it
        stays.
    """
    for left in folder.glob(".*"):
        begun = _UNFINISHED.fullmatch(left.name) or _REPLACED.fullmatch(left.name)
        if begun is None or not _is_abandoned(begun, locked=locked):
            continue
        final = begun.groupdict().get("final")
        if final is not None and not left.with_name(final).exists():
            with contextlib.suppress(OSError):
                rename(left, left.with_name(final))
            continue
        remove(left)


def _is_abandoned(begun: re.Match[str], *, locked: bool) -> bool:
    if begun["computer"] != _this_computer():
        return locked
    return not _is_running(int(begun["process"]))


def _is_running(process: int) -> bool:
    import psutil

    try:
        status = psutil.Process(process).status()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
    return bool(status != psutil.STATUS_ZOMBIE)  # a killed one whose parent has not noticed yet


def writer_token() -> str:
    """What stands for this process in names, and for one thing that it writes; see `remove_abandoned`."""
    return f"{_this_computer()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _this_computer() -> str:
    """What stands for this computer; for the container, where there are several on one, with processes of their own."""
    processes = ""
    with contextlib.suppress(OSError):
        processes = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{platform.node()} {processes}".encode()).hexdigest()[:6]


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
    """Write `text` as UTF-8 to `final`, completely or not at all.

    Names of files that are no text, as Linux allows them, get a ``?`` for what cannot be written.
    """
    with atomic_path(final) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace", newline="\n")


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


def flush_folder(folder: Path) -> None:
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


def remove(path: Path) -> None:
    """Remove a file or folder as far as the operating system lets us."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
