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

_KINDS = {Z: "z-stacks", TIME: "time series"}


def findings(study: Study, rows: Sequence[Row]) -> list[str]:
    """Sentences on the table of a study."""
    return _FOUND[study](rows)


def compare(a: Summary, b: Summary) -> str:
    """Which of two is higher, where the difference is larger than what another seed would make of it.

    The seeds are few: the difference has to exceed twice its standard error, which is no test but keeps one from
    reading an order into chance.
    """
    n = min(len(a.values), len(b.values))
    if n < 2:
        return "undecided (one seed)"
    error = math.sqrt((a.spread**2 + b.spread**2) / n)
    difference = a.mean - b.mean
    if abs(difference) <= 2 * error:
        return f"undecided (difference {difference:+.3f}, standard error over {n} seeds {error:.3f})"
    return "first" if difference > 0 else "second"


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
    return _from_to(rows, lambda row: row.training_fields, "training sets")


def _patch_size(rows: Sequence[Row]) -> list[str]:
    lines = _from_to(rows, lambda row: row.patch, "pixels")
    return [*lines, "Every run has the same number of iterations and of patches: larger patches show it more voxels."]


def _from_to(rows: Sequence[Row], key: Callable[[Row], int], what: str) -> list[str]:
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
        same = "as in the paper" if (verdict == "first") == unet_first else "the reverse of the paper's"
        order = f"the order is {same}" if verdict in ("first", "second") else verdict
        lines.append(f"{kind}: U-Net {_with_spread(found['unet'])}, GVTNet {_with_spread(found['gvtnet'])}; {order}.")
    return lines


def _combined(rows: Sequence[Row]) -> list[str]:
    lines = []
    for index, target in TARGETS.items():
        for letter, kind in _KINDS.items():
            mine = [row for row in rows if row.target == target and row.tested_on == letter]
            found = summarise(mine, lambda row: row.recipe)
            specific, combined = found.get(f"{letter}{index}"), found.get(f"{Z}{TIME}{index}")
            if specific is None or combined is None:
                continue
            verdict = {"first": "the specific one is better", "second": "the combined one is better"}
            outcome = compare(specific, combined)
            lines.append(
                f"{NAMES[target]}, {kind}: specific {_with_spread(specific)}, combined {_with_spread(combined)}; "
                f"{verdict.get(outcome, outcome)}."
            )
    return lines


def _with_spread(summary: Summary) -> str:
    if math.isnan(summary.spread):
        return f"{summary.mean:.3f}"
    return f"{summary.mean:.3f} ± {summary.spread:.3f}"


_FOUND: Mapping[Study, Callable[[Sequence[Row]], list[str]]] = {
    "models": _models,
    "training-size": _training_size,
    "patch-size": _patch_size,
    "architecture": _architecture,
    "combined": _combined,
}
