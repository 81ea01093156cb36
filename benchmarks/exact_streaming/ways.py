"""All ways by kind. A way is made for a subject, once and untimed; then it is a function from nothing to the result."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

from exact_streaming.bare import bare, folded
from exact_streaming.blocks import blocks
from exact_streaming.not_measured import NotMeasured
from exact_streaming.ours import engine, network_only
from exact_streaming.pieces import pieces
from exact_streaming.windows import windows

if TYPE_CHECKING:
    import numpy as np

    from exact_streaming.subject import Subject

Predict = Callable[[], "np.ndarray"]
"""Gives (D, Y, X) float32."""

KINDS: dict[str, Callable[[Subject, str, dict[str, Any]], Predict]] = {
    "bare": bare,
    "folded": folded,
    "engine": engine,
    "network": network_only,
    "monai": windows,
    "pieces": pieces,
    "bioimageio": blocks,
}


def make(way: dict[str, Any], subject: Subject, precision: str) -> Predict:
    """Make ready, and rehearse on a small volume: imports, kernels and thread pools are then there.

    A way may have a ``precision`` of its own.

    Raises
    ------
    NotMeasured
        It does not work here, for whatever reason.
    """
    precision = way.get("precision", precision)
    try:
        side = 4 * subject.network.stride[1]
        small = subject.small(wide=way["kind"] == "bioimageio")
        KINDS[way["kind"]](small, precision, _within(way, (small.raw.shape[0], side, side)))()
        return KINDS[way["kind"]](subject, precision, way)
    except NotMeasured:
        raise
    except Exception as error:  # another package's: whatever it is, the other ways are still to be measured
        raise NotMeasured(explain(error)) from error


def _within(way: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """The same with windows, pieces or blocks no larger than a volume of this shape."""
    sizes = {key: way[key] for key in ("roi", "piece", "block") if key in way}
    return way | {key: [min(pair) for pair in zip(size, shape, strict=True)] for key, size in sizes.items()}


def explain(error: BaseException) -> str:
    """Kind and first lines of an error, short enough for a table."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"


def arrays(way: dict[str, Any], shape: list[int]) -> dict[str, int]:
    """Bytes of the arrays as large as the volume that a way makes, the input not counted."""
    voxels = prod(shape)
    if way["kind"] == "engine":
        return {"stack as read, 16 bit": 2 * voxels, "result on the model's grid": 4 * voxels, "output": 4 * voxels}
    return {"output": 4 * voxels}
