"""Pictures for people: the learning curve, an example, a suspected shift. Drawn without a window."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mito_predict._files import atomic_path
from napari_mito_predict.image.crops import middle_plane

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_mito_predict.training.pairs import Pair

_BLUE, _ORANGE = "#4477aa", "#ee7733"


def draw_curve(metrics: Sequence[Mapping[str, float]]) -> bytes:
    """Training loss and validation PCC over iterations, as PNG."""
    figure = _figure(6, 3)
    figure.subplots_adjust(left=0.14, right=0.87, bottom=0.17, top=0.96)
    left = figure.add_subplot()
    loss = [(row["iteration"], row["train_loss"]) for row in metrics if "train_loss" in row]
    score = [(row["iteration"], row["val_pcc"]) for row in metrics if "val_pcc" in row]
    if loss:
        left.plot(*zip(*loss, strict=True), color=_BLUE, linewidth=1)
    left.set_xlabel("iteration")
    left.set_ylabel("training loss", color=_BLUE)
    right = left.twinx()
    if score:
        right.plot(*zip(*score, strict=True), color=_ORANGE, marker="o", markersize=3)
    right.set_ylabel("validation PCC", color=_ORANGE)
    return _png(figure)


def draw_example(pair: Pair, predicted: NDArray[np.float32], targets: Sequence[str]) -> bytes:
    """Middle plane of one field: input, and truth beside prediction for each target, as PNG."""
    figure = _figure(9, 3 * len(targets) + 0.3)
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.01, top=1 - 0.1 / len(targets), wspace=0.02, hspace=0.1)
    axes = figure.subplots(len(targets), 3, squeeze=False)
    for row, name, truth, prediction in zip(axes, targets, pair.truth, predicted, strict=True):
        for axis, title, image in zip(
            row,
            ("transmitted light", f"{name}: truth", f"{name}: prediction"),
            (pair.input, truth, prediction),
            strict=True,
        ):
            plane = np.asarray(middle_plane(image), np.float32)
            low, high = np.percentile(plane, (1, 99.8))
            axis.imshow(plane, cmap="gray", vmin=low, vmax=high)
            axis.set_title(title, fontsize=9)
            axis.set_axis_off()
    return _png(figure)


def save_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write an RGB picture as PNG."""
    from matplotlib.image import imsave

    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        imsave(temporary, picture)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    # Margins are set by hand: to find them takes three times as long as the drawing, at the end of every training.
    return Figure(figsize=(width, height))


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream)  # type: ignore[no-untyped-call]
    return stream.getvalue()
