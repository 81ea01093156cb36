"""Pages of TIFF files that are closed between reads: opened for a read, by as many threads as want to."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Tags on size, type, compression and layout.
_FORM = frozenset((256, 257, 258, 259, 262, 266, 277, 278, 284, 317, 322, 323, 338, 339))


class PageReader:
    """Reads pages as tifffile found and corrected them when it put the series together.

    tifffile's pages know their file, and read from it once it is open again. Nothing is parsed a second time, so that
    a plane of a file of thousands of pages is read as quickly as one of a few.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._users: dict[Any, int] = {}

    @contextmanager
    def opened(self, page: Any) -> Iterator[None]:
        """Keep the file of a page open; it is closed when the last user is done."""
        handle = page.parent.filehandle
        with self._lock:
            if not self._users.get(handle):
                handle.open()
            self._users[handle] = self._users.get(handle, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._users[handle] -= 1
                if not self._users[handle]:
                    handle.close()

    def read(self, page: Any) -> NDArray[Any]:
        """Read one page, in its own shape."""
        with self.opened(page):
            return np.asarray(page.asarray(lock=self._lock))


@contextmanager
def described_page(page: Any) -> Iterator[Any]:
    """The same page with all that its directory says, to be asked within: of most, tifffile reads only the place."""
    with _open_file(page):
        yield page.aspage()


def stored_form(page: Any) -> bytes:
    """What a page's directory says about how it is stored, as it says it: equal for pages that are read alike.

    A quick look at thousands of pages. Pages may be alike although this differs, where a value lies elsewhere.
    """
    layout = page.parent.tiff
    with _open_file(page) as handle:
        handle.seek(page.offset)
        count = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))[0]
        entries = handle.read(count * layout.tagsize)
    tags = (entries[start : start + layout.tagsize] for start in range(0, len(entries), layout.tagsize))
    code = struct.Struct(f"{layout.byteorder}H")
    return b"".join(tag for tag in tags if len(tag) > 1 and code.unpack_from(tag)[0] in _FORM)


@contextmanager
def _open_file(page: Any) -> Iterator[Any]:
    handle = page.parent.filehandle
    was_closed = handle.closed
    if was_closed:  # parts of a set are
        handle.open()
    try:
        yield handle
    finally:
        if was_closed:
            handle.close()
