"""What happened in a simulated series: its fissions and fusions, and which mitochondrion is where in every frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_mito_predict.simulation.drawn_events import draw_history
from napari_mito_predict.simulation.history import History, events_of, with_room
from napari_mito_predict.simulation.label_balls import label_balls

if TYPE_CHECKING:
    from napari_mito_predict.simulation.cell import Cell
    from napari_mito_predict.simulation.dynamics import Dynamics, Event
    from napari_mito_predict.simulation.motion import Flow
    from napari_mito_predict.simulation.shapes import Grid, Points

EVENT_COLUMNS = ("event", "kind", "time_s", "frame", "z_um", "y_um", "x_um", "in_view", "whole", "part_1", "part_2")
_IN_VIEW_UM = 0.5
_STREAM = 2
"""How far above or below the recorded planes an event is still seen; and the number, beside the seed, of the stream of
random numbers, so that cells and noise are what they are without events."""


def living(
    seed: int, cells: Iterable[Cell], settings: Dynamics, times_s: Sequence[float], flow: Flow, grid: Grid
) -> tuple[list[Cell], TrueDynamics]:
    """Draw the events of all `cells`, in which only those mitochondria stay that lie apart."""
    rng = np.random.default_rng((seed, _STREAM))
    roomy = []
    histories: list[History] = []
    next_object = 1
    for cell in cells:
        chosen, nucleoids = with_room(cell, settings.apart_um)
        roomy.append(chosen)
        histories.append(draw_history(rng, chosen.mitochondria, nucleoids, settings, times_s[-1], next_object))
        next_object = int(histories[-1].objects.max(initial=next_object - 1)) + 1
    return roomy, TrueDynamics(settings, tuple(histories), flow, grid, tuple(times_s))


@dataclass(frozen=True, slots=True)
class TrueDynamics:
    """Fissions and fusions of a simulated series, and the geometry of every frame.

    Objects are numbered from 1 in all cells together. A fission ends one object and begins two, a fusion ends two and
    begins one, so that every number stands for the same mitochondrion in all frames.

    Attributes
    ----------
    settings : Dynamics
        What was asked for.
    histories : tuple of History
        One for each cell.
    flow : Flow
        How everything drifts.
    grid : Grid
        Voxels of the image.
    times_s : tuple of float
        Of the frames.
    """

    settings: Dynamics
    histories: tuple[History, ...]
    flow: Flow
    grid: Grid
    times_s: tuple[float, ...]

    def events(self) -> list[dict[str, Any]]:
        """Fissions and fusions in the order of their times.

        Returns
        -------
        list of dict
            ``event`` (number), ``kind`` ("fission" or "fusion"), ``time_s``, ``frame`` (the first one after it),
            ``z_um``, ``y_um``, ``x_um`` (from the centre of the first voxel of the image, at that time), ``in_view``
            (whether it lies in the image, or up to 0.5 um above or below it), ``whole`` and ``part_1``, ``part_2``:
            the objects, of which the parts were made by a fission or joined by a fusion. ``pandas.DataFrame`` takes
            it as it is.
        """
        return [self._row(number, event) for number, event in enumerate(events_of(self.histories), start=1)]

    def _row(self, number: int, event: Event) -> dict[str, Any]:
        place = self.flow.displace(event.place[None], event.time_s)[0] - np.array(self.grid.origin_um)
        extent = np.multiply(np.array(self.grid.shape) - 1, self.grid.voxel_size_um)
        margin = np.array([_IN_VIEW_UM, 0, 0])
        return {
            "event": number,
            "kind": event.kind,
            "time_s": event.time_s,
            "frame": int(np.searchsorted(self.times_s, event.time_s)),
            "z_um": float(place[0]),
            "y_um": float(place[1]),
            "x_um": float(place[2]),
            "in_view": bool(np.all((place >= -margin) & (place <= extent + margin))),
            "whole": event.whole,
            "part_1": event.parts[0],
            "part_2": event.parts[1],
        }

    def axes(self, frame: int) -> tuple[Points, npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Axes of all mitochondria in one frame, also of those outside the image.

        Returns
        -------
        points : (P, 3) array
            About 0.1 um apart along each tubule; (z, y, x) in um from the centre of the first voxel.
        radius : (P,) array
            Of the tubule there, in um.
        objects : (P,) array
            Number of the mitochondrion.
        """
        time_s = self.times_s[frame]
        points = [np.empty((0, 3))]
        radius = [np.empty(0)]
        objects = [np.empty(0, np.int64)]
        for history in self.histories:
            mitochondria = history.mitochondria(time_s)
            points.append(self.flow.displace(mitochondria.points, time_s) - np.array(self.grid.origin_um))
            radius.append(mitochondria.radius)
            objects.append(history.objects_at(time_s))
        return np.concatenate(points), np.concatenate(radius), np.concatenate(objects)

    def labels(self, frame: int) -> npt.NDArray[np.int32]:
        """Which mitochondrion each voxel of one frame lies in, (Z, Y, X); 0 where there is none.

        Where two overlap, the voxel belongs to the one whose axis is nearer, relative to its radius.
        """
        at_zero = replace(self.grid, origin_um=(0.0, 0.0, 0.0))
        return label_balls(at_zero, *self.axes(frame))

    def of_planes(self, planes: slice) -> TrueDynamics:
        """The same, where only some planes of the image were recorded."""
        whole = slice(0, self.grid.shape[1]), slice(0, self.grid.shape[2])
        return replace(self, grid=self.grid.cropped((planes, *whole)))

    def binned(self, factor: int) -> TrueDynamics:
        """The same on voxels `factor` times as wide in y and x."""
        grid = self.grid
        half = (factor - 1) / 2
        coarse = replace(
            grid,
            shape=(grid.shape[0], grid.shape[1] // factor, grid.shape[2] // factor),
            voxel_size_um=(grid.voxel_size_um[0], grid.voxel_size_um[1] * factor, grid.voxel_size_um[2] * factor),
            origin_um=(
                grid.origin_um[0],
                grid.origin_um[1] + half * grid.voxel_size_um[1],
                grid.origin_um[2] + half * grid.voxel_size_um[2],
            ),
        )
        return replace(self, grid=coarse)
