"""Make the pictures in docs/images from a running napari: open the sample, predict, compare.

``python docs/make_screenshots.py [FOLDER]``; without a display it starts its own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from qtpy.QtCore import QEventLoop, QSize, Qt, QTimer
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QScrollArea

from napari_mito_predict._widgets._layers import facts_of
from napari_mito_predict._widgets._sample import SAMPLE
from napari_mito_predict._widgets._worker import JobState
from napari_mito_predict.cli._display import has_display, virtual_display

if TYPE_CHECKING:
    from napari_mito_predict._widgets.predict import PredictWidget

WINDOW = QSize(1500, 940)
DOCK_WIDTH = 330
PATIENCE = 900.0


def main(folder: Path) -> None:
    """Write overview, overlay, side by side and the dock alone as PNG files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(title="Mito Predict")
    window = viewer.window._qt_window
    window.resize(WINDOW)
    dock, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Mito Predict")
    window.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
    wait(0.5)
    predict_sample(widget)
    viewer.dims.set_current_step(0, best_plane(widget))
    widget.image.collapse(animate=False)
    wait(1)
    save(viewer.window.screenshot(canvas_only=False, flash=False), folder / "overview.png")
    save(viewer.screenshot(canvas_only=True, flash=False), folder / "overlay.png")
    widget.compare.side_by_side.click()
    wait(1)
    save(viewer.window.screenshot(canvas_only=False, flash=False), folder / "side_by_side.png")
    widget.compare.side_by_side.click()
    widget.image.expand(animate=False)
    picture_of_dock(dock, widget).save(str(folder / "widget.png"))
    viewer.close()


def predict_sample(widget: PredictWidget) -> None:
    """What a user does: open the sample, press Predict."""
    widget.image.open_file(SAMPLE)
    until(lambda: widget.image.input is not None and widget.predict.predict.isEnabled())
    until(lambda: "about" in widget.predict.cost.text())
    widget.predict.predict.click()
    until(lambda: not widget.job.state.busy)
    if widget.job.state is not JobState.DONE:
        raise SystemExit(widget.predict.failure.what.text())
    until(lambda: widget.compare.stack is not None)
    for layer in widget.run.layers:
        print(layer.name, facts_of(layer)["record"]["parameters"])
    print("PCC", widget.compare.stack.pcc, "SSIM", widget.compare.stack.ssim)


def best_plane(widget: PredictWidget) -> int:
    """A plane with much to see: where the predicted signal is strongest."""
    data = widget.run.layers[0].data
    return int(data.std(axis=(1, 2)).argmax())


def picture_of_dock(dock, widget: PredictWidget):  # type: ignore[no-untyped-def]
    """The dock alone, as high as what it holds, at twice the resolution."""
    inside = widget.findChild(QScrollArea).widget()
    dock.setFloating(True)
    dock.resize(DOCK_WIDTH, inside.sizeHint().height() + 40)
    wait(1)
    picture = QPixmap(inside.size() * 2)
    picture.setDevicePixelRatio(2)
    inside.render(picture)
    dock.setFloating(False)
    return picture


def save(picture, path: Path) -> None:  # type: ignore[no-untyped-def]
    """Write an RGBA array as PNG."""
    from imageio.v3 import imwrite

    imwrite(path, picture[..., :3])
    print(path)


def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until something is so."""
    end = time.monotonic() + PATIENCE
    loop, check = QEventLoop(), QTimer()
    check.timeout.connect(lambda: loop.quit() if condition() or time.monotonic() > end else None)
    check.start(20)
    loop.exec()
    check.stop()
    if not condition():
        raise SystemExit("nothing happened for too long")


def wait(seconds: float) -> None:
    """Let the event loop run for a while, so that everything is laid out and drawn."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= end)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images"
    if has_display():
        main(target)
    else:
        with virtual_display(1700, 1100) as name:
            os.environ["DISPLAY"] = name
            main(target)
