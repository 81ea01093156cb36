"""What was found, as plain data and as Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from trust.conditions import CONDITIONS, GREEN_IS_GOOD, RED_CATCHES
from trust.criteria import CLASSES, COLOURS, Pair, Verdict, judge

SIMULATED = frozenset(condition.name for condition in CONDITIONS if condition.simulated)
Lights = dict[str, dict[str, Any]]


def subsets(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """All pairs, and parts of them by what the cells are and what the truth is."""
    return {
        "all": list(pairs),
        "simulated cells": [pair for pair in pairs if pair.condition in SIMULATED],
        "real cells": [pair for pair in pairs if pair.condition not in SIMULATED],
        "truth is the model's target": [pair for pair in pairs if pair.same_structure],
        "truth is another structure": [pair for pair in pairs if not pair.same_structure],
    }


def as_data(pairs: Sequence[Pair], lights: Lights) -> dict[str, Any]:
    """For the result file."""
    return {
        "verdicts": {name: _verdict(judge(part)) for name, part in subsets(pairs).items()},
        "pairs": [_row(pair, lights) for pair in pairs],
    }


def _verdict(found: Verdict) -> dict[str, Any]:
    return {
        "red_catches": _rounded(found.red_catches),
        "green_is_good": _rounded(found.green_is_good),
        "table": {f"{colour}, {outcome}": number for (colour, outcome), number in found.table.items()},
    }


def _row(pair: Pair, lights: Lights) -> dict[str, Any]:
    return {
        "condition": pair.condition,
        "model": pair.model,
        "pcc": _rounded(pair.pcc),
        "matched": _rounded(pair.matched),
        "class": pair.outcome,
        "colour": pair.colour,
        "colours": list(pair.colours),
        "same_structure": pair.same_structure,
        "reasons": reasons(pair, lights),
    }


def reasons(pair: Pair, lights: Lights) -> dict[str, int]:
    """Code of each reason, with the number of fields that it was given for; the worst level of it before the code."""
    start = f"{pair.condition} | {pair.model} | "
    found = Counter(
        f"{reason['level']}: {reason['code']}"
        for key, light in lights.items()
        if key.startswith(start)
        for reason in light["reasons"]
    )
    return dict(found.most_common())


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return round(value, 3)


def markdown(pairs: Sequence[Pair], lights: Lights) -> Iterator[str]:
    """Criteria, the table of colours and classes, and what contradicts the light."""
    for name, part in subsets(pairs).items():
        yield from _criteria(name, judge(part))
    yield "\nNot as it should be:\n"
    yield "| condition | model | PCC / matched | light | reasons |"
    yield "|---|---|---|---|---|"
    yield from _rows([pair for pair in pairs if _wrong(pair)], lights)
    yield "\nAmber:\n"
    yield "| condition | model | PCC / matched | light | reasons |"
    yield "|---|---|---|---|---|"
    yield from _rows([pair for pair in pairs if pair.colour == "amber" and not _wrong(pair)], lights)
    yield "\nWithout a PCC:\n"
    yield "| condition | model | PCC / matched | light | reasons |"
    yield "|---|---|---|---|---|"
    yield from _rows([pair for pair in pairs if not pair.outcome], lights)


def _wrong(pair: Pair) -> bool:
    return (
        (pair.outcome == "below half" and pair.colour != "red")
        or (pair.outcome == "between" and pair.colour == "green")
        or (pair.outcome == "near" and pair.colour == "red")
    )


def _criteria(name: str, found: Verdict) -> Iterator[str]:
    yield f"\n{name}: red catches {_share(found.red_catches)} (at least {RED_CATCHES} wanted), "
    yield f"green is good {_share(found.green_is_good)} (at least {GREEN_IS_GOOD} wanted)\n"
    yield f"| light | {' | '.join(CLASSES)} |"
    yield "|---|" + "---|" * len(CLASSES)
    for colour in COLOURS:
        yield f"| {colour} | " + " | ".join(str(found.table[colour, outcome]) for outcome in CLASSES) + " |"


def _share(value: float | None) -> str:
    return "nothing to take a share of" if value is None else f"{value:.2f}"


def _rows(pairs: Iterable[Pair], lights: Lights) -> Iterator[str]:
    for pair in pairs:
        other = "" if pair.same_structure else " (another structure)"
        found = ", ".join(f"{code} x{number}" for code, number in reasons(pair, lights).items())
        yield (
            f"| {pair.condition}{other} | {pair.model} | {pair.pcc:.2f} / {pair.matched:.2f} | "
            f"{pair.colour} ({', '.join(pair.colours)}) | {found} |"
        )
