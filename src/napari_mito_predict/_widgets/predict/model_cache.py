"""What is kept between requests: models, how fast they are, statistics of volumes; and who may compute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.errors import PredictionCancelled
from napari_mito_predict.prediction.known_statistics import KnownStatistics

if TYPE_CHECKING:
    from napari_mito_predict.models import Model
    from napari_mito_predict.prediction import PredictionPlan

_PROBE = (16, 128, 128)
"""(Z, Y, X) of the noise that speed is measured on."""
_SECONDS_BETWEEN_QUESTIONS = 0.02


class ModelCache:
    """The models of the last request, so that a second run starts at once; older ones are let go.

    Attributes
    ----------
    known : KnownStatistics
        Of the volumes that were measured, by whichever work.
    """

    def __init__(self) -> None:
        self.known = KnownStatistics()
        self._lock = threading.Lock()
        self._computing = threading.Lock()
        self._models: dict[str, Model] = {}
        self._speeds: dict[tuple[object, ...], float] = {}

    def get(self, names: tuple[str, ...]) -> list[Model]:
        """Load those not at hand, in the order of `names`."""
        from napari_mito_predict.models import load_model

        with self._lock:
            self._models = {name: self._models.get(name) or load_model(name) for name in names}
            return list(self._models.values())

    def forget(self, name: str) -> None:
        """Let go of a model that changed on disk."""
        with self._lock:
            self._models.pop(name, None)

    def clear(self) -> None:
        """Let go of all models: any of them may have changed on disk."""
        with self._lock:
            self._models.clear()

    def seconds_per_voxel(self, names: tuple[str, ...], plan: PredictionPlan) -> float:
        """How long `plan` takes for a voxel with these models, as measured once on a little noise."""
        from napari_mito_predict.prediction import predict

        key = (names, plan.device.kind, plan.device.precision)
        if key not in self._speeds:
            noise = np.random.default_rng(0).random(_PROBE, np.float32)
            start = time.monotonic()
            predict(noise, self.get(names), device=plan.device.kind, precision=plan.device.precision)
            self._speeds[key] = (time.monotonic() - start) / noise.size
        return self._speeds[key] * plan.orientations

    @contextmanager
    def turn(self, should_stop: Callable[[], bool]) -> Iterator[None]:
        """Wait for other work that has its turn: work that was cancelled goes on for a while, and slows the next down.

        What the other has measured need not be measured again.

        Raises
        ------
        PredictionCancelled
            While it waited.
        """
        while not self._computing.acquire(timeout=_SECONDS_BETWEEN_QUESTIONS):
            if should_stop():
                raise PredictionCancelled("Cancelled before its turn.")
        try:
            yield
        finally:
            self._computing.release()
