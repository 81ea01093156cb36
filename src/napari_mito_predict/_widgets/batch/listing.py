"""Finding out which images files, folders, patterns and plates stand for, in a worker thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import MitoPredictError
from napari_mito_predict.image import is_plate, is_zarr
from napari_mito_predict.prediction.batch.inputs import Entry, find_entries

if TYPE_CHECKING:
    from napari_mito_predict._widgets.batch.queue import Queue
    from napari_mito_predict._widgets.common.worker import Work


@dataclass(frozen=True)
class Wanted:
    """What somebody adds.

    Attributes
    ----------
    given : Path
        A file, a folder, a pattern or a plate.
    scene : str or None
        ``"all"`` for all scenes of each file; else the first one, of plates all.
    """

    given: Path
    scene: str | None = None


@dataclass(frozen=True)
class Found:
    """The images that it stands for.

    Attributes
    ----------
    entries : list of Entry
    folder : Path or None
        That was given, if it is one that may get more images.
    has_plate : bool
        Whether some of the images are fields of a plate.
    """

    entries: list[Entry]
    folder: Path | None = None
    has_plate: bool = False


@dataclass(frozen=True)
class NotFound:
    """Why it stands for none."""

    given: Path
    reason: str


def listing(wanted: Sequence[Wanted], queue: Queue) -> Work:
    """Work that lists images, and yields `Found` or `NotFound` for each that is wanted.

    Names are claimed here, too: disks are asked about each file for that, and may take their time.
    """

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        for each in wanted:
            if should_stop():
                return
            found = _found(each)
            if isinstance(found, Found):
                for entry in found.entries:
                    queue.claim(entry)
            yield found

    return work


def _found(wanted: Wanted) -> Found | NotFound:
    given = wanted.given.expanduser().absolute()
    folder = None
    if given.is_dir() and not is_zarr(given):
        folder = given
    try:
        entries = find_entries([given], scene=wanted.scene)
        return Found(entries, folder, any(map(is_plate, {entry.path for entry in entries})))
    except MitoPredictError as error:
        if folder is not None:  # nothing yet: it can be watched
            return Found([], folder)
        return NotFound(given, " ".join(error.reason_about(given).split()))
    except OSError as error:
        return NotFound(given, f"cannot be read ({error.strerror or error}).")
