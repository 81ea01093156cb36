"""Whether napari grows while predictions and trainings are started from its docks, again and again.

``python benchmarks/soak.py [--predictions 300] [--trainings 50]``; without a display it starts its own. Each prediction
is of another small stack, a layer that is removed afterwards. Each training is a process of its own, which the dock
starts and watches to its end; its model is removed afterwards. Printed are memory, threads, open files and widgets of
napari's process. After the first tenth, which fills caches, all of them should be flat.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
import psutil
from gui_stall import on_display, until
from qtpy.QtWidgets import QApplication
from scipy.ndimage import gaussian_filter

from napari_mito_predict._widgets.common.docks import tell_models_changed
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.train.watch import Phase
from napari_mito_predict.image import write_ome_tiff
from napari_mito_predict.models.own import remove_model

if TYPE_CHECKING:
    from napari_mito_predict._widgets.predict.widget import PredictWidget
    from napari_mito_predict._widgets.train.widget import TrainWidget

SHAPE = (8, 64, 64)
VOXEL = (0.29, 0.11, 0.11)


@dataclass(frozen=True)
class Usage:
    """What napari's process holds."""

    memory_mib: float
    threads: int
    files: int
    widgets: int

    @classmethod
    def now(cls) -> Usage:
        """After everything that can be collected was collected."""
        QApplication.processEvents()
        gc.collect()
        process = psutil.Process()
        memory = process.memory_info().rss / 2**20
        # Windows counts handles, of which open files are some.
        files = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
        return cls(memory, process.num_threads(), files, len(QApplication.allWidgets()))


def main(predictions: int, trainings: int) -> None:
    """Predict and train, and print what is held."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MITO_PREDICT_RUNS"] = str(Path(folder) / "runs")
        os.environ["MITO_PREDICT_MODELS"] = str(Path(folder) / "models")
        viewer = napari.Viewer()
        report("predictions", repeat_predictions(viewer, predictions))
        report("trainings", repeat_trainings(viewer, small_fields(Path(folder)), trainings))
        viewer.close()


def repeat_predictions(viewer: napari.Viewer, count: int) -> Iterable[Usage]:
    """Predict random stacks with one model, each after the other."""
    widget: PredictWidget
    _, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Mito Predict")
    for name, box in widget.models._boxes.items():
        box.setChecked(name == "mito-z")
    rng = np.random.default_rng(0)
    for _ in range(count):
        pixels = rng.integers(1000, 4000, SHAPE, np.uint16)
        viewer.add_image(pixels, name="T-PMT", scale=VOXEL, units=("um",) * 3, axis_labels=("z", "y", "x"))
        until(widget.predict.predict.isEnabled, widget.models.failure.what.text)
        widget.predict.predict.click()
        until(lambda: not widget.job.state.busy, lambda: "")
        if widget.job.state is not JobState.DONE:
            raise SystemExit(widget.predict.failure.what.text())
        viewer.layers.clear()
        yield Usage.now()


def small_fields(folder: Path) -> list[Path]:
    """Noise, and what is blurred of it, as four fields of transmitted light and TMRM."""
    rng = np.random.default_rng(0)
    paths = [folder / f"field{number}.ome.tif" for number in range(4)]
    for path in paths:
        light = rng.normal(2000, 300, SHAPE)
        pixels = np.stack([light, 4000 - gaussian_filter(light, 1)]).astype(np.uint16)
        write_ome_tiff(path, pixels, axes="CZYX", channel_names=["T-PMT", "TMRM"], voxel_size_um=VOXEL)
    return paths


def repeat_trainings(viewer: napari.Viewer, fields: list[Path], count: int) -> Iterable[Usage]:
    """Train for two iterations, each time as a new run."""
    widget: TrainWidget
    _, widget = viewer.window.add_plugin_dock_widget("napari-mito-predict", "Fine-tune")
    widget.extra = {"iterations": 2, "validate_every": 2, "threads": 1, "patch": (8, 32, 32), "batch_size": 1}
    widget.set_files(fields)
    for number in range(count):
        widget.attach(None)
        widget.training.name.setText(f"soak-{number}")
        until(widget.training.start.isEnabled, lambda: "")
        widget.training.start.click()
        until(lambda: widget.watch.phase in (Phase.DONE, Phase.FAILED), lambda: "")
        if widget.watch.phase is not Phase.DONE:
            raise SystemExit(widget.training.failure.what.text())
        # Each model has a row in every list of models: those would be counted as well.
        remove_model(f"soak-{number}")
        tell_models_changed(viewer)
        yield Usage.now()


def report(what: str, usages: Iterable[Usage]) -> None:
    """Print what was held after each tenth, and by how much it grew after the first."""
    found = list(usages)
    if not found:
        return
    step = max(len(found) // 10, 1)
    print(f"{what}: MiB, threads, open files, widgets")
    for number in range(step, len(found) + 1, step):
        usage = found[number - 1]
        print(f"{number:6}{usage.memory_mib:8.0f}{usage.threads:6}{usage.files:6}{usage.widgets:6}", flush=True)
    grown = found[-1].memory_mib - found[step - 1].memory_mib
    print(f"grown by {grown:.0f} MiB over {len(found) - step} {what}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=int, default=300)
    parser.add_argument("--trainings", type=int, default=50)
    arguments = parser.parse_args()
    on_display(main, arguments.predictions, arguments.trainings)
