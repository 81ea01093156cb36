"""Where and when mitochondria divide and join: one event after the other, at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from napari_mito_predict.simulation.dynamics import Dynamics, Event
from napari_mito_predict.simulation.history import Change, History
from napari_mito_predict.simulation.network import Network

if TYPE_CHECKING:
    from napari_mito_predict.simulation.cell import Mitochondria
    from napari_mito_predict.simulation.network import Indices
    from napari_mito_predict.simulation.shapes import Points

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
        self._network = Network(mitochondria)
        self._points = mitochondria.points
        self._used = np.zeros(len(mitochondria.points), bool)
        self._places = mitochondria.points.copy()
        self.changes: list[Change] = []
        self.objects = [mitochondria.owner + first_object]
        self._next = first_object + len(mitochondria.potential)

    @property
    def count(self) -> int:
        """Number of mitochondria now."""
        return len(np.unique(self.objects[-1]))

    def divide(self, time_s: float) -> None:
        """Cut a tubule somewhere, if one is long enough."""
        free = np.flatnonzero(~self._used & (self._network.degree() == 2))
        for ball in self._some(free):
            other = min(self._network.neighbours[ball])
            sides = self._side(ball, other), self._side(other, ball)
            if sides[0] and sides[1]:
                self._cut(sides[0], sides[1], time_s)
                return

    def _side(self, ball: int, other: int) -> dict[int, float]:
        """Balls from `ball` on and away from `other`; none if the tubule ends, forks or is taken within them."""
        ways = self._network.reached(ball, _CUT_UM, not_through=other)
        balls = list(ways)
        forks = any(len(self._network.neighbours[inner]) != 2 for inner in balls[:-1])
        if forks or ways[balls[-1]] < _CUT_UM - 0.2 or self._used[balls].any():
            return {}
        return ways

    def _cut(self, first: dict[int, float], second: dict[int, float], time_s: float) -> None:
        ends = next(iter(first)), next(iter(second))
        self._network.unlink(*ends)
        parts = self._new_objects(2)
        objects = self.objects[-1].copy()
        whole = int(objects[ends[0]])
        shifts = []
        for ways, part in ((first, parts[0]), (second, parts[1])):
            shifts.append(self._retracting(ways))
            objects[list(self._network.reached(next(iter(ways))))] = part
        place = self._points[list(ends)].mean(axis=0)
        change = Change(
            event=Event("fission", time_s, place, whole, (parts[0], parts[1])),
            balls=np.array([*first, *second]),
            shift=np.concatenate(shifts),
            distance=np.array([*first.values(), *second.values()]),
        )
        self._take(change, objects)

    def _retracting(self, ways: dict[int, float]) -> Points:
        """How far the balls of one side move: what was spread over its whole length is spread without the gap."""
        points = self._points[list(ways)]
        along = np.array(list(ways.values()))
        pushed = _RETRACTS_UM + along * (1 - _RETRACTS_UM / along[-1])
        return np.column_stack([np.interp(pushed, along, points[:, axis]) for axis in range(3)]) - points

    def join(self, time_s: float) -> None:
        """Let an end reach out to another mitochondrion, if one is near enough."""
        ends = np.flatnonzero((self._network.degree() == 1) & ~self._used)
        free = np.flatnonzero(~self._used)
        if not len(ends):
            return
        tree = KDTree(self._points[free])
        for end in self._some(ends):
            near = free[tree.query_ball_point(self._points[end], _REACH_UM)]
            target = self._target(end, near)
            if target is None:
                continue
            ways = self._network.reached(end, _STRETCH_UM)
            if not self._used[list(ways)].any():
                self._stretch(end, target, ways, time_s)
                return

    def _target(self, end: int, near: Indices) -> int | None:
        """The nearest ball of another mitochondrion, if nothing is in the way."""
        objects = self.objects[-1]
        points = self._points
        others = near[objects[near] != objects[end]]
        if not len(others):
            return None
        target = int(others[np.argmin(np.linalg.norm(points[others] - points[end], axis=1))])
        way = points[end] + np.linspace(0, 1, 7)[:, None] * (points[target] - points[end])
        third = (objects != objects[end]) & (objects != objects[target])
        if third.any() and np.min(KDTree(self._places[third]).query(way)[0]) < _CLEAR_UM:
            return None
        return target

    def _stretch(self, end: int, target: int, ways: dict[int, float], time_s: float) -> None:
        distance = np.array(list(ways.values()))
        weight = 0.5 + 0.5 * np.cos(np.pi * distance / _STRETCH_UM)
        shift = weight[:, None] * (self._points[target] - self._points[end])
        objects = self.objects[-1].copy()
        parts = (int(objects[end]), int(objects[target]))
        whole = self._new_objects(1)[0]
        objects[np.isin(objects, parts)] = whole
        self._used[list(self._network.reached(target, _SIDE_UM))] = True
        self._network.link(end, target)
        event = Event("fusion", time_s, self._points[target].copy(), whole, parts)
        self._take(Change(event, np.array(list(ways)), shift, distance), objects)

    def _take(self, change: Change, objects: Indices) -> None:
        self.changes.append(change)
        self.objects.append(objects)
        self._used[change.balls] = True
        self._places[change.balls] += change.shift

    def _new_objects(self, count: int) -> list[int]:
        new = [self._next + number for number in range(count)]
        self._next += count
        return new

    def _some(self, candidates: Indices) -> list[int]:
        """A few of the candidates, in random order."""
        chosen: list[int] = self._rng.permutation(candidates)[:_TRIES].tolist()
        return chosen
