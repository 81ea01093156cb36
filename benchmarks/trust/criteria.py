"""From PCC and colour of each pair of condition and model to whether the light was right."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from trust.conditions import BELOW_HALF, GREEN_IS_GOOD, NEAR, RED_CATCHES

COLOURS = ("green", "amber", "red")
CLASSES = ("near", "between", "below half")


@dataclass(frozen=True)
class Pair:
    """What was found for one condition and one model.

    Attributes
    ----------
    condition, model : str
    pcc : float
        Mean over fields; NaN where nothing was predicted, or nothing could be compared.
    matched : float
        The model's PCC on what it is made for.
    colours : tuple of str
        One for each field.
    same_structure : bool
        Whether the truth shows what the model predicts. If not, the prediction is bad by definition.
    """

    condition: str
    model: str
    pcc: float
    matched: float
    colours: tuple[str, ...]
    same_structure: bool = True

    @property
    def colour(self) -> str:
        """The middle one over the fields; of two, the worse."""
        ordered = sorted(self.colours, key=COLOURS.index)
        return ordered[len(ordered) // 2]

    @property
    def outcome(self) -> str:
        """One of `CLASSES`; empty where there is no PCC."""
        if not math.isfinite(self.pcc):
            return ""
        if not self.same_structure or self.pcc < BELOW_HALF * self.matched:
            return "below half"
        if self.pcc >= self.matched - NEAR:
            return "near"
        return "between"


@dataclass(frozen=True)
class Verdict:
    """Shares of the two criteria; None where there is nothing to take a share of.

    Attributes
    ----------
    red_catches : float or None
        Red among the pairs below half.
    green_is_good : float or None
        Near among the green pairs.
    table : dict of (colour, class) to int
    """

    red_catches: float | None
    green_is_good: float | None
    table: dict[tuple[str, str], int]

    @property
    def met(self) -> tuple[bool, bool]:
        """Whether each criterion is met; what nothing contradicts is not met either."""
        catches = self.red_catches is not None and self.red_catches >= RED_CATCHES
        good = self.green_is_good is not None and self.green_is_good >= GREEN_IS_GOOD
        return catches, good


def judge(pairs: Iterable[Pair]) -> Verdict:
    """Apply the criteria to all pairs that have a PCC."""
    counts = Counter((pair.colour, pair.outcome) for pair in pairs if pair.outcome)
    table = {cell: counts[cell] for cell in product(COLOURS, CLASSES)}
    bad = [table[colour, "below half"] for colour in COLOURS]
    green = [table["green", outcome] for outcome in CLASSES]
    return Verdict(_share(table["red", "below half"], bad), _share(table["green", "near"], green), table)


def _share(part: int, all_of: Sequence[int]) -> float | None:
    total = sum(all_of)
    if not total:
        return None
    return part / total
