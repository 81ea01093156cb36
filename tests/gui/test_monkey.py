"""Whatever is done to layers, in whatever order: nothing raises, and what is shown is true of the layers there are."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image
from napari.layers._layer_actions import _duplicate_layer

from napari_mito_predict._widgets.common import image_layers
from napari_mito_predict.evaluation import pcc

SEEDS = range(4)
ACTIONS = 220
"""For each seed, and on two processors at once; with those of the docks (test_monkey_docks) a thousand in all."""
PATIENCE = 60_000
SHAPE = (8, 24, 24)
UM = {"scale": (0.29, 0.11, 0.11), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
NAMES = ("BF", "TMRM", "SYBR Gold", "odd", "T PMT")
MOST_LAYERS = 12


class Monkey:
    """Does things at random to a viewer with the dock."""

    def __init__(self, dock, viewer, qtbot, seed):
        self.rng = np.random.default_rng(seed)
        self.dock = dock
        self.viewer = viewer
        self.qtbot = qtbot
        self.done = []

    def act(self):
        actions = [self.add, self.add, self.slide, self.predict, self.disturb, self.look, self.look, self.choose_models]
        if len(self.viewer.layers):
            actions += [self.duplicate, self.crop, self.move, self.rename, self.delete, self.reorder, self.rescale]
            actions += [self.use_units, self.replace_pixels, self.write_pixels, self.choose]
        if len(self.viewer.layers) > MOST_LAYERS:
            actions = [self.delete]
        action = actions[self.rng.integers(len(actions))]
        self.done.append(action.__name__)
        action()

    # ------------------------------------------------------------------ actions

    def some_layer(self) -> Image:
        images = [layer for layer in self.viewer.layers if isinstance(layer, Image)]
        return images[self.rng.integers(len(images))]

    def pixels(self, shape=SHAPE):
        return self.rng.integers(100, 4000, shape).astype(np.uint16)

    def add(self):
        for name in self.rng.choice(NAMES, 2, replace=False):
            self.viewer.add_image(self.pixels(), name=str(name), **UM)

    def duplicate(self):
        self.viewer.layers.selection = {self.some_layer()}
        _duplicate_layer(self.viewer.layers)

    def crop(self):
        layer = self.some_layer()
        layer.data = layer.data[..., 4:].copy() if layer.data.shape[-1] > 16 else layer.data

    def move(self):
        self.some_layer().translate = (0, 0.11 * self.rng.integers(3) * 4, 0)

    def rename(self):
        self.some_layer().name = str(self.rng.choice(NAMES))

    def delete(self):
        self.viewer.layers.remove(self.some_layer())

    def reorder(self):
        self.viewer.layers.move(int(self.rng.integers(len(self.viewer.layers))), 0)

    def rescale(self):
        self.some_layer().scale = np.array(self.some_layer().scale) * self.rng.choice((0.5, 1, 2))

    def use_units(self):
        layer = self.some_layer()
        unit = str(self.rng.choice(("nm", "um")))
        factor = float((1 * layer.units[0]).to(unit).magnitude)
        scale, translate = np.array(layer.scale) * factor, np.array(layer.translate) * factor
        layer.units = (unit,) * layer.ndim
        layer.scale = scale
        layer.translate = translate

    def replace_pixels(self):
        layer = self.some_layer()
        layer.data = self.pixels(layer.data.shape).astype(layer.data.dtype)

    def write_pixels(self):
        layer = self.some_layer()
        layer.data[:] = self.pixels(layer.data.shape)
        layer.refresh()

    def choose(self):
        combos = (self.dock.image.transmitted, self.dock.compare.truth, self.dock.compare.prediction)
        combo = combos[self.rng.integers(len(combos))]
        combo.setCurrentIndex(int(self.rng.integers(combo.count())))

    def slide(self):
        self.viewer.dims.set_current_step(0, int(self.rng.integers(8)))

    def look(self):
        buttons = self.dock.compare.views.buttons
        button = buttons[self.rng.integers(len(buttons))]
        if button.isEnabled():
            button.click()
            self.qtbot.waitUntil(lambda: not self.dock.compare.views._job.state.busy, timeout=PATIENCE)

    def choose_models(self):
        boxes = list(self.dock.models._boxes.values())
        boxes[self.rng.integers(len(boxes))].click()
        if not any(box.isChecked() for box in boxes):  # then nothing could be predicted for a long time
            boxes[0].click()

    def predict(self):
        self.begin()
        self.qtbot.waitUntil(lambda: not self.dock.job.state.busy, timeout=PATIENCE)

    def disturb(self):
        """Begin to predict, and do something else before that has ended."""
        self.begin()
        self.qtbot.wait(int(self.rng.integers(30)))
        if len(self.viewer.layers):
            others = [
                self.delete,
                self.rename,
                self.replace_pixels,
                self.choose,
                self.rescale,
                self.reorder,
                self.cancel,
            ]
            others[self.rng.integers(len(others))]()
        self.qtbot.waitUntil(lambda: not self.dock.job.state.busy, timeout=PATIENCE)

    def cancel(self):
        self.dock.job.cancel()

    def begin(self):
        """Click on Predict, as soon as something can be predicted."""
        if self.dock.image.input is None:
            light = self.dock.image.transmitted
            light.setCurrentIndex(light.count() - 1)
        if self.dock.image.input is None:
            return
        self.qtbot.waitUntil(self.is_planned, timeout=PATIENCE)
        self.dock.predict.predict.click()

    def is_planned(self) -> bool:
        return self.dock.predict.predict.isEnabled() or not self.dock.models.failure.isHidden()

    # ------------------------------------------------------------------ what has to be true

    def is_consistent(self) -> bool:
        return self.input_is_shown() and self.numbers_are_true()

    def input_is_shown(self) -> bool:
        chosen, layer = self.dock.image.input, self.dock.image.transmitted.layer
        if chosen is None:
            return True
        return (
            layer in self.viewer.layers
            and np.array_equal(chosen.source.read(channel=chosen.channel), layer.data)
            and np.allclose(chosen.source.voxel_size_um, in_um(layer, layer.scale))
            and np.allclose(chosen.grid.placement["translate"], layer.translate)
        )

    def numbers_are_true(self) -> bool:
        panel = self.dock.compare
        prediction, truth = panel.prediction.layer, panel.truth.layer
        shown = not panel.numbers.isHidden()
        if prediction is None or truth is None or not on_one_grid(prediction, truth):
            return not shown and panel.stack is None
        if panel.stack is None:
            return False
        expected = pcc(np.asarray(prediction.data), np.asarray(truth.data))
        if np.isnan(expected):
            return bool(panel.stack.problem)
        return shown and abs(panel.stack.pcc - expected) < 1e-4


def in_um(layer, lengths):
    return [float((size * unit).to("um").magnitude) for size, unit in zip(lengths, layer.units, strict=True)]


def on_one_grid(first, second):
    if first.data.shape != second.data.shape:
        return False
    far = np.array(first.data.shape)
    return all(
        np.allclose(in_um(first, first.data_to_world(place)), in_um(second, second.data_to_world(place)), rtol=1e-3)
        for place in (np.zeros(3), far)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_many_things_done_to_layers(dock, viewer, qtbot, seed):
    for box in dock.models._boxes.values():
        box.setChecked(box.accessibleName() == "mito-z")
    monkey = Monkey(dock, viewer, qtbot, seed)
    compared = 0
    for _ in range(ACTIONS):
        monkey.act()
        qtbot.waitUntil(monkey.is_consistent, timeout=PATIENCE)
        compared += dock.compare.stack is not None
    assert compared > ACTIONS / 20, "a monkey that compares nothing shows nothing"
    assert any(image_layers.is_prediction(layer) for layer in viewer.layers) or "predict" in monkey.done
