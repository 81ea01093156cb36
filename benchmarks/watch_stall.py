"""How long napari's event loop stands still while a training run is watched, and whether its memory grows.

``python benchmarks/watch_stall.py [--minutes 5]``; without a display it starts its own. A real training of `mito-z` on
variants of the sample runs in its own process, with a validation, a preview and a new curve every 5 iterations; the
widget watches. A timer asks for 10 ms; what lies between two of its ticks beyond that is a stall. Target: 99th
percentile under 50 ms, memory flat.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
import psutil
import tifffile
from gui_stall import Ticks, on_display, report, sample_for, until

from napari_mito_predict.image import open_image

if TYPE_CHECKING:
    from napari_mito_predict._widgets.train.widget import TrainWidget

SAMPLE = Path(__file__).parents[1] / "src/napari_mito_predict/_sample/simulated_cell.czi"


def main(minutes: float) -> None:
    """Watch a run and print stalls and memory."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MITO_PREDICT_RUNS"] = str(Path(folder) / "runs")
        os.environ["MITO_PREDICT_MODELS"] = str(Path(folder) / "models")
        fields = variants(Path(folder))
        viewer = napari.Viewer()
        widget: TrainWidget
        _, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Fine-tune")
        widget.extra = {"validate_every": 5, "iterations": 100_000, "threads": 1, "patch": (32, 64, 64)}
        widget.set_files(fields)
        until(lambda: widget.training.start.isEnabled(), lambda: "")
        report("idle", sample_for(5.0))
        widget.training.start.click()
        until(lambda: len(widget.watch.run.previews) > 1 if widget.watch.run else False, lambda: "")
        process, ticks, memory = psutil.Process(), Ticks(), []
        end = time.perf_counter() + 60 * minutes
        while time.perf_counter() < end:
            soon = time.perf_counter() + 10
            until(lambda soon=soon: time.perf_counter() > soon, lambda: "")
            memory.append(process.memory_info().rss / 2**20)
        stalls, run = ticks.stop(), widget.watch.run
        report(f"watching {len(run.previews)} previews, load {os.getloadavg()[0]:.1f}", stalls)
        half = len(memory) // 2
        print(f"memory: first half {np.mean(memory[:half]):.0f} MiB, second half {np.mean(memory[half:]):.0f} MiB")
        run.request_stop()
        until(lambda: not run.status.alive, lambda: "")
        viewer.close()


def variants(folder: Path) -> list[Path]:
    """Four fields made of the sample: turned round and with fresh noise, as OME-TIFF."""
    image = open_image(SAMPLE)
    channels = np.stack([image.read(0, c) for c in range(2)]).astype(np.float32)
    sizes = {f"PhysicalSize{a}": s for a, s in zip("ZYX", image.voxel_size_um, strict=True)}
    units = {f"PhysicalSize{a}Unit": "µm" for a in "ZYX"}
    paths = []
    for i in range(4):
        data = np.rot90(channels, i, axes=(2, 3)) + np.random.default_rng(i).normal(0, 5, channels.shape)
        path = folder / f"field{i}.ome.tif"
        metadata = {"axes": "CZYX", "Channel": {"Name": ["ESID", "TMRM"]}, **sizes, **units}
        tifffile.imwrite(path, np.clip(data, 0, 65535).astype(np.uint16), ome=True, metadata=metadata)
        paths.append(path)
    return paths


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    arguments = parser.parse_args()
    on_display(main, arguments.minutes)
