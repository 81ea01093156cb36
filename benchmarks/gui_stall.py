"""How long napari's event loop stands still while a 32 x 1024 x 1024 stack is predicted with both bundled models.

``python benchmarks/gui_stall.py [--size 1024] [--planes 32] [--seconds 60]``; without a display it starts its own.
A timer asks for 10 ms; what lies between two of its ticks beyond that is a stall. Target: 99th percentile under 50 ms.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, Qt, QTimer

from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict.cli._display import has_display, virtual_display

if TYPE_CHECKING:
    from napari_mito_predict._widgets.predict.widget import PredictWidget

TICK_MS = 10
VOXEL = (0.29, 0.11, 0.11)


def main(planes: int, size: int, most: float) -> None:
    """Predict noise and print median, 99th percentile and longest stall."""
    viewer = napari.Viewer()
    widget: PredictWidget
    _, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Mito Predict")
    light = np.random.default_rng(0).integers(1000, 4000, (planes, size, size), np.uint16)
    viewer.add_image(light, name="T-PMT", scale=VOXEL, units=("um",) * 3, axis_labels=("z", "y", "x"))
    for name, box in widget.models._boxes.items():
        box.setChecked(name in ("mito-z", "dna-z"))
    until(lambda: "about" in widget.predict.cost.text(), lambda: widget.models.failure.what.text())
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {widget.predict.cost.text()}")
    idle = sample_for(5.0)
    ticks = Ticks()
    start = time.perf_counter()
    widget.predict.predict.click()
    until(lambda: not widget.job.state.busy or time.perf_counter() - start > most, lambda: "")
    seconds = time.perf_counter() - start
    stalls = ticks.stop()
    widget.job.cancel()
    until(lambda: not widget.job.state.busy, lambda: "")
    if widget.job.state is JobState.FAILED:
        raise SystemExit(widget.predict.failure.what.text())
    report("idle", idle)
    report(f"predicting {planes} x {size} x {size} ({seconds:.0f} s)", stalls)
    viewer.close()


class Ticks:
    """Time between the ticks of a timer, as the event loop delivers them."""

    def __init__(self, every_ms: int = TICK_MS, also: Callable[[], object] = lambda: None) -> None:
        self._times: list[float] = []
        self._every_ms, self._also = every_ms, also
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(every_ms)

    def _tick(self) -> None:
        self._times.append(time.perf_counter())
        self._also()

    def stop(self) -> np.ndarray:
        """Stalls in milliseconds: what each gap had beyond the tick."""
        self._timer.stop()
        return np.maximum(np.diff(self._times) * 1000 - self._every_ms, 0)


def sample_for(seconds: float) -> np.ndarray:
    """The same while nothing is computed: what the machine itself adds."""
    ticks, end = Ticks(), time.perf_counter() + seconds
    until(lambda: time.perf_counter() > end, lambda: "")
    return ticks.stop()


def until(condition: Callable[[], bool], failure: Callable[[], str]) -> None:
    """Run the event loop, as napari does, until something is so."""
    loop, check = QEventLoop(), QTimer()
    check.timeout.connect(lambda: loop.quit() if condition() or failure() else None)
    check.start(50)
    loop.exec()
    check.stop()
    if failure():
        raise SystemExit(failure())


def on_display(main: Callable[..., object], *arguments: object) -> None:
    """Run `main`, on a display of its own where there is none."""
    if has_display():
        main(*arguments)
        return
    with virtual_display(1700, 1100) as name:
        os.environ["DISPLAY"] = name
        main(*arguments)


def report(what: str, stalls: np.ndarray) -> None:
    """One line."""
    median, p99 = np.percentile(stalls, (50, 99))
    print(
        f"{what}: median {median:.1f} ms, 99th percentile {p99:.1f} ms, longest {stalls.max():.1f} ms, n {stalls.size}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=32)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="cancel after so long")
    arguments = parser.parse_args()
    on_display(main, arguments.planes, arguments.size, arguments.seconds)
