"""How soon the part on screen of a 32 x 1024 x 1024 stack is predicted, and how napari's event loop fares meanwhile.

``python benchmarks/first_look.py [--size 1024] [--planes 32] [--seconds 20]``; without a display it starts its own. A
stack of noise is opened, zoomed in until 256 voxels fill the canvas from top to bottom, and both bundled z-models are
chosen. Measured from the click, on *Predict* and then on *Preview here*: until the middle of the view is painted, and
until napari is told to draw it. A timer asks for 5 ms; what lies between two of its ticks beyond that is a stall.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import napari
import numpy as np
from gui_stall import Ticks, on_display, until

from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict.models import load_model

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_mito_predict._widgets.predict.widget import PredictWidget

MODELS = ("mito-z", "dna-z")
VISIBLE = 256
TICK_MS = 5
PATIENCE = 600.0


def main(planes: int, size: int, seconds: float) -> None:
    """Print when each target was seen, and the stalls, as Markdown tables."""
    viewer = napari.Viewer()
    widget: PredictWidget
    _, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Mito Predict")
    layer = open_noise(viewer, planes, size)
    for name, box in widget.models._boxes.items():
        box.setChecked(name in MODELS)
    until(lambda: "about" in widget.predict.cost.text(), lambda: widget.models.failure.what.text())
    zoom_in(viewer, layer)
    print(f"{planes} x {size} x {size}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; ", end="")
    print(f"{widget.predict.cost.text()}\n")
    pause = Run(viewer, layer, lambda: None, lambda: False, 5.0)
    predict = Run(viewer, layer, widget.predict.predict.click, lambda: not widget.job.state.busy, seconds)
    if widget.job.state is JobState.FAILED:
        raise SystemExit(widget.predict.failure.what.text())
    widget.job.cancel()
    until(lambda: not widget.job.state.busy, lambda: "")
    widget.remove_run()
    click, done = widget.predict.preview.click, lambda: "Preview:" in widget.predict.note.text()
    preview = Run(viewer, layer, click, done, PATIENCE)
    print("| | target | painted (s) | drawn (s) |\n|---|---|---|---|")
    for what, run in (("Predict", predict), ("Preview here", preview)):
        for target, times in run.seen.items():
            print(f"| {what} | {target} | {times.painted:.2f} | {times.drawn:.2f} |")
    print("\n| event loop | p50 (ms) | p99 (ms) | longest (ms) | seconds |\n|---|---|---|---|---|")
    for what, run in (("idle", pause), ("Predict", predict), ("Preview here", preview)):
        p50, p99 = np.percentile(run.stalls, (50, 99))
        print(f"| {what} | {p50:.1f} | {p99:.1f} | {run.stalls.max():.1f} | {run.seconds:.0f} |")
    viewer.close()


def open_noise(viewer: napari.Viewer, planes: int, size: int) -> Image:
    """A stack that needs no resampling."""
    voxel = load_model(MODELS[0]).card.input.voxel_size_um
    light = np.random.default_rng(0).integers(1000, 4000, (planes, size, size), np.uint16)
    return viewer.add_image(light, name="T-PMT", scale=voxel, units=("um",) * 3, axis_labels=("z", "y", "x"))


def zoom_in(viewer: napari.Viewer, layer: Image) -> None:
    """Into the middle of the middle plane."""
    viewer.scene.camera.zoom = viewer.canvas.size[0] / (VISIBLE * layer.scale[1])
    soon = time.perf_counter() + 1
    until(lambda: time.perf_counter() > soon, lambda: "")


class Seen:
    """Seconds until the middle of the view was painted in a layer, and until the layer was drawn with it."""

    def __init__(self, start: float, layer: Image, world: np.ndarray) -> None:
        self.painted = self.drawn = float("nan")
        self._start, self._layer, self._world = start, layer, world
        self._empty = np.float32(layer.contrast_limits[0])  # what is not painted yet
        layer.events.set_data.connect(self._drawn)
        self._drawn()

    def look(self) -> None:
        """Whether it is painted now."""
        index = np.round(self._layer.world_to_data(self._world)).astype(int)
        inside = ((index >= 0) & (index < self._layer.data.shape)).all()
        if np.isnan(self.painted) and inside and self._layer.data[tuple(index)] != self._empty:
            self.painted = time.perf_counter() - self._start

    def _drawn(self, event: object = None) -> None:
        self.look()
        if np.isnan(self.drawn) and not np.isnan(self.painted):
            self.drawn = time.perf_counter() - self._start


class Run:
    """What happens between a click and the end, or a time limit.

    Attributes
    ----------
    seen : dict of str to Seen
        For each target.
    stalls : ndarray
        Milliseconds by which the timer was late.
    seconds : float
        How long it took.
    """

    def __init__(
        self, viewer: napari.Viewer, layer: Image, click: Callable[[], object], done: Callable[[], bool], limit: float
    ) -> None:
        self.seen: dict[str, Seen] = {}
        self._viewer = viewer
        # The middle of the plane that the sliders show.
        self._middle = np.array(layer.data_to_world([size // 2 for size in layer.data.shape]))
        sliders = list(viewer.dims.not_displayed)
        self._middle[sliders] = np.array(viewer.dims.point)[sliders]
        ticks = Ticks(TICK_MS, self._look)
        viewer.layers.events.inserted.connect(self._inserted)
        self._start = time.perf_counter()
        click()
        until(lambda: done() or time.perf_counter() - self._start > limit, lambda: "")
        self.seconds = time.perf_counter() - self._start
        viewer.layers.events.inserted.disconnect(self._inserted)
        self.stalls = ticks.stop()

    def _look(self) -> None:
        for seen in self.seen.values():
            seen.look()

    def _inserted(self, event: object) -> None:
        for layer in self._viewer.layers:
            facts = prediction_facts(layer)
            key = facts.key if facts is not None else None
            if key and key not in self.seen:
                self.seen[key] = Seen(self._start, layer, self._middle)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=32)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=20.0, help="cancel after so long")
    arguments = parser.parse_args()
    on_display(main, arguments.planes, arguments.size, arguments.seconds)
