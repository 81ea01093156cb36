"""Previews as layers, the curve, the model card; on run folders that nobody trains in."""

from __future__ import annotations

import dataclasses
import json
import os
import time

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QScrollArea,
    QTextBrowser,
    QWidget,
)

from napari_mito_predict._widgets.predict.model_row import show_card
from napari_mito_predict._widgets.train.watch import Phase
from napari_mito_predict.training.config import TrainingConfig
from napari_mito_predict.training.run import Run, Status
from napari_mito_predict.training.runs import runs_folder

PATIENCE = 30_000


def say(run, **changes):
    status = Status("running", "Training.", 20, 100, 60.0, os.getpid(), time.time(), {"best": 0.71, "base": 0.42})
    text = json.dumps(dataclasses.asdict(dataclasses.replace(status, **changes)))
    (run.path / "status.json").write_text(text, encoding="utf-8")


def add_preview(run, iteration):
    planes = np.stack([np.full((30, 40), 1 + iteration + i, np.float32) for i in range(3)])
    planes += np.random.default_rng(iteration).random(planes.shape, np.float32) / 10
    tifffile.imwrite(run.path / "preview" / f"{iteration:06d}.tif", planes, photometric="minisblack")
    run.append_metrics({"iteration": iteration, "train_loss": 1.0, "val_pcc": 0.5, "lr": 1e-3, "seconds": 1.0})


@pytest.fixture
def run(places):
    """A run that says it is trained, by us."""
    config = {"targets": {"mitochondria": "TMRM"}, "data": {"files": ["a.czi"]}, "name": "cells"}
    run = Run.create(TrainingConfig.parse(config | {"output": runs_folder() / "cells"}))
    say(run)
    for iteration in (0, 10, 20):
        add_preview(run, iteration)
    return run


@pytest.fixture
def watching(run, make_train_dock, qtbot):
    dock = make_train_dock()
    assert dock.watch.phase is Phase.RUNNING, "found when the dock was opened"
    qtbot.waitUntil(lambda: dock.previews.previews is not None, timeout=PATIENCE)
    return dock


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_previews_become_layers_with_a_slider(watching, viewer):
    assert names(viewer) == [f"cells preview: {what}" for what in ("transmitted light", "truth", "prediction")]
    assert viewer.layers[2].data.shape == (3, 1, 30, 40)
    assert viewer.dims.current_step[0] == 2, "the newest is on show"
    assert watching.training.curve.scores[0] == [0, 10, 20]
    assert watching.training.scores.text() == "PCC 0.71 (start model 0.42)"
    assert watching.training.summary == "20 % · PCC 0.71"


def test_the_slider_follows_until_somebody_scrubs_back(watching, run, viewer, qtbot):
    layer = viewer.layers[2]
    add_preview(run, 30)
    watching.watch.look()
    qtbot.waitUntil(lambda: len(layer.data) == 4, timeout=PATIENCE)
    assert viewer.layers[2] is layer
    assert viewer.dims.current_step[0] == 3
    watching.training.curve.clicked.emit(9)
    assert viewer.dims.current_step[0] == 1
    assert watching.training.curve._now.value() == 10
    add_preview(run, 40)
    watching.watch.look()
    qtbot.waitUntil(lambda: len(layer.data) == 5, timeout=PATIENCE)
    assert viewer.dims.current_step[0] == 1
    assert layer.data[4].mean() == pytest.approx(43, abs=0.2)


def test_previews_touch_no_other_layer_and_are_seen_at_every_plane(run, make_train_dock, viewer, qtbot):
    kwargs = {"scale": (0.3, 0.1, 0.1), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    mine = viewer.add_image(np.zeros((8, 20, 20)), name="mine", **kwargs)
    dock = make_train_dock()
    qtbot.waitUntil(lambda: dock.previews.previews is not None, timeout=PATIENCE)
    prediction = viewer.layers[-1]
    assert viewer.dims.ndim == 4
    assert viewer.dims.nsteps[:2] == (3, 8)
    for plane in (0, 7):
        viewer.dims.set_current_step(1, plane)
        index = prediction.world_to_data(viewer.dims.point)
        assert round(index[1]) == 0, "the only plane there is"
    assert prediction.extent.world[0][-1] > mine.extent.world[1][-1], "beside it"
    dock.attach(None)
    assert names(viewer) == ["mine"]
    np.testing.assert_allclose(mine.scale, kwargs["scale"])


def test_a_preview_layer_may_be_deleted(watching, run, viewer, qtbot):
    viewer.layers.remove(viewer.layers[2])
    add_preview(run, 30)
    watching.watch.look()
    qtbot.waitUntil(lambda: len(watching.previews.previews.iterations) == 4, timeout=PATIENCE)
    assert len(viewer.layers) == 2


def test_a_dead_trainer_is_noticed_and_can_be_resumed(watching, run):
    say(run, heartbeat=time.time() - 1000)
    watching.watch.look()
    assert watching.watch.phase is Phase.INTERRUPTED
    assert watching.training.pause.text() == "R&esume"
    assert watching.training.pause.isEnabled()
    assert watching.training.summary == "interrupted: resume it"


def test_an_interrupted_run_is_mentioned_and_offered(run, make_train_dock):
    say(run, heartbeat=time.time() - 1000)
    dock = make_train_dock()
    assert dock.watch.phase is Phase.NONE
    assert "cells was interrupted" in dock.training.message.text()
    dock.training.runs.setCurrentIndex(1)
    dock.training.runs.activated.emit(1)
    assert dock.watch.phase is Phase.INTERRUPTED
    dock.training.runs.setCurrentIndex(0)
    dock.training.runs.activated.emit(0)
    assert dock.watch.phase is Phase.NONE
    assert dock.training.start.isVisibleTo(dock)


def test_the_fine_tune_button_opens_the_dock_with_the_file(dock, train_dock, czi, qtbot):
    dock.image.open_file(czi)
    qtbot.waitUntil(lambda: dock.image.input is not None, timeout=PATIENCE)
    dock.models.fine_tune.click()
    assert train_dock.data.source.data == {"files": [str(czi)]}
    qtbot.waitUntil(lambda: train_dock._checked is not None, timeout=PATIENCE)


def test_the_card_shows_the_readme_with_its_pictures(models_folder, tmp_path, qtbot, dock):
    import shutil

    from imageio.v3 import imwrite

    from napari_mito_predict.models import read_card

    package = tmp_path / "cells"
    shutil.copytree(models_folder / "mito-z", package)
    imwrite(package / "curve.png", np.zeros((40, 60, 3), np.uint8))
    (package / "README.md").write_text("# My model\n\n![the curve](curve.png)\n", encoding="utf-8")
    dialog = show_card(read_card(package), dock, package)
    browser = dialog.findChild(QTextBrowser)
    assert "My model" in browser.toPlainText()
    from qtpy.QtCore import QUrl
    from qtpy.QtGui import QTextDocument

    kind = QTextDocument.ResourceType.ImageResource
    assert browser.loadResource(kind.value, QUrl("curve.png")) is not None
    dialog.close()


def visible(widget, kind):
    return [child for child in widget.findChildren(kind) if child.isVisible()]


def test_nothing_is_cut_off_at_320_pixels(watching, viewer, qtbot):
    viewer.window._qt_window.show()
    watching.setParent(None)
    qtbot.addWidget(watching)  # deleted by Qt, not by the garbage collector
    watching.data.expand(animate=False)
    watching.start.expand(animate=False)
    watching.start.more.setChecked(True)
    watching.resize(320, 700)
    watching.show()
    qtbot.waitExposed(watching)
    QApplication.processEvents()
    scroll = watching.findChild(QScrollArea)
    inside, room = scroll.widget(), scroll.viewport().width()
    assert inside.minimumSizeHint().width() <= room, "else there would be horizontal scrolling"
    for child in visible(inside, QWidget):
        assert child.mapTo(inside, child.rect().topRight()).x() <= room, child
    for button in visible(inside, QAbstractButton):
        text = button.fontMetrics().horizontalAdvance(button.text().replace("&", ""))
        assert text <= button.width(), f"'{button.text()}' is cut off"
    letters = [
        b.text()[b.text().index("&") + 1].lower() for b in inside.findChildren(QAbstractButton) if "&" in b.text()
    ]
    assert len(letters) == len(set(letters))
    assert not set(letters) & set("fvlpwh"), "those open napari's menus"
    for control in (c for kind in (QAbstractButton, QComboBox, QAbstractSpinBox) for c in visible(inside, kind)):
        if control.isEnabled():
            assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control
        assert getattr(control, "text", str)() or control.accessibleName(), control
    watching.hide()
