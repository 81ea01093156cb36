"""How long the rest of a batch takes, from how long images took so far."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Counts the images that were computed, and the time without pauses.

    Those that were there already, or could not be opened, take next to no time and tell nothing of the others.

    Parameters
    ----------
    clock : callable
        Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """A batch begins."""
        self._computed = 0
        self._passed = 0.0
        self._since: float | None = self._clock()

    def pause(self) -> None:
        """Nothing is computed from now on."""
        self._passed = self.seconds
        self._since = None

    def go_on(self) -> None:
        """It goes on after a pause."""
        if self._since is None:
            self._since = self._clock()

    def count(self) -> None:
        """One more image is computed."""
        self._computed += 1

    @property
    def seconds(self) -> float:
        """That it took so far."""
        if self._since is None:
            return self._passed
        return self._passed + self._clock() - self._since

    def seconds_left(self, images: int, under_way: float) -> float | None:
        """For images that are still to be computed; None as long as nobody knows.

        Parameters
        ----------
        images : int
            How many have not ended.
        under_way : float
            How much of them is computed, such as 0.4 of the one under way.
        """
        computed = self._computed + under_way
        if computed < 0.1 or images == 0:
            return None
        return self.seconds / computed * max(0.0, images - under_way)
