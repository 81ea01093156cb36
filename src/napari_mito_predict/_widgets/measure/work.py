"""A whole field is measured, in a worker."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psutil

from napari_mito_predict.errors import MeasurementError
from napari_mito_predict.measurement.measures import Structure

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict._widgets.measure.field import LayerSource
    from napari_mito_predict._widgets.measure.series_row import Following
    from napari_mito_predict.measurement import FieldRun, Frame, Measurements, MeasureSettings

_SHARE: Final = 0.5
"""Of the memory that is free: a stack is filtered in the other half."""

LabelStacks = dict[Structure, "npt.NDArray[np.int32]"]


@dataclass(slots=True)
class Watched:
    """What a worker does, for whoever looks now and then.

    Attributes
    ----------
    frames : int
        Time points that there are.
    message : str
        What is done now.
    """

    frames: int
    message: str = ""
    run: FieldRun | None = None

    @property
    def fraction(self) -> float:
        """How much is done, from 0 to 1."""
        if self.run is None:
            return 0.0
        return min(1.0, self.run.frames_done / self.frames)

    def hear(self, done: int, total: int, message: str) -> None:
        """Keep what is done now."""
        self.message = message


@dataclass(frozen=True, eq=False)
class Begun:
    """The worker computes."""


@dataclass(frozen=True, eq=False)
class Found:
    """What was measured.

    Attributes
    ----------
    measurements : Measurements
    labels : dict of Structure to int32 array
        (T, Z, Y, X). No number is used at two time points, so that each is one row of the table of objects.
    skeletons : int32 array or None
        The same for the skeletons of mitochondria.
    added : dict of Structure to list of int
        What was added to the numbers of each time point; last, what would be to those of one more.
    """

    measurements: Measurements
    labels: LabelStacks
    skeletons: npt.NDArray[np.int32] | None
    added: dict[Structure, list[int]]


class _Stacks:
    """Labels of all time points, filled one after the other."""

    def __init__(self, structures: Iterable[Structure], shape: tuple[int, ...]) -> None:
        self.labels: LabelStacks = {structure: np.zeros(shape, np.int32) for structure in structures}
        self.skeletons: npt.NDArray[np.int32] | None = None
        if Structure.MITOCHONDRIA in self.labels:
            self.skeletons = np.zeros(shape, np.int32)
        self.added: dict[Structure, list[int]] = {structure: [0] for structure in self.labels}

    def keep(self, frame: Frame) -> None:
        """Keep the labels of a time point."""
        for structure, labels in frame.labels.items():
            added = self.added[structure]
            _copy(labels, added[-1], self.labels[structure][frame.t])
            if structure is Structure.MITOCHONDRIA and self.skeletons is not None and frame.skeletons is not None:
                _copy(frame.skeletons.labels, added[-1], self.skeletons[frame.t])
            added.append(added[-1] + int(labels.max(initial=0)))


def preparing() -> Work:
    """Work that lets skan compile itself, which takes some seconds, before anybody waits for a measurement."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.measurement.skeletons import skeletonise
        from napari_mito_predict.measurement.voxels import Voxels

        yield skeletonise(np.ones((3, 9), np.int32), Voxels.of((1.0, 1.0), 2))

    return work


def measuring(
    sources: Mapping[Structure, LayerSource], settings: MeasureSettings, following: Following | None, watched: Watched
) -> Work:
    """Work that yields `Begun`, and at the end what was `Found`."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.measurement import FieldRun, Progress

        yield Begun()
        image = next(iter(sources.values())).image
        shape = tuple(image.sizes[axis] for axis in "TZYX")
        _check_memory(len(sources) + 1, shape)
        stacks = _Stacks(sources, shape)
        progress = Progress(watched.hear, should_stop)
        step_s = None if following is None else following.step_s
        dynamics = following is not None
        run = FieldRun(sources, settings, image.voxel_size_um, progress, dynamics=dynamics, step_s=step_s)
        watched.run = run
        for t in range(image.sizes["T"]):
            stacks.keep(run.frame(t))
        yield Found(run.result(), stacks.labels, stacks.skeletons, stacks.added)

    return work


def writing_tables(measurements: Measurements, path: Path) -> Work:
    """Work that writes all tables, and yields the paths."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.measurement import write_tables

        yield write_tables([measurements], path)

    return work


def writing_report(measurements: Measurements, path: Path) -> Work:
    """Work that writes a page of what was measured, and yields the path."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.report.measurement.page import write_measurement_report

        yield [write_measurement_report([measurements], path)]

    return work


def _check_memory(stacks: int, shape: tuple[int, ...]) -> None:
    """See that labels have room.

    Raises
    ------
    MeasurementError
        They need more than half of the memory that is free.
    """
    needed = stacks * math.prod(shape) * np.dtype(np.int32).itemsize
    free = psutil.virtual_memory().available
    if needed > _SHARE * free:
        raise MeasurementError(
            f"the labels of all time points need {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory are free. "
            "Measure a part of the series, or the file itself, which keeps no labels."
        )


def _copy(labels: npt.NDArray[Any], added: int, into: npt.NDArray[np.int32]) -> None:
    """Copy labels with a number added to each; background stays 0. A plane goes into a stack of one."""
    np.copyto(into, labels)
    if added:
        np.add(into, added, out=into, where=into > 0)
