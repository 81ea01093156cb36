"""Where and when mitochondria divide and join: one event after the other, at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from napari_mito_predict.simulation.dynamics import Dynamics, Event
from napari_mito_predict.simulation.history import Change, History
from napari_mito_predict.simulation.network import Network

if TYPE_CHECKING:
    from napari_mito_predict.simulation.cell import Mitochondria
    from napari_mito_predict.simulation.network import Indices

_CUT_UM = 1.2
_RETRACTS_UM = 0.5
"""Length on either side of a fission that shortens, and by how much the new end retracts."""
_STRETCH_UM = 2.5
_REACH_UM = 1.2
_SIDE_UM = 1.0
"""Length behind an end that stretches, how far it reaches, and length on either side of where it joins that is left in
peace."""
_CLEAR_UM = 0.3
"""No third mitochondrion comes nearer than this to the way of an end, from axis to axis."""
_TRIES = 40


def draw_history(
    rng: np.random.Generator,
    mitochondria: Mitochondria,
    nucleoids: Indices,
    dynamics: Dynamics,
    duration_s: float,
    first_object: int = 1,
) -> History:
    """Draw the events of one cell.

    Waiting times are exponential, at a rate that goes with the number of mitochondria at that time (Gillespie 1977).

    Parameters
    ----------
    rng : Generator
    mitochondria : Mitochondria
        At the start.
    nucleoids : (N,) array
        Index of the ball that each nucleoid lies in.
    dynamics : Dynamics
    duration_s : float
        From the first frame to the last.
    first_object : int
        Number of the first object.

    Returns
    -------
    History
    """
    drawing = _Drawing(rng, mitochondria, first_object)
    both = dynamics.fissions_per_min + dynamics.fusions_per_min
    time_s = 0.0
    while both and drawing.count:
        time_s += rng.exponential(60 / (both * drawing.count))
        if time_s > duration_s:
            break
        if rng.random() < dynamics.fissions_per_min / both:
            drawing.divide(time_s)
        else:
            drawing.join(time_s)
    return History(mitochondria, nucleoids, tuple(drawing.changes), np.array(drawing.objects))


class _Drawing:
    """Events drawn so far. Every ball takes part in one of them at most, so that the order of their effects is free."""

    def __init__(self, rng: np.random.Generator, mitochondria: Mitochondria, first_object: int) -> None:
        self._rng = rng
        self._network = Network.of(mitochondria)
        self._used = np.zeros(len(mitochondria.points), bool)
        self._places = mitochondria.points.copy()
        self.changes: list[Change] = []
        self.objects = [self._network.components() + first_object]
        self._next = int(self.objects[0].max(initial=first_object - 1)) + 1

    @property
    def count(self) -> int:
        """Number of mitochondria now."""
        return len(np.unique(self.objects[-1]))

    def divide(self, time_s: float) -> None:
        """Cut a tubule somewhere, if one is long enough."""
        degree = self._network.degree()
        edges = self._network.edges
        free = ~self._used[edges].any(axis=1) & (degree[edges] == 2).all(axis=1)
        for edge in self._some(np.flatnonzero(free)):
            sides = self._sides(edge)
            if sides is not None:
                self._cut(edge, sides, time_s)
                return

    def _sides(self, edge: int) -> tuple[Indices, Indices] | None:
        """Balls on both sides of an edge, nearest first; None if the tubule ends, forks or is taken within them."""
        network = self._network.without(edge)
        degree = network.degree()
        found = []
        for ball in self._network.edges[edge]:
            distance = network.distances(int(ball), _CUT_UM)
            balls = np.argsort(distance)[: np.count_nonzero(np.isfinite(distance))]
            inner = balls[1:-1]
            if distance[balls[-1]] < _CUT_UM - 0.2 or self._used[balls].any() or (degree[inner] != 2).any():
                return None
            found.append(balls)
        return found[0], found[1]

    def _cut(self, edge: int, sides: tuple[Indices, Indices], time_s: float) -> None:
        points = self._network.points
        ends = points[self._network.edges[edge]]
        self._network = self._network.without(edge)
        shifts = []
        distances = []
        for balls in sides:
            along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points[balls], axis=0), axis=1))])
            # What was evenly spread over the whole length is now spread over the length without the gap.
            pushed = _RETRACTS_UM + along * (1 - _RETRACTS_UM / along[-1])
            moved = np.column_stack([np.interp(pushed, along, points[balls, axis]) for axis in range(3)])
            shifts.append(moved - points[balls])
            distances.append(along)
        parts = self._new_objects(2)
        objects = self.objects[-1].copy()
        whole = int(objects[sides[0][0]])
        components = self._network.components()
        for balls, part in zip(sides, parts, strict=True):
            objects[components == components[balls[0]]] = part
        event = Event("fission", time_s, ends.mean(axis=0), whole, (parts[0], parts[1]))
        change = Change(event, np.concatenate(sides), np.concatenate(shifts), np.concatenate(distances))
        self._take(change, objects)

    def join(self, time_s: float) -> None:
        """Let an end reach out to another mitochondrion, if one is near enough."""
        ends = np.flatnonzero((self._network.degree() == 1) & ~self._used)
        free = np.flatnonzero(~self._used)
        if not len(ends):
            return
        tree = KDTree(self._network.points[free])
        for end in self._some(ends):
            near = free[tree.query_ball_point(self._network.points[end], _REACH_UM)]
            target = self._target(end, near)
            if target is None:
                continue
            distance = self._network.distances(end, _STRETCH_UM)
            balls = np.flatnonzero(np.isfinite(distance))
            if not self._used[balls].any():
                self._stretch(end, target, balls, distance[balls], time_s)
                return

    def _target(self, end: int, near: Indices) -> int | None:
        """The nearest ball of another mitochondrion, if nothing is in the way."""
        objects = self.objects[-1]
        points = self._network.points
        others = near[objects[near] != objects[end]]
        if not len(others):
            return None
        target = int(others[np.argmin(np.linalg.norm(points[others] - points[end], axis=1))])
        way = points[end] + np.linspace(0, 1, 7)[:, None] * (points[target] - points[end])
        third = (objects != objects[end]) & (objects != objects[target])
        if third.any() and np.min(KDTree(self._places[third]).query(way)[0]) < _CLEAR_UM:
            return None
        return target

    def _stretch(self, end: int, target: int, balls: Indices, distance: npt.NDArray[np.float64], time_s: float) -> None:
        points = self._network.points
        weight = 0.5 + 0.5 * np.cos(np.pi * distance / _STRETCH_UM)
        shift = weight[:, None] * (points[target] - points[end])
        objects = self.objects[-1].copy()
        parts = (int(objects[end]), int(objects[target]))
        whole = self._new_objects(1)[0]
        objects[np.isin(objects, parts)] = whole
        self._used |= np.isfinite(self._network.distances(target, _SIDE_UM))
        self._network = self._network.joined(end, target)
        event = Event("fusion", time_s, points[target].copy(), whole, parts)
        self._take(Change(event, balls, shift, distance), objects)

    def _take(self, change: Change, objects: Indices) -> None:
        self.changes.append(change)
        self.objects.append(objects)
        self._used[change.balls] = True
        self._places[change.balls] += change.shift

    def _new_objects(self, count: int) -> list[int]:
        new = [self._next + number for number in range(count)]
        self._next += count
        return new

    def _some(self, candidates: Indices) -> Indices:
        """A few of the candidates, in random order."""
        return self._rng.permutation(candidates)[:_TRIES]
