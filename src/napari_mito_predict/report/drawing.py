"""What all figures of pages have in common; they are drawn without a window."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from napari_mito_predict.report.words import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#4477aa", "#ee7733", "#228833", "#aa3377", "#66ccee", "#ccbb44")
"""Told apart with any kind of colour vision (Paul Tol's bright and vibrant schemes)."""
GREY = "#777777"
_DPI = 110
_LONGEST_NAME = 32


def new_figure(width: float, height: float) -> Figure:
    """An empty figure.

    Parameters
    ----------
    width, height : float
        In inches. Wider ones than the page, of about 9.8, are scaled down to it; two of 4.8 stand side by side.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=_DPI)


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream)  # type: ignore[no-untyped-call]
    return stream.getvalue()


def plain(name: str) -> str:
    """A name that is neither taken for a formula nor longer than a panel is wide."""
    name = visible(" ".join(name.split()))
    if len(name) > _LONGEST_NAME:
        name = f"…{name[1 - _LONGEST_NAME :]}"
    return name.replace("$", r"\$")


def plain_axis(axis: Axes) -> None:
    """Small numbers, and no frame."""
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
