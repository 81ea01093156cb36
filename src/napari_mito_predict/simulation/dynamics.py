"""Fissions and fusions of mitochondria: how often they are asked for, and which took place.

Where and when they take place is drawn in `drawn_events`, what they do to a cell is in `history`.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_mito_predict.errors import SimulationError

if TYPE_CHECKING:
    from napari_mito_predict.simulation.shapes import Points

EventKind = Literal["fission", "fusion"]


@dataclass(frozen=True, slots=True)
class Dynamics:
    """How often mitochondria divide and join in a simulated series, and how far apart they lie.

    A fission is likelier the longer the mitochondrion, a fusion needs an end near another mitochondrion; both as
    observed by Cagalinec et al. (2013, J Cell Sci 126:2187). Where there is no room for an event it does not take
    place, so that fewer may be found than were asked for. No two events happen at the same place: a fusion that is
    undone at once ("kiss and run", Liu et al. 2009, EMBO J 28:3074) is not simulated.

    Attributes
    ----------
    fissions_per_min, fusions_per_min : float
        Expected number of events per mitochondrion and minute. Single mitochondria of INS1 and COS7 cells waited 24
        and 20 minutes from a fission to the next fusion (Twig et al. 2008, EMBO J 27:433), which is 0.04 to 0.05 per
        minute, and were divided as often.
    apart_um : float
        Mitochondria of which a part is nearer than this, from surface to surface, to one that was drawn before are
        left out. With 0 they touch and cross as in a simulation without events, and no image could tell them apart.

    Raises
    ------
    SimulationError
        A rate or distance that is negative or not finite.
    """

    fissions_per_min: float = 0.05
    fusions_per_min: float = 0.05
    apart_um: float = 0.3

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise SimulationError(
                    f"{field.name} is {value}; it must be a finite number that is not negative. Use 0 for none."
                )

    def to_json(self) -> str:
        """All settings as one line of JSON, for the metadata of a written file."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Event:
    """One fission or fusion.

    Attributes
    ----------
    kind : {"fission", "fusion"}
    time_s : float
        Since the first frame.
    place : (3,) array
        Where, (z, y, x) in um, before the cell has drifted.
    whole : int
        The object that is divided by a fission, or made by a fusion.
    parts : tuple of two int
        The objects that a fission leaves, or a fusion joins.
    """

    kind: EventKind
    time_s: float
    place: Points
    whole: int
    parts: tuple[int, int]
