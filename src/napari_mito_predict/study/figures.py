"""The figures of the studies, from their tables; nothing here computes a score."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_path
from napari_mito_predict.study.experiments import TIME, Study, Z
from napari_mito_predict.study.paper import TABLE_2
from napari_mito_predict.study.recipes import LETTERS, RECIPES, TARGETS
from napari_mito_predict.study.results import Row, Summary, scored_on_all, summarise
from napari_mito_predict.study.scoring import BLURRED, MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "mitochondria": "#aa3377",
    "dna": "#4477aa",
    "unet": "#4477aa",
    "gvtnet": "#ee7733",
    Z: "#4477aa",
    TIME: "#ee7733",
    Z + TIME: "#228833",
}
"""Told apart with any kind of colour vision (Paul Tol's schemes)."""
NAMES = {
    "mitochondria": "mitochondria (TMRM)",
    "dna": "DNA (SYBR Gold)",
    "unet": "U-Net",
    "gvtnet": "GVTNet",
    Z: f"z model ({Z})",
    TIME: f"time model ({TIME})",
    Z + TIME: f"combined ({Z} and {TIME})",
}
_GREY = "#777777"
_DPI = 150
_ON_PAPER = "#f3efe6"
"""Background of panels that show the paper's own numbers."""


def save_figure(study: Study, rows: Sequence[Row], folder: Path, cells: str) -> Path:
    """Draw the figure of a study as PNG and SVG; gives the PNG.

    Parameters
    ----------
    study : str
    rows : sequence of Row
        Its table.
    folder : Path
    cells : str
        What the numbers are from, such as ``simulated cells``.
    """
    from matplotlib import rc_context

    folder.mkdir(parents=True, exist_ok=True)
    png = folder / f"{study}.png"
    with rc_context({"svg.hashsalt": study, "font.size": 8, "svg.fonttype": "none"}):
        figure = _DRAWN[study](rows, cells)
        for path in (png, png.with_suffix(".svg")):
            with atomic_path(path) as temporary:
                figure.savefig(temporary, dpi=_DPI, metadata={"Date": None} if path.suffix == ".svg" else None)
    return png


def _models(rows: Sequence[Row], cells: str) -> Figure:
    """Fig. 3: all models, and the spread over test sets of the best one of each target."""
    figure = _figure(10.5, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=[3.4, 1], sharey=True)
    letters = [letter for letter in LETTERS if any(row.tested_on == letter for row in rows)]
    for i, target in enumerate(TARGETS.values()):
        mine = [row for row in rows if row.target == target]
        places = {letter: x + (i - 0.5) * 0.36 for x, letter in enumerate(letters)}
        _bars(left, mine, lambda row: row.tested_on, places, 0.34, target)
        means = {letter: found.mean for letter, found in summarise(mine, lambda row: row.tested_on).items()}
        if means:
            best = max(means, key=lambda letter: means[letter])
            values = sorted(row.pcc for row in mine if row.tested_on == best and row.model == MODEL)
            spread = [i + 0.3 * (k / max(1, len(values) - 1) - 0.5) for k in range(len(values))]
            right.scatter(spread, values, s=16, color=COLOURS[target], alpha=0.8, linewidths=0)
            right.hlines(means[best], i - 0.25, i + 0.25, color=COLOURS[target], linewidth=2)
            right.text(i, 0.02, f"{best}{i + 1}", ha="center", fontsize=9, transform=right.get_xaxis_transform())
    left.set_xticks(range(len(letters)), [_imaging(letter) for letter in letters], fontsize=7)
    borders = [x - 0.5 for x in range(1, len(letters)) if _axis(letters[x]) != _axis(letters[x - 1])]
    for border in borders:
        left.axvline(border, color=_GREY, linewidth=0.8, linestyle=":")
    left.set_title(f"PCC on {cells}, by recipe (dots: test fields)", fontsize=9)
    left.set_ylabel("PCC")
    left.legend(fontsize=7, frameon=False, loc="upper left", ncols=3)
    right.set_title("best model: its test fields", fontsize=9)
    right.set_xticks(range(2), ["mitochondria", "DNA"])
    right.set_xlim(-0.6, 1.6)
    low, high = left.get_ylim()
    left.set_ylim(low, high + 0.12 * (high - low))
    return figure


def _training_size(rows: Sequence[Row], cells: str) -> Figure:
    figure = _curve(rows, lambda row: row.training_fields, "training sets", cells)
    axis = figure.axes[0]
    if axis.get_xlim()[1] > 32:
        axis.axvline(32, color=_GREY, linewidth=0.8, linestyle=":")
        axis.annotate(
            "paper: flat from here", (32, 0.3), xycoords=("data", "axes fraction"), ha="right", va="bottom",
            rotation=90, fontsize=7, color=_GREY,
        )  # fmt: skip
    return figure


def _patch_size(rows: Sequence[Row], cells: str) -> Figure:
    return _curve(rows, lambda row: row.patch, "patch: rows and columns", cells)


def _architecture(rows: Sequence[Row], cells: str) -> Figure:
    """Table 2: the paper's numbers and ours, in panels of their own."""
    figure = _figure(10, 3.1)
    panels = figure.subplots(1, 4)
    for metric, (paper, ours) in zip(("pcc", "ssim_global"), (panels[:2], panels[2:]), strict=True):
        label = "PCC" if metric == "pcc" else "SSIM, global form"
        for i, network in enumerate(("unet", "gvtnet")):
            places = {letter: x + (i - 0.5) * 0.36 for x, letter in enumerate((Z, TIME))}
            reported = [getattr(TABLE_2[_axis(letter), network], metric) for letter in places]
            paper.bar(list(places.values()), reported, 0.34, color=COLOURS[network], alpha=0.55, label=NAMES[network])
            for x, value in zip(places.values(), reported, strict=True):
                paper.text(x, value, f"{value:.3f}", ha="center", va="bottom", fontsize=7)
            mine = [row for row in rows if row.network == network]
            _bars(ours, mine, lambda row: row.tested_on, places, 0.34, network, metric=metric, seeds=True)
        paper.set_facecolor(_ON_PAPER)
        paper.set_title(f"{label}\nthe paper, real cells", fontsize=9)
        ours.set_title(f"{label}\nhere, {cells}", fontsize=9)
        for axis in (paper, ours):
            axis.set_xticks(range(2), [f"z-stacks\n({Z}1)", f"time series\n({TIME}1)"])
        lows, highs = zip(paper.get_ylim(), ours.get_ylim(), strict=True)
        for axis in (paper, ours):
            axis.set_ylim(min(lows), max(highs) * 1.08)
    _legend_below(figure, panels[0])
    return figure


def _combined(rows: Sequence[Row], cells: str) -> Figure:
    """Figs. 5, 6: models of one kind of input and of both, on each kind; and one network of both targets."""
    figure = _figure(10.5, 3.4)
    panels = figure.subplots(1, 3, width_ratios=[1.35, 1.35, 1])
    kinds = {"z-stacks": Z, "time series": TIME, "both": Z + TIME}
    for (index, target), axis in zip(TARGETS.items(), panels[:2], strict=True):
        for i, letters in enumerate((Z, TIME, Z + TIME)):
            mine = [row for row in rows if row.recipe == f"{letters}{index}"]
            places = {kind: x + (i - 1) * 0.27 for x, kind in enumerate(kinds)}
            found = {kind: scored_on_all(mine, tested_on) for kind, tested_on in kinds.items()}
            for kind, some in found.items():
                name = letters if kind == "both" else ""
                _bars(axis, some, lambda row, kind=kind: kind, places, 0.25, letters, label=bool(name), seeds=True)  # type: ignore[misc]
        axis.set_xticks(range(3), [f"tested on\n{kind}" for kind in kinds])
        axis.set_title(f"{NAMES[target]}, PCC on {cells}", fontsize=9)
        if not any(row.recipe.endswith(index) and row.target == target for row in rows):
            axis.text(0.5, 0.5, "not trained yet", ha="center", color=_GREY, transform=axis.transAxes)
    last = panels[2]
    for i, (name, recipes) in enumerate(
        (("right: one model each", [f"{Z}1", f"{Z}2"]), ("right: one of both", [f"{Z}12"]))
    ):
        mine = [row for row in rows if row.recipe in recipes and row.tested_on == Z]
        places = {target: x + (i - 0.5) * 0.36 for x, target in enumerate(TARGETS.values())}
        _bars(last, mine, lambda row: row.target, places, 0.34, Z, alpha=1 - 0.5 * i, name=name, seeds=True)
    last.set_xticks(range(2), ["mitochondria", "DNA"])
    last.set_title("z-stacks: two models, or one of both", fontsize=9)
    _legend_below(figure, panels[0], last)
    return figure


_DRAWN: Mapping[Study, Callable[[Sequence[Row], str], Figure]] = {
    "models": _models,
    "training-size": _training_size,
    "patch-size": _patch_size,
    "architecture": _architecture,
    "combined": _combined,
}


def _bars(
    axis: Axes,
    rows: Sequence[Row],
    key: Callable[[Row], str],
    places: Mapping[str, float],
    width: float,
    colour: str,
    *,
    metric: str = "pcc",
    seeds: bool = False,
    label: bool = True,
    name: str = "",
    alpha: float = 1.0,
) -> None:
    """Means as bars; on them a dot for each seed, with the spread over seeds, or else one for each test field."""
    found = summarise(rows, key, metric)
    shown = {place: x for place, x in places.items() if place in found}
    axis.axhline(0, color="#333333", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    if not shown:  # runs that are not finished; an empty bar would still get a legend, of another colour
        return
    heights = [found[place].mean for place in shown]
    text = (name or NAMES[colour]) if label else None
    axis.bar(list(shown.values()), heights, width, color=COLOURS[colour], alpha=0.55 * alpha, label=text)
    for place, x in shown.items():
        values = found[place].values if seeds else tuple(_each(rows, key, place, metric))
        spots = [x + 0.5 * width * (k / (len(values) - 1) - 0.5) if len(values) > 1 else x for k in range(len(values))]
        axis.scatter(spots, values, s=7, color=COLOURS[colour], linewidths=0, zorder=3)
        if seeds and not math.isnan(found[place].spread):
            axis.errorbar(x, found[place].mean, found[place].spread, color="#333333", capsize=2.5, linewidth=1)
        if seeds:
            top = max(found[place].mean + _zero(found[place].spread), *values, 0)
            axis.text(x, top, f"{found[place].mean:.2f}", ha="center", va="bottom", fontsize=6.5)
    blurred = summarise(rows, key, metric, BLURRED)
    for place, x in shown.items():
        if place in blurred:
            axis.hlines(blurred[place].mean, x - width / 2, x + width / 2, color=_GREY, linewidth=1.2, zorder=2)


def _curve(rows: Sequence[Row], key: Callable[[Row], int], label: str, cells: str) -> Figure:
    """PCC over a number: the mean as a line, each test field as a dot."""
    figure = _figure(5.6, 3.4)
    axis = figure.subplots()
    found: dict[int, Summary] = dict(sorted(summarise(rows, key).items()))
    for row in rows:
        if row.model == MODEL:
            axis.scatter(key(row), row.pcc, s=9, color=COLOURS["mitochondria"], alpha=0.45, linewidths=0)
    means = [summary.mean for summary in found.values()]
    axis.plot(
        list(found), means, color=COLOURS["mitochondria"], marker="o", markersize=4.5, label="mean of test fields"
    )
    blurred = summarise(rows, key, "pcc", BLURRED)
    if blurred:
        height = sum(summary.mean for summary in blurred.values()) / len(blurred)
        axis.axhline(height, color=_GREY, linewidth=1.2, linestyle="--", label="blurred input, no network")
    axis.set_xscale("log", base=2)
    axis.set_xticks(list(found), [str(n) for n in found])
    axis.minorticks_off()
    axis.set_xlabel(label)
    axis.set_ylabel("PCC, mitochondria")
    axis.set_title(f"recipe {Z}1 on {cells}", fontsize=9)
    axis.legend(fontsize=7, frameon=False, loc="best")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def _legend_below(figure: Figure, *axes: Axes) -> None:
    """One legend under all panels, where it hides no bar."""
    handles = []
    labels = []
    for axis in axes:
        of_axis = axis.get_legend_handles_labels()
        handles += of_axis[0]
        labels += of_axis[1]
    figure.legend(handles, labels, fontsize=8, frameon=False, loc="outside lower center", ncols=len(labels))


def _each(rows: Sequence[Row], key: Callable[[Row], str], place: str, metric: str) -> list[float]:
    return sorted(getattr(row, metric) for row in rows if row.model == MODEL and key(row) == place)


def _imaging(letter: str) -> str:
    recipe = RECIPES[f"{letter}1"]
    kind = "z" if recipe.third_axis == "z" else "time"
    star = "*" if letter in (Z, TIME) else ""
    return f"{letter}{star}\n{recipe.detector}\n{kind} {recipe.step_words}\n{recipe.size} px"


def _axis(letter: str) -> str:
    return RECIPES[f"{letter}1"].third_axis


def _zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=_DPI)
