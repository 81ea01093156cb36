"""A folder that a microscope writes into: each file is given once, when it is complete and no longer grows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from napari_mito_predict.errors import ImageError, UnreadableImageError
from napari_mito_predict.image import list_images, open_image
from napari_mito_predict.prediction.batch.inputs import Entry, entries_of

EVERY_S: Final = 2.0
"""Between two looks at the folder."""
QUIET_S: Final = 6.0
"""A file that stays as it is for so long is taken to be written; microscopes write at least one plane in this time."""
PATIENCE_S: Final = 120.0
"""A file that stays as it is for so long, and still cannot be opened, will not get any better."""


class _State(NamedTuple):
    """Of a file or folder: anything else means that it was written to."""

    files: int
    size: int
    modified_ns: int


@dataclass
class _Seen:
    state: _State
    since: float


def watch(
    folder: Path,
    *,
    scene: int | str | None = None,
    axes: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    every_s: float = EVERY_S,
    quiet_s: float = QUIET_S,
    patience_s: float = PATIENCE_S,
) -> Iterator[Entry | None]:
    """Find images in a folder, those that are there and those that will be, until it is stopped.

    A file is given when it did not change for a while and can be opened: files of microscopes are not readable before
    they are complete. One that cannot be opened for long is given all the same, so that somebody says why. One that is
    written anew later is given again.

    Parameters
    ----------
    folder : Path
        Its own files are watched, not those of folders in it.
    scene, axes
        See `find_entries`.
    stop : callable
        True ends it.
    every_s, quiet_s, patience_s : float
        Seconds, see `EVERY_S`, `QUIET_S`, `PATIENCE_S`.

    Yields
    ------
    Entry or None
        None where there is nothing new at the moment: whoever asks may do something else.

    Raises
    ------
    UnreadableImageError
        There is no such folder.
    """
    if not folder.is_dir():
        raise UnreadableImageError("is no folder. Give the one that the microscope writes into.", file=folder)
    seen: dict[Path, _Seen] = {}
    given: dict[Path, _State] = {}
    while not stop():
        for path, state in _states(folder):
            if given.get(path) == state:
                continue
            now = time.monotonic()
            if path not in seen or seen[path].state != state:
                seen[path] = _Seen(state, now)
            if _is_complete(path, now - seen[path].since, axes, quiet_s, patience_s):
                given[path] = state
                yield from entries_of(path, scene, axes, asked_for=False)
        yield None
        _sleep(every_s, stop)


def _states(folder: Path) -> Iterator[tuple[Path, _State]]:
    """The images of a folder with their states; what goes away meanwhile is left out."""
    try:
        paths = list_images(folder)
    except OSError:  # a network drive that is away for a moment
        return
    for path in paths:
        try:
            state = _state(path)
        except OSError:
            continue
        yield path, state


def _state(path: Path) -> _State:
    if not path.is_dir():
        found = path.stat()
        return _State(1, found.st_size, found.st_mtime_ns)
    files: list[os.stat_result] = []
    for parent, _, names in os.walk(path):
        files += [Path(parent, name).stat() for name in names]
    return _State(len(files), sum(file.st_size for file in files), max((file.st_mtime_ns for file in files), default=0))


def _is_complete(path: Path, quiet_for_s: float, axes: str | None, quiet_s: float, patience_s: float) -> bool:
    if quiet_for_s < quiet_s:
        return False
    try:
        open_image(path, axes=axes)
    except ImageError:
        return quiet_for_s >= patience_s
    return True


def _sleep(seconds: float, stop: Callable[[], bool]) -> None:
    """Wait, but not for long once it is stopped."""
    end = time.monotonic() + seconds
    while not stop() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
