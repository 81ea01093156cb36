"""One trainer per run folder, whoever starts it and from wherever."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from napari_mito_predict.errors import RunInUseError, UnwritableOutputError

_log = logging.getLogger(__name__)

LOCK = "trainer.lock"
NO_LOCKS = (
    "%s: the drive of this run folder has no file locks, so a second trainer of this run on another computer would not "
    "be noticed. See to it that there is none."
)
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})
"""What file systems answer that have no locks, such as some network drives and memory cards."""


@contextmanager
def only_trainer(folder: Path) -> Iterator[bool]:
    """Hold the run in `folder` for this process; the system lets go of it however the process ends.

    The lock file stays in the folder: removing it could let two processes lock two files of that name.

    Parameters
    ----------
    folder : Path
        A run folder; it exists.

    Yields
    ------
    bool
        False where the drive has no locks. Another trainer would not be noticed by its lock then, which is logged.

    Raises
    ------
    RunInUseError
        Another trainer holds it, in this process or another one.
    UnwritableOutputError
        The folder cannot be written to.
    """
    # Without locks, filelock would take the mere existence of a file for one: a killed trainer would leave it behind.
    lock = FileLock(folder / LOCK, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunInUseError("another process is training this run already. Stop it first.", file=folder) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise UnwritableOutputError(
                f"this run folder cannot be written to ({error.strerror or error}). Check its permissions "
                "and the free space of its drive.",
                file=folder,
            ) from error
        _log.warning(NO_LOCKS, folder)
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
