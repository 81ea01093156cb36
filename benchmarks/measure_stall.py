"""How long napari's event loop stands still while a 32 x 1024 x 1024 stack is measured in the dock.

``python benchmarks/measure_stall.py [--size 1024] [--planes 32]``; without a display it starts its own. The stack is
the simulated cell of the sample, repeated. Also: how long the outlines of a plane take after a setting was changed, and
how long layers of 10,000 branches take to add and to be shown at another plane, by kind of layer.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
import psutil
from gui_stall import Ticks, on_display, report, sample_for, until

from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.contributions.sample import SAMPLE
from napari_mito_predict.image import open_image
from napari_mito_predict.measurement.measures import Structure

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_mito_predict._widgets.measure.widget import MeasureWidget

BRANCHES = 10_000
POINTS_PER_BRANCH = 12


def main(planes: int, size: int) -> None:
    """Print median, 99th percentile and longest stall, and the times of outlines and layers."""
    viewer = napari.Viewer()
    image = open_image(SAMPLE)
    place = {"scale": image.voxel_size_um, "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    for channel, name in ((1, "TMRM"), (2, "SYBR Gold")):
        viewer.add_image(repeated(image.read(0, channel), planes, size), name=name, **place)
    widget: MeasureWidget
    _, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Measure")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    until(lambda: widget.preview.layer is not None, lambda: "")
    print(f"outlines of a plane of {size} x {size}, from the change of a setting: {outline(widget):.2f} s")
    idle = sample_for(5.0)
    waits: list[float] = []
    ticks = Ticks(also=lambda: waits.append(waited_ms()))
    start = time.perf_counter()
    widget.run.start.click()
    until(lambda: not widget.job.state.busy and widget.result_layers.is_complete, lambda: "")
    seconds = time.perf_counter() - start
    stalls = ticks.stop()
    if widget.job.state is not JobState.DONE:
        raise SystemExit(widget.run.failure.what.text())
    report("idle", idle)
    report(f"measuring {planes} x {size} x {size} ({seconds:.0f} s)", stalls)
    report("  without what it waited for a processor", np.maximum(stalls - np.diff(waits), 0))
    objects = len(widget.result_layers.labels[Structure.MITOCHONDRIA].features)
    print(f"{objects} mitochondria; {psutil.Process().memory_info().rss / 2**30:.1f} GiB now")
    for time_of in ("first", "second"):
        print(f"half of them selected, for the {time_of} time: {timed(lambda: select_half(widget, objects)):.2f} s")
    viewer.close()
    compare_layers(planes, size)


def outline(widget: MeasureWidget) -> float:
    """Median of seconds until the outlines of other settings are shown."""
    field = widget.settings.forms[Structure.MITOCHONDRIA].fields["threshold"]
    times = []
    for value in (0.8, 1.0, 0.85, 0.95, 0.9):
        found: list[object] = []
        widget.preview.found.connect(found.append)
        start = time.perf_counter()
        field.setValue(value)
        until(lambda found=found: bool(found), lambda: "")
        times.append(time.perf_counter() - start)
        widget.preview.found.disconnect(found.append)
    return float(np.median(times))


def select_half(widget: MeasureWidget, objects: int) -> None:
    """As a click on a bar does."""
    widget.result_layers.select(Structure.MITOCHONDRIA, range(1, objects // 2))


def repeated(stack: np.ndarray, planes: int, size: int) -> np.ndarray:
    """Mirror and repeat a stack to this size."""
    tall = np.concatenate([stack, stack[::-1]] * (planes // (2 * len(stack)) + 1))[:planes]
    count = -(-size // stack.shape[-1])
    return np.tile(tall, (1, count, count))[:, :size, :size].copy()


def compare_layers(planes: int, size: int) -> None:
    """Branches of skeletons as three kinds of layers."""
    rng = np.random.default_rng(0)
    starts = rng.uniform(POINTS_PER_BRANCH, size - POINTS_PER_BRANCH, (BRANCHES, 1, 2))
    steps = np.cumsum(rng.uniform(-1, 1, (BRANCHES, POINTS_PER_BRANCH, 2)), axis=1)
    z = rng.integers(0, planes, (BRANCHES, 1, 1)) * np.ones((1, POINTS_PER_BRANCH, 1))
    paths = np.concatenate([z, starts + steps], axis=-1)
    image = np.zeros((planes, size, size), np.int32)
    image[tuple(np.round(paths).astype(int).reshape(-1, 3).T)] = 1
    segments = np.stack([paths[:, :-1], np.diff(paths, axis=1)], axis=2).reshape(-1, 2, 3)
    kinds: dict[str, Callable[[Any], Layer]] = {
        "Labels": lambda viewer: viewer.add_labels(image),
        "Vectors": lambda viewer: viewer.add_vectors(segments),
        "Shapes": lambda viewer: viewer.add_shapes(list(paths), shape_type="path"),
    }
    for name, add in kinds.items():
        viewer = napari.Viewer()
        adding = timed(lambda viewer=viewer, add=add: add(viewer))
        moving = timed(lambda viewer=viewer: viewer.dims.set_current_step(0, planes // 2 + 1))
        print(f"{BRANCHES} branches as {name}: {adding:.2f} s to add, {moving:.3f} s to show another plane")
        viewer.close()


def waited_ms() -> float:
    """How long the thread of the GUI was ready and had no processor, on Linux: other programs are no fault of ours."""
    path = Path("/proc/self/schedstat")
    return int(path.read_text().split()[1]) / 1e6 if path.exists() else 0.0


def timed(action: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=32)
    parser.add_argument("--size", type=int, default=1024)
    arguments = parser.parse_args()
    on_display(main, arguments.planes, arguments.size)
