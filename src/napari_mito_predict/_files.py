"""Files that are either complete under their final name or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from napari_mito_predict.errors import UnwritableOutputError

_RENAME_ATTEMPTS = 5
_CHUNK = 1 << 20


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
            f"{final}: could not be written ({error.strerror or error}). "
            "Check that the folder exists, may be written to and has free space."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


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
            return
