"""A living cell: organelles drift with a smooth flow; mitochondria thin out and recover, or divide and join."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_mito_predict.simulation.cell import Balls, Cell, Mitochondria
    from napari_mito_predict.simulation.history import History
    from napari_mito_predict.simulation.shapes import Points

_FLOWS = 6
_WAVES = 0.15
"""Spread of the wavevectors in rad per um: waves so long that neighbours move together. With 0.5 the flow folds, and
within half a minute organelles gather on lines, which no cell does."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A sum of travelling waves.

    Attributes
    ----------
    amplitude : (N, 3) array
        In um.
    wavevector : (N, 3) array
        In rad per um.
    phase, rate : (N,) arrays
        In rad and rad per second.
    """

    amplitude: Points
    wavevector: Points
    phase: Points
    rate: Points

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Flow:
        """Draw a random flow of about a micrometre, mostly in plane."""
        return cls(
            rng.normal(0, 0.35, (_FLOWS, 3)) * [0.3, 1, 1],
            rng.normal(0, _WAVES, (_FLOWS, 3)),
            rng.uniform(0, 6, _FLOWS),
            rng.normal(0, 0.04, _FLOWS),
        )

    def displace(self, points: Points, time_s: float) -> Points:
        """Where the (N, 3) points are after `time_s` seconds."""
        start = points @ self.wavevector.T + self.phase
        return points + (np.sin(start + self.rate * time_s) - np.sin(start)) @ self.amplitude


def moved(cell: Cell, flow: Flow, time_s: float, history: History | None = None) -> Cell:
    """The cell `time_s` seconds later: everything drifts.

    Mitochondria do what their `history` says. Without one they stay what they are, but every fourth thins and recovers.
    """
    if history is None:
        mitochondria = _thinned(cell.mitochondria, time_s)
    else:
        cell = history.cell(cell, time_s)
        mitochondria = cell.mitochondria

    def drift(balls: Balls) -> Balls:
        return replace(balls, points=flow.displace(balls.points, time_s))

    return replace(
        cell,
        mitochondria=replace(mitochondria, points=flow.displace(mitochondria.points, time_s)),
        nucleoids=drift(cell.nucleoids),
        droplets=drift(cell.droplets),
        vesicles=drift(cell.vesicles),
    )


def _thinned(mitochondria: Mitochondria, time_s: float) -> Mitochondria:
    # In um along each mitochondrion, whose points are 0.1 um apart; each one is in another phase.
    along = np.arange(len(mitochondria.points)) / 10 + mitochondria.owner
    thinning = np.clip(0.75 + 0.6 * np.sin(along + 0.03 * time_s), 0.05, 1)
    radius = np.where(mitochondria.owner % 4 == 0, mitochondria.radius * thinning, mitochondria.radius)
    return replace(mitochondria, radius=radius)
