"""A volume as a model takes it: at its voxel size, normalised by statistics of the whole volume."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from napari_mito_predict.prediction.normalize import Statistics, as_float, fixed, measure, normalise
from napari_mito_predict.prediction.orientations import UPRIGHT
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.tiles import Span, per_axis, reflect

if TYPE_CHECKING:
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.known_statistics import KnownStatistics
    from napari_mito_predict.prediction.orientations import Orientation
    from napari_mito_predict.prediction.tiles import Box, TileGrid


class PreparedVolume(Protocol):
    """A volume as a model takes it, wherever it lies."""

    @property
    def on_device(self) -> bool:
        """Whether it lies in the memory of the device, and what is made of it shall stay there."""

    def oriented(self, orientation: Orientation) -> PreparedVolume:
        """This volume, flipped and turned."""

    def resample_once(self, threads: int) -> None:
        """Resample all of the volume now, because more than one model or orientation reads it."""

    def window(self, grid: TileGrid, read: Box) -> Tensor:
        """The part `read` of the volume as padded by reflection; (D, Y, X), normalised, see `Prepared.window`."""


class Prepared:
    """One volume in main memory, ready to be read window by window.

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
        self._shape = shape
        self._orientation = UPRIGHT

    @property
    def on_device(self) -> bool:
        """It lies in main memory."""
        return False

    def oriented(self, orientation: Orientation) -> Prepared:
        """This volume, flipped and turned: nothing is measured, resampled or copied for it."""
        view = copy.copy(self)
        view._orientation = orientation
        view._shape = orientation.shape(self._shape)
        return view

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

    def window(self, grid: TileGrid, read: Box) -> Tensor:
        """The part `read` of the volume as padded by reflection, without making the padded volume.

        Parameters
        ----------
        grid : TileGrid
            How the volume is padded.
        read : Box
            In voxels of the padded volume.

        Returns
        -------
        Tensor, float32, (D, Y, X)
            Normalised.
        """
        box, padding = reflected(grid, read)
        part = self._oriented_part(box)
        if padding is not None:
            part = np.ascontiguousarray(part[np.ix_(*padding)])
        return torch.from_numpy(part)

    def _oriented_part(self, box: Box) -> np.ndarray:
        """The voxels `box` of the volume as it is oriented."""
        upright = self._orientation.inverse.box(box, self._shape)
        return np.ascontiguousarray(self._orientation.array(self._part(upright)))

    def _part(self, box: Box) -> np.ndarray:
        """The voxels `box` of the volume at the model's voxel size, normalised; a new array."""
        if self._resampled is not None:
            return normalise(self._resampled[tuple(span.slice for span in box)], self._statistics)
        source = self._resampling.needed(box)
        values = as_float(self._raw[tuple(span.slice for span in source)])
        return normalise(self._resampling.block(values, source, box), self._statistics)


def reflected(grid: TileGrid, read: Box) -> tuple[Box, list[np.ndarray] | None]:
    """How to make the part `read` of a volume as padded by reflection, without making the padded volume.

    Returns
    -------
    Box
        The voxels of the volume that are needed, each once.
    list of ndarray, or None
        Which planes, rows and columns of these to take: the padding repeats some of them. None: all, as they are.
    """
    sources = [
        reflect(np.arange(span.start, span.stop) - axis.before, axis.size)
        for span, axis in zip(read, grid.axes, strict=True)
    ]
    box = per_axis(Span(int(along.min()), int(along.max()) + 1) for along in sources)
    if all(span.clip(axis.inside) == span for span, axis in zip(read, grid.axes, strict=True)):
        return box, None
    return box, [along - span.start for along, span in zip(sources, box, strict=True)]


def prepare(
    raw: np.ndarray, job: Job, *, where: str = "", known: KnownStatistics | None = None, threads: int = 1
) -> Prepared:
    """Measure a volume, unless it is `known`, and make it ready; takes and raises what `measured` does."""
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
    if job.model.card.input.normalisation.kind == "fixed":  # nothing is to be found out, so that nothing is known
        return fixed(job.model.card.input.normalisation), None
    key: object = None
    if known is not None:
        key = known.key(raw, job)
        found = known.get(key)
        if found is not None:
            return found, None
    resampling = Resampling.between(raw.shape, job.shape)
    volume, resampled = raw, None
    if not resampling.identity:
        volume = resampled = resampling.whole(as_float(raw), threads=threads)
    statistics = measure(volume, job.model.card.input.normalisation, where=where)
    if known is not None:
        known.put(key, statistics)
    return statistics, resampled
