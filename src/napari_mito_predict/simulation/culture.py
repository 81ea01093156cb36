"""Many cells in one field: where they lie, and where one ends because the next begins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_mito_predict.simulation.cell import Bounds, Cell, Chart, Outline, Values, draw_outline, with_organelles

_SPACING_UM = (33, 50)
_OUTSIDE_UM = 12.0
_NUCLEI_APART_UM = 19.0
_REACH = (2, 4.5)  # of a cell from its axis, in nuclear radii: less than of one that is alone
_FILLED = 0.75  # part of its field that a cell drawn alone covers; numbers of organelles are meant for the whole field


def draw_culture(rng: np.random.Generator, bounds: Bounds) -> list[Cell]:
    """Draw the cells of a culture that are seen in `bounds`: about one per 33 to 50 um square, some touching.

    A field that is wide compared with one cell would otherwise show a single one, or one of a giant's size.
    """
    low, high = np.array(bounds)
    outlines = _scattered(rng, low - _OUTSIDE_UM, high + _OUTSIDE_UM)  # those outside reach into view
    cells = []
    for outline, child in zip(outlines, rng.spawn(len(outlines)), strict=True):
        first = np.maximum(outline.centre[1:] - outline.reach_um, low)
        last = np.minimum(outline.centre[1:] + outline.reach_um, high)
        if np.any(last - first < 1):
            continue
        lines = [np.linspace(low_um, high_um, 64) for low_um, high_um in zip(first, last, strict=True)]
        y, x = np.meshgrid(*lines, indexing="ij")
        crowded = replace(outline, neighbours=_neighbours(outline, outlines, y, x))
        box = (float(first[0]), float(first[1])), (float(last[0]), float(last[1]))
        charted = replace(crowded, chart=Chart.of(crowded, box))
        covered_um2 = float(np.mean(charted.height(y, x) > 0.7) * np.prod(last - first))
        if covered_um2:
            cell = with_organelles(child, charted, box, covered_um2 / _FILLED / 1000)
            # Without the chart again: it is for placing organelles, too coarse to draw the cell from.
            cells.append(replace(cell, outline=crowded))
    return cells


def _neighbours(outline: Outline, outlines: list[Outline], y: Values, x: Values) -> tuple[Outline, ...]:
    """Those of `outlines` that would overlap with `outline` at the positions `y`, `x` (um)."""
    own = outline.height(y, x) > 0.1
    others = (other for other in outlines if other is not outline)
    return tuple(other for other in others if np.any(own & (other.height(y, x) > 0.1)))


def _scattered(rng: np.random.Generator, low: Values, high: Values) -> list[Outline]:
    """Outlines with their nuclei apart, at random places between the corners `low` and `high`."""
    wanted = round(np.prod(high - low) / rng.uniform(*_SPACING_UM) ** 2)
    centres: list[Values] = []
    for candidate in rng.uniform(low, high, (50 * wanted, 2)):
        if len(centres) < wanted and all(np.hypot(*(other - candidate)) > _NUCLEI_APART_UM for other in centres):
            centres.append(candidate)
    outlines = []
    for yx in centres:
        outline = draw_outline(rng, ((0.0, 0.0), (1.0, 1.0)), nucleus_in_view=True)
        centre = np.array([outline.centre[0], *yx])
        outlines.append(replace(outline, centre=centre, reach=float(rng.uniform(*_REACH))))
    return outlines
