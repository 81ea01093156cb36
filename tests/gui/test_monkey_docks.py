"""Whatever is done to the docks, in whatever order: nothing raises, no thread stays, and nobody's pixels change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool

from napari_mito_predict._widgets.common.docks import FINE_TUNE, MANY_IMAGES, MEASURE, MODELS, PREDICT, open_dock
from napari_mito_predict._widgets.common.worker import Job
from napari_mito_predict.image import write_ome_tiff

# The colours of napari's first layer of labels.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB:UserWarning")
ACTIONS = 120
"""With those of the other monkey a thousand."""
PATIENCE = 60_000
SHAPES = ((8, 24, 24), (24, 24), (3, 24, 24))
NAMES = ("T-PMT", "TMRM", "SYBR Gold", "odd")
DOCKS = (PREDICT, FINE_TUNE, MODELS, MANY_IMAGES, MEASURE)
MOST_LAYERS = 10


class DocksMonkey:
    """Opens, uses and closes docks at random."""

    def __init__(self, viewer, qtbot, files: list[Path], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.viewer = viewer
        self.qtbot = qtbot
        self.files = files
        self.docks: dict[str, object] = {}
        self.pixels: dict[object, np.ndarray] = {}
        self.done: set[str] = set()

    def act(self) -> None:
        actions = [self.open, self.add, self.slide, self.wait]
        actions += [getattr(self, _USES[name]) for name in self.docks]
        if self.docks:
            actions.append(self.close)
        if len(self.viewer.layers):
            actions += [self.delete, self.select]
        if len(self.viewer.layers) > MOST_LAYERS:
            actions = [self.delete]
        action = self.some(actions)
        self.done.add(action.__name__)
        action()

    def some(self, things):
        return things[self.rng.integers(len(things))]

    def chance(self) -> bool:
        return bool(self.rng.random() < 0.5)

    # ------------------------------------------------------------------ docks and layers

    def open(self) -> None:
        name = self.some(DOCKS)
        self.docks[name] = open_dock(self.viewer, name)

    def close(self) -> None:
        """As a click on the x of a dock does."""
        self.docks.pop(self.some(list(self.docks))).parentWidget().destroyOnClose()

    def add(self) -> None:
        shape = self.some(SHAPES)
        pixels = self.rng.integers(100, 4000, shape).astype(np.uint16)
        place = {"scale": (0.11,) * len(shape), "units": ("um",) * len(shape)}
        if shape[0] == 3:
            place = {"scale": (5, 0.11, 0.11), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}
        layer = self.viewer.add_image(pixels, name=self.some(NAMES), **place)
        self.pixels[layer] = pixels.copy()

    def delete(self) -> None:
        self.viewer.layers.remove(self.some(list(self.viewer.layers)))

    def select(self) -> None:
        self.viewer.layers.selection = {self.some(list(self.viewer.layers))}

    def slide(self) -> None:
        self.viewer.dims.set_current_step(0, int(self.rng.integers(8)))

    def wait(self) -> None:
        """Let everything that was begun come to its end."""
        self.qtbot.waitUntil(self.is_idle, timeout=PATIENCE)

    def is_idle(self) -> bool:
        return not any(job.state.busy for dock in self.docks.values() for job in dock.findChildren(Job))

    # ------------------------------------------------------------------ using a dock

    def predict(self) -> None:
        dock = self.docks[PREDICT]
        self.some(list(dock.models._boxes.values())).click()
        if dock.job.state.busy:
            dock.job.cancel()
        else:
            dock.predict.predict.click()

    def fine_tune(self) -> None:
        dock = self.docks[FINE_TUNE]
        dock.set_files(self.files[: self.rng.integers(1, len(self.files) + 1)])
        if self.chance():
            dock.start_from("mito-z")

    def look_at_models(self) -> None:
        self.docks[MODELS].refresh_models()

    def predict_many(self) -> None:
        dock = self.docks[MANY_IMAGES]
        dock.add([self.some(self.files)])
        if self.chance():
            dock.run.start.click()
        elif dock.job.state.busy:
            self.some([dock.toggle_pause, dock.job.cancel])()
        elif dock._rows:
            dock.remove([self.some(dock._rows)])

    def measure(self) -> None:
        dock = self.docks[MEASURE]
        dock.run.series.switch.setChecked(self.chance())
        if dock.job.state.busy and self.chance():
            dock.job.cancel()
        else:
            dock.run.start.click()


_USES = {
    PREDICT: "predict",
    FINE_TUNE: "fine_tune",
    MODELS: "look_at_models",
    MANY_IMAGES: "predict_many",
    MEASURE: "measure",
}


def test_a_dock_that_was_closed_opens_again(viewer, places, own_settings):
    closed = open_dock(viewer, MODELS)  # held here: Python deletes it some time later
    closed.parentWidget().destroyOnClose()
    opened = open_dock(viewer, MODELS)
    assert opened is not closed
    assert opened.parentWidget() is not None
    assert open_dock(viewer, MODELS) is opened


def test_each_viewer_has_docks_of_its_own(make_napari_viewer, places, own_settings):
    docks = [open_dock(make_napari_viewer(), MODELS) for _ in range(2)]
    assert docks[0] is not docks[1]


def test_many_things_done_to_docks(viewer, places, own_settings, qtbot, tmp_path):
    files = [tmp_path / f"{number}.ome.tif" for number in range(3)]
    for seed, path in enumerate(files):
        pixels = np.random.default_rng(seed).integers(100, 4000, (2, 8, 24, 24), np.uint16)
        write_ome_tiff(path, pixels, axes="CZYX", channel_names=["T-PMT", "TMRM"], voxel_size_um=(0.29, 0.11, 0.11))
    before = [path.read_bytes() for path in files]
    monkey = DocksMonkey(viewer, qtbot, files, seed=0)
    for _ in range(ACTIONS):
        monkey.act()
        qtbot.wait(1)
    monkey.wait()
    assert monkey.done >= set(_USES.values()), "a monkey that leaves a dock alone shows nothing of it"
    for layer, pixels in monkey.pixels.items():
        np.testing.assert_array_equal(layer.data, pixels)
    assert [path.read_bytes() for path in files] == before
    while monkey.docks:
        monkey.close()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=PATIENCE)
