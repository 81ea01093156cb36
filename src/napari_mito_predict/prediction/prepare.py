"""A volume as a model takes it: at its voxel size, normalised by statistics of the whole volume."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from napari_mito_predict.prediction.normalize import COUNTED, Statistics, as_float, measure, normalise
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.tiles import Span, reflect

if TYPE_CHECKING:
    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.tiles import Box, TileGrid
    from napari_mito_predict.prediction.volumes import Subject, Volume


class KnownStatistics:
    """Statistics of volumes that were measured before; forgotten with their image. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: WeakKeyDictionary[ImageSource, dict[object, Statistics]] = WeakKeyDictionary()

    def get(self, subject: Subject, volume: Volume, job: Job) -> Statistics | None:
        """What is known of a volume as `job` takes it."""
        with self._lock:
            return self._of.get(subject.image, {}).get(_key(subject, volume, job))

    def put(self, subject: Subject, volume: Volume, job: Job, statistics: Statistics) -> None:
        """Remember."""
        with self._lock:
            self._of.setdefault(subject.image, {})[_key(subject, volume, job)] = statistics


def _key(subject: Subject, volume: Volume, job: Job) -> object:
    return subject.channel, volume, job.shape, job.model.card.input.normalisation.model_dump_json()


class Prepared:
    """One volume, ready to be read window by window.

    Parameters
    ----------
    raw : ndarray, (D, Y, X)
        Of the image.
    shape : tuple of int
        (D, Y, X) at the model's voxel size.
    statistics : Statistics
        To normalise by; windows are then made of `raw` one by one.
    whole : ndarray, float32, optional
        The volume at the model's voxel size and normalised, where it has been made anyway.
    """

    def __init__(
        self, raw: np.ndarray, shape: tuple[int, int, int], statistics: Statistics, whole: np.ndarray | None = None
    ) -> None:
        self._raw = raw
        self._resampling = Resampling.between(raw.shape, shape)
        self._statistics = statistics
        self._whole = whole

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
        return part[
            np.ix_(*([p - span.start for p in along] for along, span in zip(positions, (d, y, x), strict=True)))
        ]

    def _part(self, box: Box) -> np.ndarray:
        if self._whole is not None:
            return self._whole[tuple(span.slice for span in box)]
        source = self._resampling.needed(box)
        values = as_float(self._raw[tuple(span.slice for span in source)])
        return normalise(self._resampling.block(values, source, box), self._statistics)


def prepare(
    raw: np.ndarray,
    subject: Subject,
    volume: Volume,
    job: Job,
    known: KnownStatistics | None = None,
    *,
    threads: int = 1,
) -> Prepared:
    """Measure a volume, unless it is `known`, and make it ready; see `measure` for what may be raised."""
    statistics = known.get(subject, volume, job) if known else None
    if statistics is not None:
        return Prepared(raw, job.shape, statistics)
    resampling = Resampling.between(raw.shape, job.shape)
    if resampling.identity:
        resampled = raw if raw.dtype in COUNTED else as_float(raw)
    else:
        resampled = resampling.whole(as_float(raw), threads=threads)
    where = f"{subject.image.name}, {volume.where}"
    statistics = measure(resampled, job.model.card.input.normalisation, where=where)
    if known:
        known.put(subject, volume, job, statistics)
    # Where nothing is resampled windows cost little, and are made while the network works.
    return Prepared(raw, job.shape, statistics, None if resampling.identity else normalise(resampled, statistics))
