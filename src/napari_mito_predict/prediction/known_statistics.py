"""What was measured before, for whoever predicts the same volumes again. Without torch: the dock keeps it."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.normalize import Statistics


class KnownStatistics:
    """Statistics of volumes that were measured before, found by their values. Safe to share between threads.

    By values, not by the image they are of: somebody may change the pixels of a layer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statistics: dict[object, Statistics] = {}

    def get(self, key: object) -> Statistics | None:
        """What is known of a volume, see `key`."""
        with self._lock:
            return self._statistics.get(key)

    def put(self, key: object, statistics: Statistics) -> None:
        """Keep the statistics of a volume, see `key`."""
        with self._lock:
            self._statistics[key] = statistics

    @staticmethod
    def key(raw: np.ndarray, job: Job) -> object:
        """What stands for a volume as `job` takes it: its values, and all else that its statistics depend on."""
        values = hashlib.blake2b(np.ascontiguousarray(raw).data, digest_size=16).digest()
        return values, raw.dtype.str, raw.shape, job.shape, job.model.card.input.normalisation.model_dump_json()
