"""Make the pictures in docs/images from a running napari: predicting, comparing, a training, the models, many images.

``python docs/make_screenshots.py [FOLDER [predict] [trust] [fine-tune] [models] [measure] [report] [batch]]``; without
a display it starts its own. The report is drawn by Chromium, which has to be installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
import platformdirs
from qtpy.QtCore import QEventLoop, QPointF, QSize, Qt, QTimer
from qtpy.QtGui import QPainter, QPixmap
from qtpy.QtWidgets import QScrollArea, QWidget

from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.contributions.sample import SAMPLE
from napari_mito_predict._widgets.train.watch import Phase
from napari_mito_predict.cli._display import has_display, virtual_display
from napari_mito_predict.image import open_image, write_ome_tiff

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.predict.widget import PredictWidget
    from napari_mito_predict._widgets.train.widget import TrainWidget

WINDOW = QSize(1500, 940)
DOCK_WIDTH = 330
PATIENCE = 900.0


REPORT = (1250, 2220)
"""Pixels, from the top of the page; narrower windows fold its tables."""
PICTURES = ("predict", "trust", "fine-tune", "models", "report", "batch", "measure")
REAL_MODELS = Path(__file__).parents[1] / "real-models/src/napari_mito_predict_real_models/models"
MODELS_HEIGHT = 860
MEASURE_WINDOW = QSize(1300, 910)
MODELS_GAP = 12


def main(folder: Path, pictures: list[str]) -> None:
    """Write PNG files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if "predict" in pictures:
        show_predicting(folder)
    if "trust" in pictures:
        show_lights(folder)
    if "batch" in pictures:
        with tempfile.TemporaryDirectory() as scratch:
            platformdirs.user_config_path = lambda *args, **kwargs: Path(scratch) / "settings"
            show_many_images(folder, make_recordings(Path(scratch) / "day 2"))
    if "models" in pictures:
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["MITO_PREDICT_MODELS"] = str(shutil.copytree(REAL_MODELS, f"{scratch}/models"))
            show_models(folder)
    if "measure" in pictures:
        show_measuring(folder)
    if "report" in pictures:
        show_report(folder)
    if "fine-tune" in pictures:
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["MITO_PREDICT_RUNS"], os.environ["MITO_PREDICT_MODELS"] = f"{scratch}/runs", f"{scratch}/models"
            show_fine_tuning(folder, make_fields(Path(scratch) / "day 1"))


def show_report(folder: Path) -> None:
    """The top of the report on the sample and the bundled models."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("the picture of the report needs Chromium")
    with tempfile.TemporaryDirectory() as scratch:
        page, picture = Path(scratch) / "report.html", folder / "report.png"
        shutil.copy(SAMPLE, scratch)  # the report names files as they were given
        evaluate = ["evaluate", SAMPLE.name, "-m", "mito-z", "-m", "dna-z", "--report", str(page)]
        subprocess.run([sys.executable, "-m", "napari_mito_predict", *evaluate], cwd=scratch, check=True)
        size = f"--window-size={REPORT[0]},{REPORT[1]}"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", size]
        options.append("--force-device-scale-factor=0.8")
        subprocess.run([browser, *options, f"--screenshot={picture.resolve()}", page.as_uri()], check=True)


def show_predicting(folder: Path) -> None:
    """Overview, overlay, side by side and the dock alone."""
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
        facts = prediction_facts(layer)
        print(layer.name, facts.record.parameters if facts is not None else "")
    print("PCC", widget.compare.stack.pcc, "SSIM", widget.compare.stack.ssim)


def show_fine_tuning(folder: Path, fields: Path) -> None:
    """A run that has gone on for a while: dock, curve, previews."""
    viewer = napari.Viewer(title="Mito Predict")
    window = viewer.window._qt_window
    window.resize(WINDOW)
    dock, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Fine-tune")
    window.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
    wait(0.5)
    train_a_little(widget, fields)
    widget.data.expand(animate=False)
    wait(1)
    save(viewer.window.screenshot(canvas_only=False, flash=False), folder / "fine-tune.png")
    widget.training.pause.click()
    until(lambda: not widget.watch.phase.at_work)
    viewer.close()


def train_a_little(widget: TrainWidget, fields: Path) -> None:
    """What a user does: choose a folder, read what the table says, press Start."""
    widget.set_files([fields])
    widget.training.name.setText("my-AC16")
    widget.start.options.iterations.value = 60
    widget.start.options.rate.value = 3e-4
    until(lambda: widget.training.start.isEnabled() and "about" in widget.start.cost.text())
    widget.training.start.click()
    until(lambda: widget.watch.status.iteration > 40 or widget.watch.phase is Phase.FAILED)
    if widget.watch.phase is Phase.FAILED:
        raise SystemExit(widget.watch.status.message)
    wait(1)
    print(widget.training.scores.text())


def show_many_images(folder: Path, recordings: Path) -> None:
    """A folder that was predicted: the dock, and one of the images with its predictions."""
    viewer = napari.Viewer(title="Mito Predict")
    window = viewer.window._qt_window
    window.resize(WINDOW)
    dock, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Many images")
    window.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
    widget.add([recordings])
    until(lambda: bool(widget.images.images.rows))
    widget.run.start.click()
    until(lambda: not widget.job.state.busy)
    widget.images.table.choose(widget.images.images.rows[1])
    widget.open(widget.images.table.chosen)
    until(lambda: len(viewer.layers) == 5)
    viewer.dims.set_current_step(0, 12)
    wait(1)
    save(viewer.window.screenshot(canvas_only=False, flash=False), folder / "batch.png")
    viewer.close()


def make_recordings(folder: Path) -> Path:
    """Pieces of the sample with and without fluorescence, an empty field, and a file that was copied in part."""
    folder.mkdir()
    sample, rng = open_image(SAMPLE), np.random.default_rng(0)
    stacks = [sample.read(0, channel.index).astype(np.float32) for channel in sample.channels]
    for i in range(6):
        y, x = 32 * (i % 3), 32 * (i // 3)
        piece = np.s_[:, y : y + 160, x : x + 160]
        parts = [turned(stack[piece], i) for stack in stacks]
        parts[0] = parts[0] + rng.normal(0, 60, parts[0].shape)
        if i == 4:
            parts[0] = rng.normal(2000, 30, parts[0].shape)
        kept = parts[: 3 if i % 3 else 1]
        data = np.stack(kept).clip(0, 65535).astype(np.uint16)
        names = [channel.name or "" for channel in sample.channels[: len(kept)]]
        path = folder / f"AC16_day2_{i + 1:02d}.ome.tif"
        write_ome_tiff(path, data, axes="CZYX", channel_names=names, voxel_size_um=sample.voxel_size_um)
    (folder / "AC16_day2_07.czi").write_bytes(SAMPLE.read_bytes()[:100_000])
    return folder


def show_measuring(folder: Path) -> None:
    """The sample predicted and measured, the mitochondria of one bar of the histogram selected."""
    viewer = napari.Viewer(title="Mito Predict")
    window = viewer.window._qt_window
    window.resize(MEASURE_WINDOW)
    dock, predicting = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Mito Predict")
    predict_sample(predicting)
    viewer.dims.set_current_step(0, best_plane(predicting))
    viewer.window.remove_dock_widget(dock)
    dock, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Measure")
    window.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
    until(widget.run.start.isEnabled)
    widget.run.start.click()
    until(lambda: not widget.job.state.busy and widget.result_layers.is_complete)
    for step in (widget.layers, widget.settings):
        step.collapse(animate=False)
    for layer in viewer.layers:
        layer.visible = isinstance(layer, napari.layers.Labels) or prediction_facts(layer) is not None
    histogram = widget.results.histogram
    histogram.clicked_at(histogram.centres[int(histogram.counts.argmax())])
    wait(1)
    save(viewer.window.screenshot(canvas_only=False, flash=False), folder / "measure.png")
    viewer.close()


def show_models(folder: Path) -> None:
    """The list of models, and beside it the same with the first of them unfolded and verified."""
    viewer = napari.Viewer(title="Mito Predict")
    dock, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Models")
    until(lambda: bool(widget.cards.views))
    dock.setFloating(True)
    dock.resize(DOCK_WIDTH, MODELS_HEIGHT)
    card = widget.cards.views[0]
    until(lambda: all(not view.head.picture.is_empty for view in widget.cards.views))
    wait(1)
    left = rendered(widget)
    card.unfold()
    card.tools.verify.click()
    until(lambda: not card.busy)
    wait(1)
    save_side_by_side([left, rendered(widget)], folder / "models.png")
    viewer.close()


def show_lights(folder: Path) -> None:
    """Three lights: the sample, the sample with a model for time series, and an empty field."""
    viewer = napari.Viewer(title="Mito Predict")
    dock, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Mito Predict")
    viewer.window._qt_window.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
    widget.image.collapse(animate=False)
    widget._compare_step.hide()
    widget.image.open_file(SAMPLE)
    until(lambda: is_known(widget))
    pictures = [picture_of_dock(dock, widget)]
    check_only(widget, "mito-t")
    pictures.append(picture_of_dock(dock, widget))
    noise = np.random.default_rng(0).normal(2000, 30, (24, 256, 256)).astype(np.uint16)
    placed = {"scale": (0.15, 0.11, 0.11), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    widget.image.transmitted.choose(viewer.add_image(noise, name="an empty field", **placed))
    check_only(widget, "mito-z")
    pictures.append(picture_of_dock(dock, widget))
    save_side_by_side(pictures, folder / "trust-dock.png")
    viewer.close()


def check_only(widget: PredictWidget, model: str) -> None:
    """Choose one model, as a user does, and wait for its light."""
    for name, row in widget.models.rows.items():
        if row.box.isChecked() != (name == model):
            row.box.click()
    wait(1)
    until(lambda: is_known(widget))


def is_known(widget: PredictWidget) -> bool:
    """Whether the lights of what is chosen are there, and nothing is computed any more."""
    return widget._shown is not None and widget._shown.plan.looked and not widget.planning.state.busy


def save_side_by_side(pictures: list[QPixmap], path: Path) -> None:
    """Write pictures of docks, at twice the resolution, beside each other as PNG."""
    width = sum(picture.width() for picture in pictures) + 2 * MODELS_GAP * (len(pictures) - 1)
    together = QPixmap(QSize(width, max(picture.height() for picture in pictures)))
    together.setDevicePixelRatio(2)
    together.fill(Qt.GlobalColor.transparent)
    painter = QPainter(together)
    x = 0.0
    for picture in pictures:
        painter.drawPixmap(QPointF(x, 0), picture)
        x += picture.width() / 2 + MODELS_GAP
    painter.end()
    together.save(str(path))
    print(path)


def rendered(widget: QWidget) -> QPixmap:
    """What a widget shows now, at twice the resolution."""
    picture = QPixmap(widget.size() * 2)
    picture.setDevicePixelRatio(2)
    widget.render(picture)
    return picture


def make_fields(folder: Path) -> Path:
    """Noisy pieces of the sample, one of them shifted and one without fluorescence, as a table has to show them.

    Each is turned or mirrored in another way, since pieces that overlap are told as such.
    """
    folder.mkdir()
    sample, rng = open_image(SAMPLE), np.random.default_rng(0)
    light, truth = (sample.read(0, channel).astype(np.float32) for channel in (0, 1))
    for i in range(9):
        y, x = 32 * (i % 3), 32 * (i // 3)
        piece = np.s_[:, y : y + 160, x : x + 160]
        a = turned(light[piece], i) + rng.normal(0, 60, light[piece].shape)
        b = turned(truth[piece], i) + rng.normal(0, 5, truth[piece].shape)
        b = {2: np.roll(b, 6, axis=2), 3: np.full_like(b, 100)}.get(i, b)
        data = np.stack([a, b]).clip(0, 65535).astype(np.uint16)
        names = [channel.name or "" for channel in sample.channels[:2]]
        path = folder / f"AC16_{i + 1:02d}.ome.tif"
        write_ome_tiff(path, data, axes="CZYX", channel_names=names, voxel_size_um=sample.voxel_size_um)
    return folder


def turned(stack: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """A square stack, (Z, Y, X), in one of its eight orientations."""
    if orientation // 4 % 2:
        stack = stack[..., ::-1]
    return np.rot90(stack, orientation, axes=(1, 2))


def best_plane(widget: PredictWidget) -> int:
    """A plane with much to see: where the predicted signal is strongest."""
    data = widget.run.layers[0].data
    return int(data.std(axis=(1, 2)).argmax())


def picture_of_dock(dock, widget: PredictWidget):  # type: ignore[no-untyped-def]
    """The dock alone, as high as what it holds, at twice the resolution."""
    scroll = widget.findChild(QScrollArea)
    dock.setFloating(True)
    for _ in range(2):  # only then it is known whether there is a scroll bar
        dock.resize(DOCK_WIDTH, scroll.widget().heightForWidth(scroll.viewport().width()) + 40)
        wait(1)
    picture = rendered(scroll.viewport())  # the buttons that stay in sight lie over what scrolls
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
    wanted = sys.argv[2:] or list(PICTURES)
    if has_display():
        main(target, wanted)
    else:
        with virtual_display(1700, 1100) as name:
            os.environ["DISPLAY"] = name
            main(target, wanted)
