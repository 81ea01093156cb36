"""What becomes of the mitochondria of one cell: they constrict and divide, stretch out and join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from napari_mito_predict.simulation.network import apart

if TYPE_CHECKING:
    from napari_mito_predict.simulation.cell import Cell, Mitochondria, Values
    from napari_mito_predict.simulation.dynamics import Event
    from napari_mito_predict.simulation.network import Indices
    from napari_mito_predict.simulation.shapes import Points

_APPROACH_S = 20.0
_CONSTRICTION_S = 30.0
_RETRACTION_S = 6.0
_NECK = 0.5
_NECK_UM = 0.3
"""How long an end stretches before it joins, and a place thins before it divides; how fast the new ends retract; and to
which part of its radius, over which length, a tubule is constricted."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one event does to the balls around it.

    Attributes
    ----------
    event : Event
    balls : (N,) array
        Indices of those that move.
    shift : (N, 3) array
        How far, in the end, in um.
    distance : (N,) array
        From the place of the event along the tubule, in um.
    """

    event: Event
    balls: Indices
    shift: Points
    distance: Values

    def progress(self, time_s: float) -> float:
        """Which part of the way the balls have gone, 0 to 1."""
        since = time_s - self.event.time_s
        if self.event.kind == "fission":
            return float(1 - np.exp(-max(since, 0) / _RETRACTION_S))
        part = np.clip(1 + since / _APPROACH_S, 0, 1)
        return float(part**2 * (3 - 2 * part))

    def thinning(self, time_s: float) -> npt.NDArray[np.float64]:
        """Factor on the radius of each ball, (N,)."""
        if self.event.kind == "fusion":
            return np.ones(len(self.balls))
        since = time_s - self.event.time_s
        constricted = np.clip(1 + since / _CONSTRICTION_S, 0, 1) * (1 - self.progress(time_s))
        return np.asarray(1 - _NECK * constricted * np.exp(-((self.distance / _NECK_UM) ** 2)))


@dataclass(frozen=True, slots=True)
class History:
    """The mitochondria of one cell over time.

    Attributes
    ----------
    start : Mitochondria
        Before any event.
    nucleoids : (N,) array
        Index of the ball that each nucleoid lies in.
    changes : tuple of Change
        In the order of their times.
    objects : (E + 1, P) array
        Object that each ball belongs to, before the first event and after each of the E; they begin with 1.
    """

    start: Mitochondria
    nucleoids: Indices
    changes: tuple[Change, ...]
    objects: Indices

    def mitochondria(self, time_s: float) -> Mitochondria:
        """All mitochondria `time_s` seconds after the first frame, without drift.

        Their refractive index and brightness stay those that they were drawn with, so that nothing but its shape
        tells which of them divided.
        """
        points = self.start.points.copy()
        radius = self.start.radius.copy()
        for change in self.changes:
            points[change.balls] += change.progress(time_s) * change.shift
            radius[change.balls] *= change.thinning(time_s)
        return replace(self.start, points=points, radius=radius)

    def objects_at(self, time_s: float) -> Indices:
        """Object that each ball belongs to after `time_s` seconds, (P,)."""
        past = sum(change.event.time_s <= time_s for change in self.changes)
        return np.asarray(self.objects[past])

    def cell(self, cell: Cell, time_s: float) -> Cell:
        """`cell` with its mitochondria and nucleoids as they are after `time_s` seconds, without drift."""
        mitochondria = self.mitochondria(time_s)
        nucleoids = replace(cell.nucleoids, points=mitochondria.points[self.nucleoids])
        return replace(cell, mitochondria=mitochondria, nucleoids=nucleoids)


def with_room(cell: Cell, distance_um: float) -> tuple[Cell, Indices]:
    """The cell with only those mitochondria that lie apart, and the index of the ball each nucleoid lies in."""
    mitochondria = cell.mitochondria
    kept = apart(mitochondria, distance_um)
    balls = kept[mitochondria.owner]
    if not balls.any():
        nothing = np.zeros(len(cell.nucleoids.points), bool)
        return _only(cell, kept, balls, nothing), np.empty(0, np.int64)
    nearest = np.asarray(KDTree(mitochondria.points).query(cell.nucleoids.points)[1], np.int64)
    nucleoids = balls[nearest]
    renumbered = np.cumsum(balls) - 1
    return _only(cell, kept, balls, nucleoids), renumbered[nearest[nucleoids]]


def _only(
    cell: Cell, kept: npt.NDArray[np.bool_], balls: npt.NDArray[np.bool_], nucleoids: npt.NDArray[np.bool_]
) -> Cell:
    """The cell with the mitochondria `kept` (M,), their `balls` (P,) and these `nucleoids` (N,)."""
    everything = cell.mitochondria
    renumbered = np.cumsum(kept) - 1
    mitochondria = replace(
        everything,
        points=everything.points[balls],
        radius=everything.radius[balls],
        owner=renumbered[everything.owner[balls]],
        index_step=everything.index_step[kept],
        potential=everything.potential[kept],
    )
    spots = cell.nucleoids
    spots = replace(spots, points=spots.points[nucleoids], radius=spots.radius[nucleoids], value=spots.value[nucleoids])
    return replace(cell, mitochondria=mitochondria, nucleoids=spots)


def events_of(histories: Sequence[History]) -> list[Event]:
    """All events, in the order of their times."""
    changes = chain.from_iterable(history.changes for history in histories)
    return sorted((change.event for change in changes), key=lambda event: event.time_s)
