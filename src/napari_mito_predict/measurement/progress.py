"""How far a measurement is, and whether it should stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_mito_predict.errors import MeasurementCancelled


def _say_nothing(done: int, total: int, message: str) -> None:
    pass


def _go_on() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Progress:
    """What a long measurement tells and asks between its steps, at least every few seconds.

    Attributes
    ----------
    on_progress : callable
        Told ``(done, total, message)``.
    should_stop : callable
        Asked after each step.
    """

    on_progress: Callable[[int, int, str], None] = _say_nothing
    should_stop: Callable[[], bool] = _go_on

    def step(self, done: int, total: int, message: str) -> None:
        """Tell how far it is.

        Raises
        ------
        MeasurementCancelled
            `should_stop` said so.
        """
        if self.should_stop():
            raise MeasurementCancelled("the measurement was cancelled; nothing was written.")
        self.on_progress(done, total, message)


SILENT = Progress()
