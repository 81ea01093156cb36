"""The figures of measurements, as PNG."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_mito_predict.report.drawing import COLOURS, GREY, as_png, new_figure, plain, plain_axis
from napari_mito_predict.report.measurement.tables import UNSUPPORTED, measured_objects, with_unit, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_mito_predict.measurement import Measurements
    from napari_mito_predict.report.measurement.groups import Group, Member

_IN_A_LINE: Final = 4
_WIDTH: Final = 10.0
_HEIGHT: Final = 1.9
"""Of one line of panels, in inches."""
_MOST_NAMED: Final = len(COLOURS)
"""Fields with a colour of their own; of more, each is a grey line and their mean is drawn."""
_BINS: Final = 30
_YES_OR_NO: Final = frozenset({"touches_border", "inside_mitochondria"})
_OVER_TIME: Final = (
    "count", "total_area", "total_volume", "total_length", "mean_length", "speed", "fissions", "fusions", "mean_area",
    "mean_volume", "branch_points", "largest_part", "distance_to_nucleus", "nearest_neighbour", "inside_mitochondria",
)  # fmt: skip
_MOST_OVER_TIME: Final = 12
_UNUSABLE: Final = "#b4bac5"
_FEWEST_DRAWN: Final = 3
_FEWEST_BINNED: Final = 20
_SHOWN: Final = 0.995
"""Part of the objects in a histogram: without the few largest, which would squeeze all others."""
_MOST_WHOLE: Final = 40
"""Whole numbers have a bar each."""
_MINUTE: Final = 60.0
_BAR_PART: Final = 0.3
"""Most of the width that a scale bar takes."""


def draw_found(members: Sequence[Member]) -> bytes:
    """A plane of each field with outlines of what was found.

    Parameters
    ----------
    members : sequence of Member
        With planes.
    """
    columns = min(3, len(members))
    lines = math.ceil(len(members) / columns)
    side = _WIDTH / max(2, columns)
    figure = new_figure(side * columns, (side + 0.2) * lines)
    panels = figure.subplots(lines, columns, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for panel, member in zip(panels.flat, members, strict=False):
        _show_plane(panel, member)
    return as_png(figure)


def draw_distributions(group: Group) -> bytes:
    """Histograms of the measures of all objects, with the median; of a few objects a line for each.

    A panel for each measure, grey where it is not supported; empty bytes with fewer than three objects.
    """
    shown = []
    for measure, unit, values in measured_objects(group):
        finite = values[np.isfinite(values)].to_numpy()
        if measure.name not in _YES_OR_NO and finite.size >= _FEWEST_DRAWN:
            shown.append((measure, unit, finite))
    if not shown:
        return b""
    figure, panels = _panels(len(shown))
    not_supported = group.objects_verdict == UNSUPPORTED
    for panel, (measure, unit, values) in zip(panels, shown, strict=False):
        grey = not_supported or (measure.relative and group.predicted_by)
        _draw_values(panel, values, _UNUSABLE if grey else COLOURS[0])
        panel.axvline(float(np.median(values)), color="#1f2430", linewidth=1)
        panel.set_xlabel(with_unit(words_of(measure.name), unit), fontsize=8)
    panels[0].set_ylabel("objects", fontsize=8)
    return as_png(figure)


def draw_over_time(group: Group) -> bytes:
    """Measures of fields over time: a line for each field, greyed where the measure is not supported.

    Empty bytes without a series.
    """
    series = [member for member in group.members if member.channel.time_points > 1]
    units = {member.of.unit for member in series}
    known = set(chain.from_iterable(member.over_time.dropna(subset="value")["measure"] for member in series))
    measures = [name for name in _OVER_TIME if name in known]
    measures = measures[:_MOST_OVER_TIME]
    if not measures:
        return b""
    figure, panels = _panels(len(measures))
    for panel, name in zip(panels, measures, strict=False):
        unit = _draw_measure(panel, name, series)
        panel.set_title(with_unit(words_of(name), unit if len(units) == 1 else ""), fontsize=8, loc="left")
        panel.set_xlabel(_time_label(series), fontsize=7)
    _name_fields(figure, panels[0], series)
    return as_png(figure)


def draw_density(found: Sequence[tuple[str, Measurements]]) -> bytes:
    """Part of the cytoplasm that mitochondria take, against the distance from the nearest nucleus.

    Parameters
    ----------
    found : sequence of (str, Measurements)
        Names of fields, and what was measured of them; all have distances, in one unit.
    """
    figure = new_figure(5.2, 2.8)
    axis = figure.subplots()
    for number, (field, each) in enumerate(found):
        shells = each.distances.groupby("from")["density"].mean()
        middles = shells.index.to_numpy(float) + _half_step(shells)
        named = len(found) <= _MOST_NAMED
        colour = COLOURS[number] if named else GREY
        axis.plot(middles, shells.to_numpy() * 100, color=colour, label=plain(field), alpha=1 if named else 0.5)
    axis.set_xlabel(f"distance from the nucleus, {'µm' if found[0][1].unit == 'um' else 'px'}", fontsize=8)
    axis.set_ylabel("mitochondria, % of the cytoplasm", fontsize=8)
    axis.set_ylim(bottom=0)
    plain_axis(axis)
    if 1 < len(found) <= _MOST_NAMED:
        axis.legend(fontsize=7, frameon=False)
    return as_png(figure)


def _show_plane(panel: Axes, member: Member) -> None:
    plane = member.plane
    if plane is None:
        return
    panel.imshow(plane.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    if plane.objects.any() and not plane.objects.all():
        panel.contour(plane.objects, levels=[0.5], colors="#ee7733", linewidths=0.8)
    title = plain(member.field)
    if plane.z is not None:
        title += f", plane {plane.z}"
    panel.set_title(title, fontsize=8)
    _scale_bar(panel, plane.pixels.shape, plane.pixel_size, member.of.unit)


def _scale_bar(panel: Axes, shape: tuple[int, ...], pixel: float, unit: str) -> None:
    """The longest of 1, 2, 5, 10 ... that fits, at the lower left."""
    height, width = shape
    most = width * pixel * _BAR_PART
    power = 10.0 ** math.floor(math.log10(most))
    length = next(factor * power for factor in (5, 2, 1) if factor * power <= most)
    left = width * 0.04
    panel.plot([left, left + length / pixel], [height * 0.95] * 2, color="white", linewidth=3, solid_capstyle="butt")
    named = f"{length:g} {'µm' if unit == 'um' else 'px'}"
    panel.text(left, height * 0.93, named, color="white", fontsize=8, va="bottom")


def _draw_values(panel: Axes, values: NDArray[np.float64], colour: str) -> None:
    """A histogram; of a few values a line for each."""
    if len(values) < _FEWEST_BINNED:
        panel.vlines(values, 0, 1, color=colour, linewidth=3)
        panel.set_yticks([])
    else:
        inside = values[values <= np.quantile(values, _SHOWN)]
        panel.hist(inside, bins=_bins(inside), color=colour, alpha=0.75)
        panel.locator_params(axis="x", integer=_are_few_and_whole(inside))
    panel.set_ylim(bottom=0)


def _bins(values: NDArray[np.float64]) -> list[float]:
    """Edges of a histogram; a bar for each number where all are whole and few."""
    if _are_few_and_whole(values):
        return [float(edge) for edge in np.arange(values.min() - 0.5, values.max() + 1)]
    edges = np.histogram_bin_edges(values, min(_BINS, max(5, math.isqrt(len(values)))))
    return [float(edge) for edge in edges]


def _are_few_and_whole(values: NDArray[np.float64]) -> bool:
    return bool(np.ptp(values) <= _MOST_WHOLE and np.array_equal(values, np.round(values)))


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """At most four in a line; those that are too many are not there."""
    columns = min(_IN_A_LINE, count)
    lines = math.ceil(count / columns)
    figure = new_figure(_WIDTH * columns / _IN_A_LINE, _HEIGHT * lines)
    panels = list(figure.subplots(lines, columns, squeeze=False).flat)
    for panel in panels[count:]:
        panel.set_axis_off()
    for panel in panels[:count]:
        plain_axis(panel)
    return figure, panels[:count]


def _draw_measure(panel: Axes, name: str, series: Sequence[Member]) -> str:
    """Lines of one measure; returns its unit."""
    unit = ""
    verdicts = set()
    for number, member in enumerate(series):
        rows = member.over_time
        rows = rows[rows["measure"] == name]
        if not len(rows):
            continue
        unit = str(rows["unit"].iloc[0])
        verdicts.update(rows["verdict"])
        colour = COLOURS[number] if len(series) <= _MOST_NAMED else GREY
        if UNSUPPORTED in set(rows["verdict"]):
            colour = _UNUSABLE
        panel.plot(_times(rows, member), rows["value"], color=colour, linewidth=1.2, label=plain(member.field))
    if UNSUPPORTED in verdicts:
        panel.text(0.02, 0.98, UNSUPPORTED, transform=panel.transAxes, fontsize=7, color="#9b1c31", va="top")
    panel.margins(y=0.2)
    return unit


def _times(rows: pd.DataFrame, member: Member) -> list[float]:
    """Minutes, or numbers of time points where their step is not known."""
    step = (member.of.time_step_s or _MINUTE) / _MINUTE
    return [t * step for t in rows["t"].tolist()]


def _time_label(series: Sequence[Member]) -> str:
    if all(member.of.time_step_s for member in series):
        return "time, min"
    return "time point"


def _name_fields(figure: Figure, panel: Axes, series: Sequence[Member]) -> None:
    if 1 < len(series) <= _MOST_NAMED:
        handles, labels = panel.get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=7, frameon=False, loc="outside lower center", ncols=3)


def _half_step(shells: pd.Series) -> float:
    starts = shells.index.to_numpy(float)
    return float(starts[1] - starts[0]) / 2 if len(starts) > 1 else 0.0
