"""Mitochondria as a graph: their balls are the nodes, and an edge joins two that follow each other along a tubule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import KDTree

if TYPE_CHECKING:
    from napari_mito_predict.simulation.cell import Mitochondria
    from napari_mito_predict.simulation.shapes import Points

Indices = npt.NDArray[np.int64]
_NEXT_UM = 0.2
"""Balls that follow each other are 0.1 um apart, a little more where a path climbs."""


@dataclass(frozen=True, slots=True)
class Network:
    """The graph of all mitochondria of a cell; it has no loops.

    Attributes
    ----------
    points : (P, 3) array
        Centres of the balls in um.
    edges : (E, 2) array
        Balls that follow each other.
    """

    points: Points
    edges: Indices

    @classmethod
    def of(cls, mitochondria: Mitochondria) -> Network:
        """Find out which balls follow each other: those of a path, and the first of a branch and its nearest before."""
        points = mitochondria.points
        owner = mitochondria.owner
        joined = []
        for index in range(1, len(points)):
            if owner[index] != owner[index - 1]:
                continue
            first = int(np.searchsorted(owner, owner[index]))
            before = index - 1
            if np.linalg.norm(points[index] - points[before]) > _NEXT_UM:
                before = first + int(np.argmin(np.linalg.norm(points[first:index] - points[index], axis=1)))
            joined.append((before, index))
        return cls(points, np.array(joined, np.int64).reshape(-1, 2))

    def without(self, edge: int) -> Network:
        """The graph without one edge."""
        return Network(self.points, np.delete(self.edges, edge, axis=0))

    def joined(self, first: int, second: int) -> Network:
        """The graph with one more edge, between two balls."""
        return Network(self.points, np.concatenate([self.edges, [[first, second]]]))

    def degree(self) -> Indices:
        """Number of edges of each ball, (P,)."""
        return np.bincount(self.edges.ravel(), minlength=len(self.points))

    def components(self) -> Indices:
        """Number of the connected part that each ball belongs to, (P,)."""
        return np.asarray(connected_components(self._matrix(), directed=False)[1], np.int64)

    def distances(self, ball: int, limit_um: float) -> npt.NDArray[np.float64]:
        """Way from `ball` to each of the others in um, (P,); infinite beyond `limit_um` and to other parts."""
        return np.asarray(dijkstra(self._matrix(), directed=False, indices=ball, limit=limit_um))

    def _matrix(self) -> csr_array:
        ends = self.points[self.edges]
        lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
        shape = (len(self.points), len(self.points))
        return csr_array((np.maximum(lengths, 1e-6), (self.edges[:, 0], self.edges[:, 1])), shape=shape)


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
