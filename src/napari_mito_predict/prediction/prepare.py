"""A volume as a model takes it: at its voxel size, normalised by statistics of the whole volume."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.prediction.normalize import Statistics, as_float, measure, normalise
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.tiles import Span, reflect

if TYPE_CHECKING:
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.tiles import Box, TileGrid


class KnownStatistics:
    """Statistics of volumes that were measured before, found by their values. Safe to share between threads.

    By values, not by the image they are of: somebody may change the pixels of a layer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[object, Statistics] = {}

    def get(self, key: object) -> Statistics | None:
        """What is known of a volume, see `key`."""
        with self._lock:
            return self._of.get(key)

    def put(self, key: object, statistics: Statistics) -> None:
        """Remember."""
        with self._lock:
            self._of[key] = statistics

    @staticmethod
    def key(raw: np.ndarray, job: Job) -> object:
        """Stands for a volume as `job` takes it."""
        values = hashlib.blake2b(np.ascontiguousarray(raw).data, digest_size=16).digest()
        return values, raw.dtype.str, raw.shape, job.shape, job.model.card.input.normalisation.model_dump_json()


class Prepared:
    """One volume, ready to be read window by window.

    Parameters
    ----------
    raw : ndarray, (D, Y, X)
        Of the image.
    shape : tuple of int
        (D, Y, X) at the model's voxel size.
    statistics : Statistics
        To normalise by.
    """

    def __init__(self, raw: np.ndarray, shape: tuple[int, int, int], statistics: Statistics) -> None:
        self._raw = raw
        self._resampling = Resampling.between(raw.shape, shape)
        self._statistics = statistics
        self._resampled: np.ndarray | None = None

    def resample_once(self, threads: int, resampled: np.ndarray | None = None) -> None:
        """Resample all of the volume now, which is less work than window by window where several models read it.

        Nothing happens where nothing is resampled. Windows cost little then, and are made while the network works.

        Parameters
        ----------
        threads : int
            How many to use.
        resampled : ndarray, optional
            The volume at the model's voxel size, where it has been made anyway.
        """
        if self._resampled is None and not self._resampling.identity:
            if resampled is None:
                resampled = self._resampling.whole(as_float(self._raw), threads=threads)
            self._resampled = resampled

    def window(self, grid: TileGrid, read: Box) -> np.ndarray:
        """The part `read` of the volume as padded by reflection, without making the padded volume: float32."""
        positions = [
            [reflect(p - axis.before, axis.size) for p in range(span.start, span.stop)]
            for span, axis in zip(read, grid.axes, strict=True)
        ]
        d, y, x = (Span(min(along), max(along) + 1) for along in positions)
        part = self._part((d, y, x))
        if part.shape == tuple(span.size for span in read):
            return part
        within = zip(positions, (d, y, x), strict=True)
        return part[np.ix_(*([p - span.start for p in along] for along, span in within))]

    def _part(self, box: Box) -> np.ndarray:
        if self._resampled is not None:
            return normalise(self._resampled[tuple(span.slice for span in box)], self._statistics)
        source = self._resampling.needed(box)
        values = as_float(self._raw[tuple(span.slice for span in source)])
        return normalise(self._resampling.block(values, source, box), self._statistics)


def prepare(
    raw: np.ndarray, job: Job, *, where: str = "", known: KnownStatistics | None = None, threads: int = 1
) -> Prepared:
    """Measure a volume, unless it is `known`, and make it ready; see `measured`."""
    statistics, resampled = measured(raw, job, where=where, known=known, threads=threads)
    prepared = Prepared(raw, job.shape, statistics)
    if resampled is not None:
        prepared.resample_once(threads, resampled)
    return prepared


def measured(
    raw: np.ndarray, job: Job, *, where: str = "", known: KnownStatistics | None = None, threads: int = 1
) -> tuple[Statistics, np.ndarray | None]:
    """Statistics of a volume as `job` takes it, and the volume resampled where that had to be done for them.

    Parameters
    ----------
    raw : ndarray, (D, Y, X)
        Of the image.
    job : Job
        The model.
    where : str
        Which volume, for messages.
    known : KnownStatistics, optional
        Asked first; what is measured is added.
    threads : int
        How many to use.

    Raises
    ------
    ImageContentError, UnsupportedImageError
        See `measure`.
    """
    key = known.key(raw, job) if known else None
    statistics = known.get(key) if known else None
    if statistics is not None:
        return statistics, None
    resampling = Resampling.between(raw.shape, job.shape)
    resampled = None if resampling.identity else resampling.whole(as_float(raw), threads=threads)
    statistics = measure(raw if resampled is None else resampled, job.model.card.input.normalisation, where=where)
    if known:
        known.put(key, statistics)
    return statistics, resampled
