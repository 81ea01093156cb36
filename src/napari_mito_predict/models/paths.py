"""What a path leads to, found out without opening it: folders, files, and what only looks like one."""

from __future__ import annotations

import stat
from pathlib import Path

from napari_mito_predict.errors import DamagedModelError

_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def is_folder(path: Path) -> bool:
    """Whether it is a folder, and no file.

    Raises
    ------
    DamagedModelError
        It is neither: not there, a link to nowhere, a pipe, a device; or it may not be looked at.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # a name with a zero in it
        raise DamagedModelError(f"{why_unreadable(path, error)}.", file=path) from error
    if stat.S_ISDIR(mode):
        return True
    if not stat.S_ISREG(mode):
        raise DamagedModelError(f"is {kind_of(mode)}, no model.", file=path)
    return False


def kind_of(mode: int) -> str:
    """What something is that is no file, by its mode as ``stat`` gives it."""
    return next((words for is_kind, words in _KINDS.items() if is_kind(mode)), "something else")


def why_unreadable(path: Path, error: Exception) -> str:
    """Why nothing could be found out about a path, in plain words."""
    try:
        if path.is_symlink():
            return "is a link to something that is not there, or to itself"
    except OSError:
        pass
    if isinstance(error, FileNotFoundError):
        return "there is no such file or folder"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def lies_there(path: Path) -> bool:
    """Whether a name is taken, by whatever: a link to nowhere too."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise DamagedModelError(f"cannot be read ({error.strerror or error}).", file=path) from error
    return True
