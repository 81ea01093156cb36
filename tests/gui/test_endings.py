"""However a prediction is broken off, it is whole or it is gone, and the dock can be used again."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from qtpy.QtWidgets import QApplication

from napari_mito_predict import errors
from napari_mito_predict._widgets.common.image_layers import is_prediction
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict.prediction import Execution

PATIENCE = 60_000


@pytest.fixture
def half(monkeypatch):
    """Let the engine wait after its first block, until the test lets it go on; cancelling still works."""
    go, run = threading.Event(), Execution.blocks

    def slow(self):
        for block in run(self):
            yield block
            while not go.wait(0.01):
                if self.context.cancel():
                    raise errors.PredictionCancelled("Cancelled; nothing was written.")

    monkeypatch.setattr(Execution, "blocks", slow)
    yield go
    go.set()


@pytest.fixture
def predicting(ready, half, qtbot):
    """The dock, half-way through a prediction."""
    ready.predict.predict.click()
    qtbot.waitUntil(lambda: ready.run is not None and ready._live.painted > 0, timeout=PATIENCE)
    return ready


def predictions(viewer):
    return [layer for layer in viewer.layers if is_prediction(layer)]


def press_x(dock):
    """As the x of a dock does it; somebody may still hold the widget."""
    dock.parentWidget().destroyOnClose()
    QApplication.processEvents()


def test_the_dock_is_closed(predicting, viewer, qtbot):
    assert len(predictions(viewer)) == 2
    press_x(predicting)
    assert not predictions(viewer)
    assert len(viewer.layers) == 3, "and nothing else goes"
    assert not predicting.job.state.busy


def test_the_dock_is_closed_after_it_predicted(ready, viewer, qtbot):
    ready.predict.predict.click()
    qtbot.waitUntil(lambda: ready.job.state is JobState.DONE, timeout=PATIENCE)
    press_x(ready)
    assert len(predictions(viewer)) == 2


def test_the_dock_is_closed_while_it_previews(ready, viewer, qtbot):
    ready.predict.preview.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 5, timeout=PATIENCE)
    press_x(ready)
    assert len(viewer.layers) == 3


def test_all_layers_are_cleared(predicting, half, viewer, qtbot):
    viewer.layers.clear()
    half.set()
    qtbot.waitUntil(lambda: not predicting.job.state.busy, timeout=PATIENCE)
    assert not predictions(viewer)
    assert predicting.image.input is None


def test_the_input_is_removed(predicting, half, viewer, qtbot):
    viewer.layers.remove(predicting.image.transmitted.layer)
    half.set()
    qtbot.waitUntil(lambda: predicting.job.state is JobState.DONE, timeout=PATIENCE)
    assert len(predictions(viewer)) == 2


def test_one_of_the_outputs_is_removed(predicting, half, viewer, qtbot):
    viewer.layers.remove(predictions(viewer)[0])
    half.set()
    qtbot.waitUntil(lambda: predicting.job.state is JobState.DONE, timeout=PATIENCE)
    (left,) = predictions(viewer)
    assert left.data.any()


EXITS = """
import napari, sys
from pathlib import Path
from qtpy.QtCore import QTimer
from napari_mito_predict._widgets.contributions.predict_dock import MitoPredict
viewer = napari.Viewer()
dock = MitoPredict(viewer)
viewer.window.add_dock_widget(dock)
for box in dock.models._boxes.values():
    box.setChecked(True)
dock.image.open_file(Path(sys.argv[1]))

def close():
    if {condition}:
        viewer.close()
    else:
        QTimer.singleShot(10, close)

close()
napari.run()
"""


@pytest.mark.parametrize(
    "condition",
    [
        "dock.image.input is not None",
        "dock.planning.state.busy",
        "dock.predict.predict.isEnabled() and (dock.predict.predict.click() or dock.job.state.busy)",
    ],
    ids=["when the file is open", "while planning", "while predicting"],
)
def test_napari_is_closed(czi, models_folder, condition):
    command = [sys.executable, "-X", "faulthandler", "-c", EXITS.format(condition=condition), str(czi)]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Error" not in ended.stderr
