"""Making the next thing while the last one is used."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar, cast

T = TypeVar("T")

_END = object()


def prefetch(items: Generator[T], stop: Callable[[], object] = lambda: None) -> Generator[T]:
    """Give `items` one by one; each is made in a thread of its own while the one before it is used.

    Parameters
    ----------
    items : generator
        Used by that thread alone; one item is made ahead, no more. What it raises is raised here, in its turn. Closed
        at the end.
    stop : callable
        Called when this iterator is closed early or interrupted, before it waits for the item under way, which may then
        end itself.
    """
    with closing(items), ThreadPoolExecutor(1, thread_name_prefix="prefetch") as thread:
        made = thread.submit(next, items, _END)
        try:
            while (item := made.result()) is not _END:
                made = thread.submit(next, items, _END)
                yield cast("T", item)
        except BaseException:  # closed early, or Ctrl-C
            stop()
            made.cancel()
            raise
