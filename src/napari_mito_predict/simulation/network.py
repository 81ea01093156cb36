"""Mitochondria as a graph: their balls are the nodes, and an edge joins two that follow each other along a tubule."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

if TYPE_CHECKING:
    from napari_mito_predict.simulation.cell import Mitochondria

Indices = npt.NDArray[np.int64]
_NEXT_UM = 0.2
"""Balls that follow each other are 0.1 um apart, a little more where a path climbs."""


class Network:
    """The graph of all mitochondria of a cell; it has no loops.

    Parameters
    ----------
    mitochondria : Mitochondria
        Balls follow each other along a path; the first of a branch follows the nearest one before it.

    Attributes
    ----------
    neighbours : list of set of int
        For each ball those that follow it or that it follows.
    """

    def __init__(self, mitochondria: Mitochondria) -> None:
        self._points = mitochondria.points
        self.neighbours: list[set[int]] = [set() for _ in self._points]
        owner = mitochondria.owner
        for ball in range(1, len(self._points)):
            if owner[ball] == owner[ball - 1]:
                self.link(self._before(ball, int(np.searchsorted(owner, owner[ball]))), ball)

    def _before(self, ball: int, first: int) -> int:
        """The ball that `ball` follows; `first` is the first one of the same mitochondrion."""
        distances = np.linalg.norm(self._points[first:ball] - self._points[ball], axis=1)
        if distances[-1] <= _NEXT_UM:
            return ball - 1
        return first + int(np.argmin(distances))

    def link(self, first: int, second: int) -> None:
        """Let two balls follow each other."""
        self.neighbours[first].add(second)
        self.neighbours[second].add(first)

    def unlink(self, first: int, second: int) -> None:
        """Let two balls no longer follow each other."""
        self.neighbours[first].discard(second)
        self.neighbours[second].discard(first)

    def degree(self) -> Indices:
        """Number of neighbours of each ball, (P,)."""
        return np.array([len(near) for near in self.neighbours], np.int64)

    def reached(self, ball: int, limit_um: float = math.inf, *, not_through: int | None = None) -> dict[int, float]:
        """Way along tubules from `ball` to all that are nearer than `limit_um`, in um; the nearest first or nearly so.

        No way leads through the ball `not_through`.
        """
        ways = {ball: 0.0}
        waiting = deque([ball])
        while waiting:
            here = waiting.popleft()
            for near in self.neighbours[here]:
                way = ways[here] + math.dist(self._points[here], self._points[near])
                if near not in ways and near != not_through and way <= limit_um:
                    ways[near] = way
                    waiting.append(near)
        return ways


def apart(mitochondria: Mitochondria, distance_um: float) -> npt.NDArray[np.bool_]:
    """Which mitochondria keep at least `distance_um` from the surface of all chosen before them, (M,)."""
    count = len(mitochondria.potential)
    chosen = np.ones(count, bool)
    if not distance_um:
        return chosen
    chosen[:] = False
    neighbours = _near_pairs(mitochondria, distance_um)
    for index in range(count):
        chosen[index] = not any(chosen[other] for other in neighbours.get(index, ()))
    return chosen


def _near_pairs(mitochondria: Mitochondria, distance_um: float) -> dict[int, set[int]]:
    """For each mitochondrion the earlier ones that are nearer than `distance_um`, surface to surface."""
    points = mitochondria.points
    radius = mitochondria.radius
    pairs = KDTree(points).query_pairs(distance_um + 2 * radius.max(initial=0), output_type="ndarray")
    owners = mitochondria.owner[pairs]
    pairs = pairs[owners[:, 0] != owners[:, 1]]
    gaps = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1) - radius[pairs].sum(axis=1)
    near: dict[int, set[int]] = {}
    for pair in np.unique(np.sort(mitochondria.owner[pairs[gaps < distance_um]], axis=1), axis=0):
        near.setdefault(int(pair[1]), set()).add(int(pair[0]))
    return near
