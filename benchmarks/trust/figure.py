"""Each condition and model as a point: how good the prediction was, and which colour the light had given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

from trust.conditions import BELOW_HALF, CONDITIONS, MATCHED, SHIPPED
from trust.tables import SIMULATED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from trust.criteria import Pair

_FACES = {"green": "#2e9e4f", "amber": "#f2a900", "red": "#d1343a"}
_MARKERS = {"mito-z": "o", "dna-z": "s", "mito-t": "^", "dna-t": "v", SHIPPED: "D"}
_HELD_OUT = "P"
_LOWEST, _HIGHEST = -0.4, 1.6
"""What lies beyond is drawn on the edge."""


def draw(pairs: Sequence[Pair], path: Path) -> None:
    """Write the figure as PNG."""
    halves = (
        ("Simulated cells", [pair for pair in pairs if pair.condition in SIMULATED]),
        ("Real cells", [pair for pair in pairs if pair.condition not in SIMULATED]),
    )
    figure, axes = plt.subplots(1, 2, figsize=(13, 10), layout="constrained")
    for axis, (title, part) in zip(axes, halves, strict=True):
        _panel(axis, title, [pair for pair in part if math.isfinite(pair.pcc)])
    figure.legend(handles=_legend(), loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(axis: Axes, title: str, pairs: Sequence[Pair]) -> None:
    present = {pair.condition for pair in pairs}
    names = [condition.name for condition in CONDITIONS if condition.name in present]
    axis.axvspan(_LOWEST, BELOW_HALF, color="0.93", zorder=0)
    axis.axvline(1, color="0.5", linewidth=0.8, zorder=1)
    for row, name in enumerate(names):
        axis.axhline(row, color="0.88", linewidth=0.6, zorder=1)
        here = [pair for pair in pairs if pair.condition == name]
        for place, pair in enumerate(here):
            height = row + 0.22 * (place - (len(here) - 1) / 2)
            _point(axis, pair, height)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(_LOWEST, _HIGHEST)
    axis.set_xlabel("PCC relative to the model's PCC on its own kind of image")
    axis.set_title(title)
    axis.xaxis.label.set_size(9)


def _point(axis: Axes, pair: Pair, height: float) -> None:
    colour = _FACES[pair.colour]
    axis.plot(
        min(max(pair.pcc / pair.matched, _LOWEST), _HIGHEST),
        height,
        _MARKERS.get(pair.model, _HELD_OUT),
        markerfacecolor=colour if pair.same_structure else "white",
        markeredgecolor=colour if not pair.same_structure else "black",
        markeredgewidth=1.4 if not pair.same_structure else 0.4,
        markersize=7,
        zorder=3,
        clip_on=False,
    )


def _legend() -> list[Line2D]:
    def mark(marker: str, label: str, **how: object) -> Line2D:
        return Line2D([], [], marker=marker, linestyle="", markersize=7, label=label, **how)  # type: ignore[arg-type]

    models = [mark(marker, model, color="0.4") for model, marker in _MARKERS.items()]
    (held_out,) = (model for model in MATCHED if model not in _MARKERS)
    colours = [mark("o", f"light: {name}", color=colour) for name, colour in _FACES.items()]
    hollow = mark("o", "truth is another structure", markerfacecolor="white", markeredgecolor="0.3")
    return [*models, mark(_HELD_OUT, held_out, color="0.4"), *colours, hollow]
