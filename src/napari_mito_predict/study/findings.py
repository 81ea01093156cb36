"""What a study found here, in sentences that say no more than the numbers carry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_mito_predict.study.experiments import TIME, Study, Z
from napari_mito_predict.study.figures import NAMES
from napari_mito_predict.study.paper import TABLE_2
from napari_mito_predict.study.recipes import RECIPES, TARGETS
from napari_mito_predict.study.results import Row, Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FIRST = "first"
SECOND = "second"
"""Outcomes of `compare`."""

_KINDS = {Z: "z-stacks", TIME: "time series"}
_BETTER = {FIRST: "the specific one is better", SECOND: "the combined one is better"}


def findings(study: Study, rows: Sequence[Row]) -> list[str]:
    """Sentences on the table of a study."""
    return _FOUND[study](rows)


def compare(a: Summary, b: Summary) -> str:
    """Which of two is higher, where the difference is larger than what another seed would make of it.

    The seeds are few: the difference has to exceed twice its standard error, which is no test but keeps one from
    reading an order into chance.

    Returns
    -------
    str
        `FIRST`, `SECOND`, or why it is undecided.
    """
    n = min(len(a.values), len(b.values))
    if n < 2:
        return "undecided (one seed)"
    error = math.sqrt((a.spread**2 + b.spread**2) / n)
    difference = a.mean - b.mean
    if abs(difference) <= 2 * error:
        return f"undecided (difference {difference:+.3f}, standard error over {n} seeds {error:.3f})"
    if difference > 0:
        return FIRST
    return SECOND


def _models(rows: Sequence[Row]) -> list[str]:
    lines = []
    for index, target in TARGETS.items():
        found = summarise([row for row in rows if row.target == target], lambda row: row.tested_on)
        if not found:
            continue
        order = sorted(found, key=lambda letter: -found[letter].mean)
        shown = ", ".join(f"{letter}{index} {found[letter].mean:.3f}" for letter in order)
        lines.append(f"{NAMES[target]}, best first: {shown}.")
    kinds = {RECIPES[f"{row.tested_on}1"].third_axis for row in rows}
    if len(kinds) == 2:
        lines.append("One seed each: neighbours in this order may change places with another.")
    return lines


def _training_size(rows: Sequence[Row]) -> list[str]:
    return _trend(rows, lambda row: row.training_fields, "training sets")


def _patch_size(rows: Sequence[Row]) -> list[str]:
    lines = _trend(rows, lambda row: row.patch, "pixels")
    return [*lines, "Every run has the same number of iterations and of patches: larger patches show it more voxels."]


def _trend(rows: Sequence[Row], key: Callable[[Row], int], what: str) -> list[str]:
    """How the PCC goes with a number, if there are two or more of it."""
    found = dict(sorted(summarise(rows, key).items()))
    if len(found) < 2:
        return []
    best = max(found, key=lambda n: found[n].mean)
    numbers = ", ".join(f"{n}: {summary.mean:.3f}" for n, summary in found.items())
    return [f"PCC by number of {what}: {numbers}. Highest at {best}. One seed: small steps are chance."]


def _architecture(rows: Sequence[Row]) -> list[str]:
    lines = []
    for letter, kind in _KINDS.items():
        found = summarise([row for row in rows if row.tested_on == letter], lambda row: row.network)
        if len(found) < 2:
            continue
        axis = RECIPES[f"{letter}1"].third_axis
        unet_first = TABLE_2[axis, "unet"].pcc > TABLE_2[axis, "gvtnet"].pcc
        verdict = compare(found["unet"], found["gvtnet"])
        if verdict not in (FIRST, SECOND):
            order = verdict
        elif (verdict == FIRST) == unet_first:
            order = "the order is as in the paper"
        else:
            order = "the order is the reverse of the paper's"
        lines.append(f"{kind}: U-Net {found['unet'].words}, GVTNet {found['gvtnet'].words}; {order}.")
    return lines


def _combined(rows: Sequence[Row]) -> list[str]:
    lines = []
    for index, target in TARGETS.items():
        for letter, kind in _KINDS.items():
            mine = [row for row in rows if row.target == target and row.tested_on == letter]
            found = summarise(mine, lambda row: row.recipe)
            specific = found.get(f"{letter}{index}")
            combined = found.get(f"{Z}{TIME}{index}")
            if specific is None or combined is None:
                continue
            verdict = compare(specific, combined)
            lines.append(
                f"{NAMES[target]}, {kind}: specific {specific.words}, combined {combined.words}; "
                f"{_BETTER.get(verdict, verdict)}."
            )
    return lines


_FOUND: Mapping[Study, Callable[[Sequence[Row]], list[str]]] = {
    "models": _models,
    "training-size": _training_size,
    "patch-size": _patch_size,
    "architecture": _architecture,
    "combined": _combined,
}
