"""Numbers of a series: how many mitochondria, how long, how often they divide and join, how fast they move.

Fissions and fusions are proxies: what is told from labels that overlap from one frame to the next, once the optical
flow between them is undone. Mitochondria are not followed as particles: that answers where each one goes, which nothing
here asks, and takes a tubule for a point.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_mito_predict.errors import MeasurementError
from napari_mito_predict.evaluation import pcc
from napari_mito_predict.measurement.motility import mean_displacement, optical_flow
from napari_mito_predict.measurement.overlaps import ObjectEvent, events_between, large_objects, lasting
from napari_mito_predict.measurement.progress import SILENT, Progress
from napari_mito_predict.measurement.settings import DynamicsSettings
from napari_mito_predict.measurement.skeletons import skeletonise
from napari_mito_predict.measurement.voxels import Voxels

if TYPE_CHECKING:
    import pandas as pd

    from napari_mito_predict.measurement.segmentation import VoxelSize

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class DynamicsTables:
    """Numbers of a series.

    Attributes
    ----------
    frames : pandas.DataFrame
        A row for each frame: ``frame``; ``time_s``; ``count``; ``mean_length`` and ``total_length`` of the middle
        lines; ``fissions``, ``fusions`` and ``balance``, their difference, since the frame before; ``displacement``,
        the mean way since the frame before; ``speed``, the same per second; ``pcc_previous`` and ``pcc_first``,
        Pearson's correlation of the pixels with those of the frame before and of the first. Lengths end in ``_um`` or
        ``_px``, speeds in ``_um_per_s`` or ``_px_per_s``. What needs a frame before is NaN in the first, in which
        there are no events.
    events : pandas.DataFrame
        A row for each fission and fusion: ``kind``; ``frame``, the first one after it; ``time_s``; ``z``, ``y``, ``x``
        with the unit, from the centre of the first voxel; ``whole``, ``part_1``, ``part_2``, labels: the parts of a
        fission and the whole of a fusion in ``frame``, the others in the frame before.
    summary : pandas.Series
        ``fissions``, ``fusions``, ``balance`` of the whole series; ``fissions_per_min`` and ``fusions_per_min``, for
        each object; means over all frames of ``count``, ``mean_length`` and ``speed``; ``pcc_half_time``, the seconds
        after which ``pcc_first`` is below one half, NaN if it never is.
    """

    frames: pd.DataFrame
    events: pd.DataFrame
    summary: pd.Series


def measure_dynamics(
    labels: Iterable[Array],
    voxel_size_um: VoxelSize,
    step_s: float | None,
    *,
    pixels: Iterable[Array] | None = None,
    settings: DynamicsSettings | None = None,
    total: int = 0,
    progress: Progress = SILENT,
) -> DynamicsTables:
    """Measure how mitochondria of a series change.

    Frames are taken one by one; two of them, and the pixels of the first, are held at a time.

    Parameters
    ----------
    labels : iterable of (Y, X) or (Z, Y, X) int arrays
        Objects of each frame, 0 is background. Their numbers need not agree from frame to frame. An array (T, Y, X) or
        (T, Z, Y, X) will do.
    voxel_size_um : sequence of float or None
        (z, y, x) or (y, x); None where unknown, then lengths are in pixels.
    step_s : float or None
        Time between frames; None where unknown, then times and everything per time are NaN.
    pixels : iterable of arrays, optional
        What the objects were found in, for movement and correlation. Default: whether there is an object.
    settings : DynamicsSettings, optional
    total : int
        Number of frames, for the progress; 0 where it is not known.
    progress : Progress

    Returns
    -------
    DynamicsTables

    Raises
    ------
    MeasurementError
        No frame, frames of different shapes, fewer or more pixels than labels, a time step that is not positive, or
        settings in micrometres where no size is known.
    MissingExtraError
        skan is not installed.
    MeasurementCancelled
    """
    series = None
    for frame, (here, image) in enumerate(_paired(labels, pixels)):
        progress.step(frame, max(total, frame + 1), "following mitochondria")
        if series is None:
            series = SeriesDynamics(Voxels.of(voxel_size_um, here.ndim), step_s, settings)
        series.add(here, image)
    if series is None:
        raise MeasurementError("there is no frame to be measured; a series has one at least.")
    return series.tables()


def _paired(labels: Iterable[Array], pixels: Iterable[Array] | None) -> Iterator[tuple[Array, Array]]:
    """Labels and pixels of each frame."""
    if pixels is None:
        for here in labels:
            yield np.asarray(here), (np.asarray(here) > 0).astype(np.float32)
        return
    for frame, (here, image) in enumerate(zip_longest(labels, pixels)):
        if here is None or image is None:
            lacking = "labels" if here is None else "pixels"
            raise MeasurementError(f"frame {frame} has no {lacking}; give as many frames of labels as of pixels.")
        yield np.asarray(here), np.asarray(image)


class SeriesDynamics:
    """How mitochondria of a series change, for who has its frames one by one; otherwise see `measure_dynamics`.

    Parameters
    ----------
    voxels : Voxels
    step_s : float or None
        Time between frames; None where unknown.
    settings : DynamicsSettings, optional

    Raises
    ------
    MeasurementError
        A time step that is not positive, or settings in micrometres where no size is known.
    """

    def __init__(self, voxels: Voxels, step_s: float | None, settings: DynamicsSettings | None = None) -> None:
        if step_s is not None and not step_s > 0:
            raise MeasurementError(f"the time between two frames is {step_s} s; it must be larger than 0.")
        self._voxels = voxels
        self._step_s = math.nan if step_s is None else step_s
        self._settings = DynamicsSettings.fitting(settings, voxels)
        self._least_voxels = voxels.content_of(self._settings.least_diameter)
        self._first: Array | None = None
        self._before: tuple[Array, Array] | None = None
        self._rows: list[dict[str, float]] = []
        self._events: list[ObjectEvent] = []

    def add(self, labels: Array, pixels: Array) -> None:
        """Measure the next frame.

        Parameters
        ----------
        labels : (Y, X) or (Z, Y, X) int array
        pixels : array of that shape
            Neither is copied: leave them as they are until the next frame is added.

        Raises
        ------
        MeasurementError
            Labels and pixels of different shapes, or not of the shape of the first frame.
        MissingExtraError
            skan is not installed.
        """
        first = pixels if self._first is None else self._first
        self._require_alike(labels, pixels, first)
        self._first = first
        large = large_objects(labels, self._least_voxels)
        branches = skeletonise(np.where(np.isin(labels, list(large)), labels, 0), self._voxels).branches
        row = {
            "count": len(large),
            "mean_length": float(branches["length"].sum()) / len(large) if len(large) else math.nan,
            "total_length": float(branches["length"].sum()),
            "displacement": math.nan,
            "pcc_previous": math.nan,
            "pcc_first": pcc(pixels, first),
        }
        if self._before is not None:
            row |= self._since(*self._before, labels, pixels)
        self._rows.append(row)
        self._before = (labels, pixels)

    def _since(self, before: Array, pixels_before: Array, labels: Array, pixels: Array) -> dict[str, float]:
        """What changed since the frame before; its events are kept."""
        forwards = self._flow(pixels_before, pixels)
        flows = forwards, self._flow(pixels, pixels_before)
        self._events += events_between(before, labels, flows, self._voxels, len(self._rows), self._settings)
        return {
            "displacement": mean_displacement(forwards, before, self._voxels),
            "pcc_previous": pcc(pixels, pixels_before),
        }

    def _flow(self, first: Array, second: Array) -> Array:
        return optical_flow(first, second, self._voxels, self._settings.smoothing)

    def _require_alike(self, labels: Array, pixels: Array, first: Array) -> None:
        frame = len(self._rows)
        if labels.shape != pixels.shape:
            raise MeasurementError(f"frame {frame} has labels of {labels.shape} and pixels of {pixels.shape} voxels.")
        if labels.shape != first.shape:
            raise MeasurementError(
                f"frame {frame} has the shape {labels.shape}, the first one {first.shape}; all frames of a "
                "series must have the same."
            )

    def tables(self) -> DynamicsTables:
        """All numbers, once the last frame was added; one at least was."""
        import pandas as pd

        unit = self._voxels.unit
        step = self._step_s
        events = lasting(self._events, self._settings.lasting, self._settings.near)
        frames = pd.DataFrame(self._rows)
        frames.insert(0, "frame", np.arange(len(frames)))
        frames.insert(1, "time_s", frames["frame"] * step)
        for place, kind in enumerate(("fission", "fusion"), start=5):
            numbers = [event.frame for event in events if event.kind == kind]
            frames.insert(place, f"{kind}s", np.bincount(np.array(numbers, int), minlength=len(frames)))
        frames.insert(7, "balance", frames["fissions"] - frames["fusions"])
        frames.insert(9, "speed", frames["displacement"] / step)
        summary = _summary(frames, step)
        lengths = {name: f"{name}_{unit}" for name in ("mean_length", "total_length", "displacement")}
        named = lengths | {"speed": f"speed_{unit}_per_s"}
        return DynamicsTables(
            frames=frames.rename(columns=named),
            events=_event_table(events, self._voxels, step),
            summary=summary.rename(named),
        )


def _event_table(events: list[ObjectEvent], voxels: Voxels, step_s: float) -> pd.DataFrame:
    import pandas as pd

    axes = [f"{axis}_{voxels.unit}" for axis in "zyx"[-voxels.ndim :]]
    columns = ["kind", "frame", "time_s", *axes, "whole", "part_1", "part_2"]
    rows = [
        (event.kind, event.frame, event.frame * step_s, *event.place, event.whole, *event.parts) for event in events
    ]
    return pd.DataFrame(rows, columns=columns)


def _summary(frames: pd.DataFrame, step_s: float) -> pd.Series:
    """Numbers of the whole series."""
    import pandas as pd

    # What can divide or join between two frames is what is there in the first of them.
    object_minutes = float(frames["count"][:-1].sum()) * step_s / 60
    found = {}
    for name in ("fissions", "fusions", "balance"):
        found[name] = float(frames[name].sum())
    for name in ("fissions", "fusions"):
        found[f"{name}_per_min"] = found[name] / object_minutes if object_minutes else math.nan
    for name in ("count", "mean_length", "speed"):
        found[name] = float(frames[name].mean())
    below = frames["time_s"][frames["pcc_first"] < 0.5]
    found["pcc_half_time"] = float(below.iloc[0]) if len(below) else math.nan
    return pd.Series(found)
