"""How fast a run goes: how many iterations fit into its time, and how long the rest will take."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from napari_mito_predict.training.schedule import affordable

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.data import TrainingData
    from napari_mito_predict.training.progress import Progress

_TIMED = 20
"""The time left is told from the last so many iterations."""
_WRITING_S = 5.0
"""For the pictures and the package at the end."""


class Pace:
    """The time that the last iterations took, and what follows from it.

    Parameters
    ----------
    config : TrainingConfig
    data : TrainingData
    """

    def __init__(self, config: TrainingConfig, data: TrainingData) -> None:
        self._config = config
        self._durations: deque[float] = deque(maxlen=_TIMED)
        volumes = {report.name: report.volumes for report in data.reports}
        tested = sum(volumes.get(field.name, 1) for field in data.fields.test)
        models = 2 if config.start_from else 1
        self._validations_in_test = models * tested / len(data.validation)

    def note(self, seconds: float) -> None:
        """Take in how long an iteration took."""
        self._durations.append(seconds)

    def iterations(self, progress: Progress) -> int:
        """How many there will be in all: those asked for, or as many as the time left allows."""
        limit = self._config.max_minutes
        if limit is None or not self._durations:
            return self._config.iterations
        left = 60 * limit - progress.seconds - self._end_seconds(progress)
        return affordable(self._config, progress.iteration, self._each, progress.validation_seconds, left)

    def is_over(self, progress: Progress) -> bool:
        """Whether the time given is used up, but for what has to be done at the end."""
        limit = self._config.max_minutes
        return limit is not None and progress.seconds > 60 * limit - self._end_seconds(progress)

    def seconds_left(self, progress: Progress) -> float:
        """To the finished model."""
        iterations = progress.planned - progress.iteration
        validations = iterations / self._config.validate_every
        return iterations * self._each + validations * progress.validation_seconds + self._end_seconds(progress)

    @property
    def _each(self) -> float:
        return sum(self._durations) / max(1, len(self._durations))

    def _end_seconds(self, progress: Progress) -> float:
        """For the last validation and the test of the finished model."""
        return progress.validation_seconds * (1 + self._validations_in_test) + _WRITING_S
