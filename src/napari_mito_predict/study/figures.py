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
    from collections.abc import Callable, Iterable, Mapping, Sequence
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
_BLACK = "#333333"
_ON_PAPER = "#f3efe6"
"""Background of panels that show the paper's own numbers."""
_DPI = 150
_TINT = 0.55
"""Opacity of bars: the dots on them have to show."""
_PAIR = 0.36
"""From bar to bar where two stand side by side; groups of bars are 1 apart."""
_TRIPLE = 0.27
"""From bar to bar where three do."""
_ENOUGH_SETS = 32
"""Training sets from which on the paper's curve is flat (Fig. 4a)."""


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
            # A date would make another file of the same figure.
            metadata = {"Date": None} if path.suffix == ".svg" else None
            with atomic_path(path) as temporary:
                figure.savefig(temporary, dpi=_DPI, metadata=metadata)
    return png


def _models(rows: Sequence[Row], cells: str) -> Figure:
    """Fig. 3: all models, and the spread over test sets of the best one of each target."""
    figure = _figure(10.5, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=[3.4, 1], sharey=True)
    letters = [letter for letter in LETTERS if any(row.tested_on == letter for row in rows)]
    for i, target in enumerate(TARGETS.values()):
        of_target = [row for row in rows if row.target == target]
        places = _places(letters, i, 2, _PAIR)
        _bars(left, of_target, _tested_on, places, 0.34, COLOURS[target], label=NAMES[target])
        _best_model(right, of_target, i, target)
    left.set_xticks(range(len(letters)), [_imaging(letter) for letter in letters], fontsize=7)
    borders = [x - 0.5 for x in range(1, len(letters)) if _third_axis(letters[x]) != _third_axis(letters[x - 1])]
    for border in borders:
        left.axvline(border, color=_GREY, linewidth=0.8, linestyle=":")
    left.set_title(f"PCC on {cells}, by recipe (dots: test fields)", fontsize=9)
    left.set_ylabel("PCC")
    left.legend(fontsize=7, frameon=False, loc="upper left", ncols=3)
    right.set_title("best model: its test fields", fontsize=9)
    right.set_xticks(range(2), ["mitochondria", "DNA"])
    right.set_xlim(-0.6, 1.6)
    low, high = left.get_ylim()
    left.set_ylim(low, high + 0.12 * (high - low))  # room for the legend
    return figure


def _best_model(axis: Axes, rows: Sequence[Row], i: int, target: str) -> None:
    """The test fields of the best model of a target as dots around `i`, and their mean."""
    means = {letter: summary.mean for letter, summary in summarise(rows, _tested_on).items()}
    if not means:
        return
    best = max(means, key=lambda letter: means[letter])
    values = _field_scores(rows, _tested_on, best, "pcc")
    spread = [i + 0.3 * (k / max(1, len(values) - 1) - 0.5) for k in range(len(values))]
    axis.scatter(spread, values, s=16, color=COLOURS[target], alpha=0.8, linewidths=0)
    axis.hlines(means[best], i - 0.25, i + 0.25, color=COLOURS[target], linewidth=2)
    axis.text(i, 0.02, f"{best}{i + 1}", ha="center", fontsize=9, transform=axis.get_xaxis_transform())


def _training_size(rows: Sequence[Row], cells: str) -> Figure:
    """Fig. 4a: PCC over the number of training sets."""
    figure = _curve(rows, lambda row: row.training_fields, "training sets", cells)
    axis = figure.axes[0]
    if axis.get_xlim()[1] > _ENOUGH_SETS:
        axis.axvline(_ENOUGH_SETS, color=_GREY, linewidth=0.8, linestyle=":")
        axis.annotate(
            "paper: flat from here", (_ENOUGH_SETS, 0.3), xycoords=("data", "axes fraction"), ha="right", va="bottom",
            rotation=90, fontsize=7, color=_GREY,
        )  # fmt: skip
    return figure


def _patch_size(rows: Sequence[Row], cells: str) -> Figure:
    """Fig. 4b: PCC over the size of the patches."""
    return _curve(rows, lambda row: row.patch, "patch: rows and columns", cells)


def _architecture(rows: Sequence[Row], cells: str) -> Figure:
    """Table 2: the paper's numbers and ours, in panels of their own."""
    figure = _figure(10, 3.1)
    panels = figure.subplots(1, 4)
    _networks(panels[0], panels[1], rows, "pcc", "PCC", cells)
    _networks(panels[2], panels[3], rows, "ssim_global", "SSIM, global form", cells)
    _legend_below(figure, panels[0])
    return figure


def _networks(paper: Axes, ours: Axes, rows: Sequence[Row], metric: str, title: str, cells: str) -> None:
    """Both networks by one metric: as reported, and as found here, on scales of one height."""
    for i, network in enumerate(("unet", "gvtnet")):
        places = _places((Z, TIME), i, 2, _PAIR)
        colour = COLOURS[network]
        reported = [getattr(TABLE_2[_third_axis(letter), network], metric) for letter in places]
        paper.bar(list(places.values()), reported, 0.34, color=colour, alpha=_TINT, label=NAMES[network])
        for x, value in zip(places.values(), reported, strict=True):
            paper.text(x, value, f"{value:.3f}", ha="center", va="bottom", fontsize=7)
        of_network = [row for row in rows if row.network == network]
        _bars(ours, of_network, _tested_on, places, 0.34, colour, label=NAMES[network], metric=metric, seeds=True)
    paper.set_facecolor(_ON_PAPER)
    paper.set_title(f"{title}\nthe paper, real cells", fontsize=9)
    ours.set_title(f"{title}\nhere, {cells}", fontsize=9)
    for axis in (paper, ours):
        axis.set_xticks(range(2), [f"z-stacks\n({Z}1)", f"time series\n({TIME}1)"])
    lows, highs = zip(paper.get_ylim(), ours.get_ylim(), strict=True)
    for axis in (paper, ours):
        axis.set_ylim(min(lows), max(highs) * 1.08)


def _combined(rows: Sequence[Row], cells: str) -> Figure:
    """Figs. 5, 6: models of one kind of input and of both, on each kind; and one network of both targets."""
    figure = _figure(10.5, 3.4)
    panels = figure.subplots(1, 3, width_ratios=[1.35, 1.35, 1])
    for (index, target), axis in zip(TARGETS.items(), panels[:2], strict=True):
        _specific_and_combined(axis, rows, index)
        axis.set_title(f"{NAMES[target]}, PCC on {cells}", fontsize=9)
        if not any(row.recipe.endswith(index) and row.target == target for row in rows):
            axis.text(0.5, 0.5, "not trained yet", ha="center", color=_GREY, transform=axis.transAxes)
    _one_network_or_two(panels[2], rows)
    _legend_below(figure, panels[0], panels[2])
    return figure


def _specific_and_combined(axis: Axes, rows: Sequence[Row], index: str) -> None:
    """Models of one target: specific to a kind of input or for both, each tested on either kind and on both."""
    kinds = {"z-stacks": Z, "time series": TIME, "both": Z + TIME}
    for i, letters in enumerate((Z, TIME, Z + TIME)):
        of_model = [row for row in rows if row.recipe == f"{letters}{index}"]
        places = _places(kinds, i, 3, _TRIPLE)
        for kind, tested_on in kinds.items():
            # A row counts for its own kind and for both, so that a function of the row cannot tell the place.
            tested = scored_on_all(of_model, tested_on)
            label = NAMES[letters] if kind == "both" else None
            _bars(axis, tested, _always(kind), places, 0.25, COLOURS[letters], label=label, seeds=True)
    axis.set_xticks(range(3), [f"tested on\n{kind}" for kind in kinds])


def _one_network_or_two(axis: Axes, rows: Sequence[Row]) -> None:
    """Z-stacks: a model for each target, or one network of both."""
    choices = {"right: one model each": (f"{Z}1", f"{Z}2"), "right: one of both": (f"{Z}12",)}
    for i, (label, recipes) in enumerate(choices.items()):
        of_choice = [row for row in rows if row.recipe in recipes and row.tested_on == Z]
        places = _places(TARGETS.values(), i, 2, _PAIR)
        opacity = 1 - 0.5 * i
        _bars(axis, of_choice, _target, places, 0.34, COLOURS[Z], label=label, seeds=True, opacity=opacity)
    axis.set_xticks(range(2), ["mitochondria", "DNA"])
    axis.set_title("z-stacks: two models, or one of both", fontsize=9)


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
    label: str | None,
    metric: str = "pcc",
    seeds: bool = False,
    opacity: float = 1.0,
) -> None:
    """Means as bars; on them a dot for each seed, with the spread over seeds, or else one for each test field.

    Parameters
    ----------
    axis : Axes
    rows : sequence of Row
    key : callable
        Row -> group.
    places : mapping
        Group -> x of its bar.
    width : float
    colour : str
    label : str or None
        In the legend.
    metric : {"pcc", "ssim_global"}
    seeds : bool
        Dots are seeds.
    opacity : float
        Of the bars, relative to others.
    """
    found = summarise(rows, key, metric)
    shown = {place: x for place, x in places.items() if place in found}
    axis.axhline(0, color=_BLACK, linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    if not shown:  # runs that are not finished; an empty bar would still get a legend, of another colour
        return
    heights = [found[place].mean for place in shown]
    axis.bar(list(shown.values()), heights, width, color=colour, alpha=_TINT * opacity, label=label)
    for place, x in shown.items():
        if seeds:
            _dots(axis, x, found[place].values, width, colour)
            _seed_spread(axis, x, found[place])
        else:
            _dots(axis, x, _field_scores(rows, key, place, metric), width, colour)
    blurred = summarise(rows, key, metric, BLURRED)
    for place, x in shown.items():
        if place in blurred:
            axis.hlines(blurred[place].mean, x - width / 2, x + width / 2, color=_GREY, linewidth=1.2, zorder=2)


def _dots(axis: Axes, x: float, values: Sequence[float], width: float, colour: str) -> None:
    """Dots over the middle half of a bar."""
    spots = [x]
    if len(values) > 1:
        spots = [x + 0.5 * width * (k / (len(values) - 1) - 0.5) for k in range(len(values))]
    axis.scatter(spots, values, s=7, color=colour, linewidths=0, zorder=3)


def _seed_spread(axis: Axes, x: float, summary: Summary) -> None:
    """An error bar where there are several seeds, and the mean as a number above everything."""
    spread = 0.0
    if not math.isnan(summary.spread):
        spread = summary.spread
        axis.errorbar(x, summary.mean, spread, color=_BLACK, capsize=2.5, linewidth=1)
    top = max(summary.mean + spread, *summary.values, 0)
    axis.text(x, top, f"{summary.mean:.2f}", ha="center", va="bottom", fontsize=6.5)


def _curve(rows: Sequence[Row], key: Callable[[Row], int], label: str, cells: str) -> Figure:
    """PCC over a number: the mean as a line, each test field as a dot."""
    figure = _figure(5.6, 3.4)
    axis = figure.subplots()
    found: dict[int, Summary] = dict(sorted(summarise(rows, key).items()))
    for row in rows:
        if row.model == MODEL:
            axis.scatter(key(row), row.pcc, s=9, color=COLOURS["mitochondria"], alpha=0.45, linewidths=0)
    means = [summary.mean for summary in found.values()]
    colour = COLOURS["mitochondria"]
    axis.plot(list(found), means, color=colour, marker="o", markersize=4.5, label="mean of test fields")
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


def _places(groups: Iterable[str], i: int, of: int, step: float) -> dict[str, float]:
    """Group -> x of bar `i` of so many side by side."""
    return {group: x + (i - (of - 1) / 2) * step for x, group in enumerate(groups)}


def _field_scores(rows: Sequence[Row], key: Callable[[Row], str], place: str, metric: str) -> list[float]:
    """Scores of the model itself in one group, lowest first."""
    return sorted(getattr(row, metric) for row in rows if row.model == MODEL and key(row) == place)


def _tested_on(row: Row) -> str:
    return row.tested_on


def _target(row: Row) -> str:
    return row.target


def _always(group: str) -> Callable[[Row], str]:
    return lambda row: group


def _imaging(letter: str) -> str:
    """How the images of a letter were made; a star marks those that stand for their kind."""
    recipe = RECIPES[f"{letter}1"]
    star = "*" if letter in (Z, TIME) else ""
    return f"{letter}{star}\n{recipe.detector}\n{recipe.axis_word} {recipe.step_words}\n{recipe.size} px"


def _third_axis(letter: str) -> str:
    return RECIPES[f"{letter}1"].third_axis


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=_DPI)
