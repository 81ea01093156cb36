"""What has to happen when Qt destroys an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtCore import QObject

_waiting: set[Callable[[], None]] = set()


def on_destruction(owner: QObject, do: Callable[[], None]) -> None:
    """Call `do`, which must not hold `owner`, when that is destroyed.

    It is kept here until then. The garbage collector may be what destroys `owner`: of what belongs to `owner` alone it
    takes the insides out first, a slot of `destroyed` among it, and calling an emptied function ends the process.
    """

    def once() -> None:
        _waiting.discard(once)
        do()

    _waiting.add(once)
    owner.destroyed.connect(once)
