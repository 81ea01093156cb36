"""How long after a slider step the compare panel shows the numbers of the new plane, on a 32 x 1024 x 1024 stack.

``python benchmarks/compare_latency.py [--size 1024] [--planes 32] [--steps 100] [--region]``; without a display it
starts its own. Target: under 100 ms, also while a slider moves on before the fine PCC of a plane is known. Before the
panel is opened it is measured how long napari alone takes to draw a plane, and how long the numbers of a plane take
alone: what is left is the way between threads and waiting for each other.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import napari
import numpy as np
from gui_stall import on_display
from qtpy.QtCore import QEventLoop, QTimer

from napari_mito_predict._widgets.common.facts import KEY
from napari_mito_predict.evaluation import pcc_and_ssim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict._widgets.compare.widget import CompareWidget
    from napari_mito_predict._widgets.compare.work import Comparing

LONGEST_S = 600


def main(planes: int, size: int, steps: int, region: bool) -> None:
    """Step through a stack of noise, print median and 99th percentile."""
    viewer = napari.Viewer()
    rng = np.random.default_rng(0)
    truth = rng.integers(100, 4000, (planes, size, size), np.uint16)
    prediction = truth.astype(np.float32) / 1000 + rng.standard_normal(truth.shape, np.float32)
    viewer.add_image(truth, name="TMRM", visible=False)
    facts = {"kind": "prediction", "target": "mitochondria"}
    viewer.add_image(prediction, name="TMRM predicted", contrast_limits=(0, 4), metadata={KEY: facts})
    planes_of = [(prediction[z], truth[z]) for z in range(min(planes, 20))]
    alone = [timed(lambda pair=pair: pcc_and_ssim(*pair)) for pair in planes_of]
    report("napari alone, to the drawn plane", np.array([draw(viewer, i % planes) for i in range(1, steps + 1)]))
    report("numbers of a plane alone", np.array(alone))
    widget: CompareWidget
    _, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Compare with truth")
    comparing = widget.panel.comparing
    if region:
        box = np.array([[0.2, 0.2], [0.2, 0.7], [0.6, 0.7], [0.6, 0.2]]) * size
        widget.panel.region.choose(viewer.add_shapes(box, name="region"))
    start = time.perf_counter()
    until(lambda: comparing.stack is not None)
    stack = time.perf_counter() - start
    until(lambda: comparing.shift is not None and (comparing.region_stack is not None or not region))
    rest = time.perf_counter() - start - stack
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; stack {stack:.1f} s, shift and region {rest:.1f} s")
    expected = [pcc_and_ssim(a, b)[0] for a, b in zip(prediction, truth, strict=True)]
    size_of = f"{planes} x {size} x {size}"
    for when, rests in (("from rest", True), ("while it moves", False)):
        waits = []
        for i in range(1, steps + 1):
            if rests:
                until(lambda: not comparing.plane_is_late)
            waits.append(step(viewer, comparing, i % planes, expected[i % planes]))
        report(f"{size_of}, slider {when} to numbers", np.array(waits))
    viewer.close()


def report(what: str, waits: NDArray[np.float64]) -> None:
    """Print median and 99th percentile of milliseconds."""
    median, p99 = np.percentile(waits, (50, 99))
    print(f"{what}: median {median:.0f} ms, 99th percentile {p99:.0f} ms, n {waits.size}")


def timed(call: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def draw(viewer: napari.Viewer, plane: int) -> float:
    """Milliseconds from a slider step to the plane on screen."""
    drawn: list[object] = []
    scene = viewer.window._qt_viewer.canvas._scene_canvas
    scene.events.draw.connect(drawn.append, position="last")
    start = time.perf_counter()
    viewer.dims.set_current_step(0, plane)
    until(lambda: bool(drawn))
    waited = (time.perf_counter() - start) * 1000
    scene.events.draw.disconnect(drawn.append)
    return waited


def step(viewer: napari.Viewer, comparing: Comparing, plane: int, expected: float) -> float:
    """Milliseconds from a slider step to the PCC of that plane; drawing the plane itself is part of it."""
    start = time.perf_counter()
    viewer.dims.set_current_step(0, plane)
    until(lambda: comparing.plane is not None and comparing.plane.whole.pcc == expected)
    return (time.perf_counter() - start) * 1000


def until(condition: Callable[[], bool]) -> None:
    """Run the event loop until something is so, asleep between events as napari is: spinning would cost a core."""
    loop, end = QEventLoop(), time.perf_counter() + LONGEST_S
    awake = QTimer()
    awake.start(1000)
    while not condition():
        loop.processEvents(QEventLoop.ProcessEventsFlag.AllEvents | QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        if time.perf_counter() > end:
            raise SystemExit("nothing came")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=32)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--region", action="store_true", help="with a drawn rectangle of a fifth of the plane")
    arguments = parser.parse_args()
    on_display(main, arguments.planes, arguments.size, arguments.steps, arguments.region)
