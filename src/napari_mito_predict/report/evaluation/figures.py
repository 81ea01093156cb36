"""The pictures of an evaluation report, as PNG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict.report.drawing import COLOURS, GREY, as_png, new_figure, plain, plain_axis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from numpy.typing import NDArray

    from napari_mito_predict.evaluation.regions import PartScores
    from napari_mito_predict.evaluation.results import Result
    from napari_mito_predict.evaluation.views import Views

_CURVES = {"pcc": "PCC", "fine_pcc": "fine PCC", "ssim_windowed": "SSIM, windowed", "nrmse": "NRMSE"}
_LINES = ("--", ":", "-.")
_MOST_MODELS = len(COLOURS)
_IN_A_LINE = 3
"""Predictions beside one truth: with more, cells get too small to judge."""


def draw_views(results: Sequence[Result]) -> bytes:
    """Input, truth, prediction and residual of one plane.

    One model gets a line of four pictures. Of several, all predictions stand beside the truth, each with its residual
    below it, at most three in a line. Truth and fitted prediction share one display range; residuals are shown in
    standard deviations of the truth.

    Parameters
    ----------
    results : sequence of Result
        Of one field and target, with views.
    """
    shown = [(result, result.views) for result in results[:_MOST_MODELS] if result.views is not None]
    first, first_views = shown[0]
    panels = _Panels(len(shown), first_views.truth.shape)
    limit = max(1.0, *(_residual_limit(views) for _, views in shown))
    images = []
    for i, (result, views) in enumerate(shown):
        name = plain(result.case.model)
        if panels.begins_line(i):
            _show_light(panels.light(i), views)
            _show(panels.truth(i), views.truth, views.truth_range, "truth")
        _show(panels.prediction(i), views.fitted, views.truth_range, f"prediction, fitted: {name}")
        residual = panels.residual(i)
        values = views.residual / (views.truth_std or 1.0)
        images.append(residual.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"))
        title = "residual: truth − fitted"
        if panels.several:
            title += f", {name}"
        residual.set_title(title, fontsize=9)
    panels.draw_bar(images[0])
    _scale_bar(panels.truth(0), first_views, first.case.truth.voxel_size_um[2])
    return as_png(panels.figure)


class _Panels:
    """Where the pictures of one plane stand: of one model in a line, of several as columns beside the truth.

    Parameters
    ----------
    count : int
        Models.
    shape : tuple of int
        (Y, X) of each picture.
    """

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        self.several = count > 1
        blocks = math.ceil(count / _IN_A_LINE)
        self._in_a_line = math.ceil(count / blocks)
        self._lines = 2 * blocks if self.several else 1
        columns = 1 + self._in_a_line if self.several else 4
        height = min(4.0, 11.4 / columns * shape[0] / shape[1])
        self.figure = new_figure(12.6, self._lines * height + 0.35)
        self._panels = self.figure.subplots(self._lines, columns, squeeze=False)
        for panel in self._panels.flat:
            panel.set_axis_off()

    def begins_line(self, i: int) -> bool:
        """Whether model `i` stands beside the truth, which is drawn once for each line."""
        return i % self._in_a_line == 0

    def light(self, i: int) -> Axes:
        """For the transmitted light: first of a line, or below the truth."""
        return self._at(self._line(i) + 1, 0) if self.several else self._at(0, 0)

    def truth(self, i: int) -> Axes:
        """For the truth."""
        return self._at(self._line(i), 0) if self.several else self._at(0, 1)

    def prediction(self, i: int) -> Axes:
        """For the prediction of model `i`."""
        return self._at(self._line(i), self._column(i)) if self.several else self._at(0, 2)

    def residual(self, i: int) -> Axes:
        """For the residual of model `i`: right of its prediction, or below it."""
        return self._at(self._line(i) + 1, self._column(i)) if self.several else self._at(0, 3)

    def draw_bar(self, image: ScalarMappable) -> None:
        """Draw the scale of the residuals beside the first line of them."""
        beside = (0.0, 0.1 / self._lines) if self.several else (0.0, 0.5)
        panels = list(self._panels.flat)
        bar = self.figure.colorbar(image, ax=panels, pad=0.01, shrink=0.8 / self._lines, anchor=beside)
        bar.set_label("standard deviations of the truth", fontsize=7)
        bar.ax.tick_params(labelsize=7)

    def _line(self, i: int) -> int:
        return 2 * (i // self._in_a_line)

    def _column(self, i: int) -> int:
        return 1 + i % self._in_a_line

    def _at(self, line: int, column: int) -> Axes:
        panel: Axes = self._panels[line, column]
        return panel


def draw_curves(results: Sequence[Result]) -> bytes:
    """Scores over z or t: a panel for each metric, a line for each model, the baselines in grey.

    Parameters
    ----------
    results : sequence of Result
        Of one field and target.
    """
    if len(results) > 1:
        figure = new_figure(12.6, 2.5)
        panels = figure.subplots(1, 4).flat
    else:
        figure = new_figure(8, 4.4)
        panels = figure.subplots(2, 2).flat
    over, parts_of = _curve_axis(results[0])
    for axis, (metric, title) in zip(panels, _CURVES.items(), strict=True):
        for colour, result in zip(COLOURS, results, strict=False):
            values = [getattr(part.scores, metric) for part in parts_of(result)]
            axis.plot(values, color=colour, linewidth=1.4, marker="o", markersize=2.5, label=f" {_name(result)}")
        for line, (name, baseline) in zip(_LINES, results[0].baseline_planes.items(), strict=False):
            if metric == "pcc" and len(baseline) == len(parts_of(results[0])):
                axis.plot(baseline, color=GREY, linewidth=1.2, linestyle=line, label=f" {name}")
        axis.set_title(title, fontsize=9)
        axis.set_xlabel(over, fontsize=8)
        axis.xaxis.get_major_locator().set_params(integer=True)
        plain_axis(axis)
        if metric == "pcc":
            axis.legend(fontsize=7, frameon=False)
    return as_png(figure)


def draw_scatter(results: Sequence[Result]) -> bytes:
    """Truth against prediction as a 2-D histogram with the fitted line: a panel for each model.

    Parameters
    ----------
    results : sequence of Result
        Of one field and target, with views.
    """
    from matplotlib.colors import LogNorm

    shown = [(result, result.views) for result in results[:_MOST_MODELS] if result.views is not None]
    figure = new_figure(4.2 * len(shown), 4.0 if len(shown) == 1 else 3.5)
    for axis, (result, views) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        counts = np.ma.masked_equal(views.counts.T, 0)
        x, y = views.prediction_edges, views.truth_edges
        image = axis.pcolormesh(x, y, counts, cmap="viridis", norm=LogNorm(), rasterized=True)
        line = result.scaling.offset + result.scaling.gain * x
        axis.plot(x, line, color="#ee7733", linewidth=1.4)
        axis.set_ylim(float(y[0]), float(y[-1]))
        axis.set_xlabel("prediction (its own, relative units)", fontsize=8)
        axis.set_ylabel("truth (its own units)", fontsize=8)
        axis.set_title(f"{_name(result)}, PCC {result.scores.pcc:.3f}, fine {result.scores.fine_pcc:.3f}", fontsize=9)
        plain_axis(axis)
        bar = figure.colorbar(image, ax=axis)
        bar.set_label("voxels", fontsize=7)
        bar.ax.tick_params(labelsize=7)
    return as_png(figure)


def draw_fields(values: Mapping[str, Mapping[str, float]], metric: str) -> bytes:
    """One metric of every field: a column for each model, a line for each field.

    Parameters
    ----------
    values : mapping
        Model -> field -> value.
    metric : str
        For the label.
    """
    models = list(values)[:_MOST_MODELS]
    figure = new_figure(max(3.6, 1.5 * len(models) + 1.4), 3.1)
    axis = figure.subplots()
    for field in sorted(set().union(*(values[model] for model in models))):
        axis.plot([values[model].get(field, math.nan) for model in models], color="#bbbbbb", linewidth=0.8, zorder=1)
    for x, (model, colour) in enumerate(zip(models, COLOURS, strict=False)):
        column = list(values[model].values())
        axis.scatter([x] * len(column), column, color=colour, s=14, zorder=2)
        axis.hlines(float(np.nanmean(column)), x - 0.2, x + 0.2, color=colour, linewidth=2.5, zorder=3)
    axis.set_xticks(range(len(models)), [plain(model) for model in models])
    axis.set_xlim(-0.5, len(models) - 0.5)
    axis.set_ylabel(metric, fontsize=8)
    plain_axis(axis)
    return as_png(figure)


def _curve_axis(result: Result) -> tuple[str, Callable[[Result], Sequence[PartScores]]]:
    """Over time points where there are several, else over Z steps."""
    if result.time_points:
        return "time point (from 0)", lambda r: r.time_points
    return "Z step (from 0)", lambda r: r.planes


def _show_light(axis: Axes, views: Views) -> None:
    if views.light is None:
        axis.text(0.5, 0.5, "transmitted light\nnot found", ha="center", va="center", fontsize=9, color=GREY)
        axis.set_axis_off()
        return
    finite = views.light[np.isfinite(views.light)]
    low, high = 0.0, 1.0
    if finite.size:
        low, high = np.percentile(finite, (0.5, 99.5))
    _show(axis, views.light, (float(low), float(high)), "transmitted light")


def _show(axis: Axes, plane: NDArray[np.float32], span: tuple[float, float], title: str) -> None:
    axis.imshow(plane, cmap="gray", vmin=span[0], vmax=span[1], interpolation="nearest")
    axis.set_title(title, fontsize=9)
    axis.set_axis_off()


def _scale_bar(axis: Axes, views: Views, pixel_um: float | None) -> None:
    """A bar of a round length, about a fifth of the picture."""
    if not pixel_um:
        return
    height, width = views.truth.shape
    pixel = pixel_um * views.binning
    wanted = width * pixel / 5
    power = 10.0 ** math.floor(math.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    x, y = width * 0.05, height * 0.94
    axis.plot([x, x + length / pixel], [y, y], color="white", linewidth=3, solid_capstyle="butt")
    axis.text(x, y - height * 0.025, f"{length:g} µm", color="white", fontsize=8, va="bottom")


def _residual_limit(views: Views) -> float:
    values = np.abs(views.residual[np.isfinite(views.residual)]) / (views.truth_std or 1.0)
    return float(np.percentile(values, 99.5)) if values.size else 1.0


def _name(result: Result) -> str:
    return plain(result.case.model)
