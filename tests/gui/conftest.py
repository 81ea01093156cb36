"""Tiny models, a small CZI file, and a viewer with the dock; the engine and napari are the real ones."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import shutil
import time
from itertools import pairwise

import numpy as np
import pytest
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, Qt, QThreadPool
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QLabel,
    QToolTip,
    QWidget,
)

pytest.importorskip("napari")

SHAPE = (16, 64, 72)
VOXEL = (0.29, 0.11, 0.11)


@pytest.fixture(scope="session", autouse=True)
def _look_for_plugins_once():
    """Each viewer reads the manifests of all plugins anew, which takes nearly half of its time."""
    from npe2 import PluginManifest

    found = list(PluginManifest.discover())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda *args, **keywords: iter(found))
        yield


@pytest.fixture(scope="session", autouse=True)
def _keep_modules_out_of_garbage_collection(models_folder):
    """Each viewer ends with two collections, which would look at all of napari and torch."""
    from napari._qt import qt_main_window  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory):
    """A folder with two tiny z-models named like the bundled ones."""
    from napari_mito_predict.models import Architecture, Input, ModelCard, Target, Training, save_model
    from napari_mito_predict.networks.unet import UNet

    folder = tmp_path_factory.mktemp("models")
    import torch

    torch.manual_seed(0)  # some random networks of this size answer with a constant
    arguments = {"ndim": 3, "depth": 1, "base_channels": 2}
    for name, target, stain, colormap in (
        ("mito-z", "mitochondria", "TMRM", "magenta"),
        ("dna-z", "dna", "SYBR Gold", "cyan"),
    ):
        card = ModelCard(
            name=name,
            title=f"{stain} from transmitted light",
            targets=(Target(name=target, stain=stain, colormap=colormap, contrast_limits=(-0.5, 5.0)),),
            architecture=Architecture(kind="unet", arguments=arguments),
            input=Input(voxel_size_um=VOXEL, third_axes=("z",)),
            training=Training(data="simulated cells", pairs=2, iterations=10),
            simulated=True,
        )
        save_model(folder / name, card, UNet(**arguments), np.zeros((1, 8, 16, 16), np.float32))
    return folder


@pytest.fixture(autouse=True)
def use_models(models_folder, monkeypatch):
    monkeypatch.setenv("MITO_PREDICT_MODELS", str(models_folder))


@pytest.fixture(scope="session")
def czi(tmp_path_factory):
    """A CZI file with three channels, written by Zeiss' own library; TMRM correlates with transmitted light."""
    writer = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path_factory.mktemp("czi") / "zellen ä.czi"
    rng = np.random.default_rng(0)
    light = rng.integers(100, 4000, SHAPE).astype(np.uint16)
    channels = {0: light, 1: light // 2 + rng.integers(0, 500, SHAPE).astype(np.uint16), 2: light[::-1]}
    with writer.create_czi(str(path)) as document:
        for c, volume in channels.items():
            for z, plane in enumerate(volume):
                document.write(np.ascontiguousarray(plane)[..., None], plane={"C": c, "Z": z, "T": 0})
        document.write_metadata(
            document_name="cells",
            channel_names={0: "T-PMT", 1: "TMRM", 2: "SYBR Gold"},
            scale_x=VOXEL[2] * 1e-6,
            scale_y=VOXEL[1] * 1e-6,
            scale_z=VOXEL[0] * 1e-6,
        )
    return path


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def dock(viewer, qtbot):
    """The dock widget in a viewer, as a user opens it from the menu."""
    from napari.utils._proxies import PublicOnlyProxy

    from napari_mito_predict._widgets.contributions.predict_dock import MitoPredict

    widget = MitoPredict(PublicOnlyProxy(viewer))  # what napari hands to plugins
    viewer.window.add_dock_widget(widget, name="Mito Predict", area="right")
    yield widget
    if isalive(widget):  # a test may close the dock
        widget.job.cancel()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=60_000)


@pytest.fixture
def ready(dock, czi, qtbot):
    """The dock with the file opened and both models checked."""
    dock.image.open_file(czi)
    qtbot.waitUntil(lambda: len(dock.viewer.layers) == 3 and dock.image.input is not None, timeout=60_000)
    for box in dock.models._boxes.values():
        box.setChecked(box.accessibleName() in ("mito-z", "dna-z"))
    qtbot.waitUntil(lambda: "about" in dock.predict.cost.text(), timeout=60_000)
    return dock


@pytest.fixture
def wait_for_plan(qtbot):
    """Waits until a dock has planned what is chosen in it: after that, nothing changes by itself."""

    from napari_mito_predict._widgets.common.worker import JobState

    def wait(dock):
        def is_planned():
            return dock._planned_for == dock._request() and dock.planning.state is JobState.DONE

        qtbot.waitUntil(is_planned, timeout=60_000)

    return wait


# ------------------------------------------------------------------ fine-tuning


@pytest.fixture
def write_field():
    """Write transmitted light and fluorescence as one file: a blurred, inverted copy of noise, unless given."""
    from scipy.ndimage import gaussian_filter

    from napari_mito_predict.image import write_ome_tiff

    def write(path, seed, truth=None, **kwargs):
        light = np.random.default_rng(seed).normal(1000, 100, (8, 36, 44))
        truth = 2000 - gaussian_filter(light, 1) if truth is None else truth
        data = np.stack([light, truth]).astype(np.uint16)
        return write_ome_tiff(path, data, axes="CZYX", channel_names=["T-PMT", "TMRM"], voxel_size_um=VOXEL, **kwargs)

    return write


@pytest.fixture
def folder(tmp_path, write_field):
    """Five sound fields."""
    folder = tmp_path / "day 1"
    folder.mkdir()
    for i in range(5):
        write_field(folder / f"field{i}.ome.tif", i)
    return folder


@pytest.fixture
def places(tmp_path, models_folder, monkeypatch):
    """Runs and models of this test alone; the start models are the tiny ones."""
    shutil.copytree(models_folder, tmp_path / "models")
    monkeypatch.setenv("MITO_PREDICT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("MITO_PREDICT_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def make_train_dock(places, viewer, qtbot):
    """Fine-tune docks as a user opens them from the menu; what they started is stopped at the end."""
    from napari.utils._proxies import PublicOnlyProxy

    from napari_mito_predict._widgets.train.widget import TrainWidget
    from napari_mito_predict.training.runs import known_runs

    def make():
        widget = TrainWidget(PublicOnlyProxy(viewer))
        widget.extra = {"patch": [8, 16, 16], "threads": 1, "batch_size": 1}
        viewer.window.add_dock_widget(widget, name="Fine-tune", area="right")
        widget.start.options.iterations.value = 10
        return widget

    yield make
    for run in known_runs():
        if run.status.alive and run.status.pid != os.getpid():
            run.request_stop()
            qtbot.waitUntil(lambda run=run: not run.status.alive, timeout=60_000)
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=60_000)


@pytest.fixture
def write_run(places):
    """Write the folder of a run that nobody trains, 20 of 100 iterations old."""
    from napari_mito_predict.training.config import TrainingConfig
    from napari_mito_predict.training.run import Run
    from napari_mito_predict.training.runs import runs_folder
    from napari_mito_predict.training.status import Status

    def write(name, state, message):
        config = {"targets": {"mitochondria": "TMRM"}, "data": {"files": ["a.czi"]}, "name": name}
        run = Run.create(TrainingConfig.parse(config | {"output": runs_folder() / name}))
        scores = {"best": 0.71, "base": 0.42, "blurred input": 0.31}
        status = Status(state, message, 20, 100, 4000.0, os.getpid(), time.time(), scores)
        (run.path / "status.json").write_text(json.dumps(dataclasses.asdict(status)), encoding="utf-8")
        for iteration in range(0, 30, 10):
            run.append_metrics({"iteration": iteration, "train_loss": 1.0, "val_pcc": 0.5, "lr": 1e-3, "seconds": 1.0})
        return run

    return write


@pytest.fixture
def train_dock(make_train_dock):
    return make_train_dock()


@pytest.fixture
def checked(train_dock, folder, qtbot):
    """The fine-tune dock with all fields checked, ready to start."""
    train_dock.set_files([folder])
    train_dock.training.name.setText("my-cells")
    qtbot.waitUntil(train_dock.training.start.isEnabled, timeout=60_000)
    return train_dock


@pytest.fixture
def ten_models(models_folder, tmp_path, monkeypatch):
    """The two tiny models, and eight with names as people give them."""
    folder = tmp_path / "ten"
    shutil.copytree(models_folder, folder)
    names = [
        "mito-t",
        "mito-confocal-2024",
        "Mitochondrien-Färbung",
        "ミトコンドリア",
        "dna-t",
        "20240312_U2OS_TMRM_SYBRGold_63x_Airyscan_Mitocho",
        "a",
        "b",
    ]
    for name in names:
        copy = folder / name
        shutil.copytree(folder / "mito-z", copy)
        card = json.loads((copy / "model.json").read_text(encoding="utf-8"))
        (copy / "model.json").write_text(json.dumps(card | {"name": name}), encoding="utf-8")
    (folder / "b" / "model.json").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("MITO_PREDICT_MODELS", str(folder))


@pytest.fixture
def compare_dock(viewer):
    from napari.utils._proxies import PublicOnlyProxy

    from napari_mito_predict._widgets.compare.widget import CompareWidget

    widget = CompareWidget(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(widget, name="Compare with truth", area="right")
    return widget


# ------------------------------------------------------------------ models


@pytest.fixture
def own_settings(tmp_path, monkeypatch):
    """Shared folders of this test alone."""
    monkeypatch.setattr("platformdirs.user_config_path", lambda *args, **kwargs: tmp_path / "settings")


@pytest.fixture
def make_models_dock(places, own_settings, qtbot):
    """Docks beside a viewer without a window, when their list is there."""
    from napari.components import ViewerModel

    from napari_mito_predict._widgets.models.widget import ModelsWidget

    def make(viewer=None):
        widget = ModelsWidget(viewer or ViewerModel())
        if viewer is None:
            qtbot.addWidget(widget)
            widget.resize(340, 900)
            widget.show()
        qtbot.waitUntil(lambda: bool(widget.cards.views), timeout=60_000)
        return widget

    yield make
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=60_000)


@pytest.fixture
def models_dock(make_models_dock, viewer):
    """The dock in a viewer, as a user opens it from the menu."""
    from napari.utils._proxies import PublicOnlyProxy

    widget = make_models_dock(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(widget, name="Models", area="right")
    return widget


# ------------------------------------------------------------------ many images


@pytest.fixture
def many_dock(viewer, own_settings, qtbot):
    """The dock in a viewer, with both models chosen."""
    from napari.utils._proxies import PublicOnlyProxy

    from napari_mito_predict._widgets.batch.widget import ManyImagesWidget

    widget = ManyImagesWidget(PublicOnlyProxy(viewer))
    widget.settings.kind.setCurrentIndex(1)
    for box in widget.settings.models.values():
        box.setChecked(box.accessibleName() in ("mito-z", "dna-z"))
    viewer.window.add_dock_widget(widget, name="Many images", area="right")
    yield widget
    if isalive(widget):
        widget.job.cancel()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=60_000)


# ------------------------------------------------------------------ looking at docks


@pytest.fixture
def arrange(viewer):
    """Show docks side by side in a window of this size, each of them 320 pixels wide."""

    def show(docks, window):
        main = viewer.window._qt_window
        holders = [holder_of(dock) for dock in docks]
        for first, second in pairwise(holders):
            main.splitDockWidget(first, second, Qt.Orientation.Horizontal)
        main.show()
        main.resize(window)
        QApplication.processEvents()
        main.resizeDocks(holders, [320] * len(holders), Qt.Orientation.Horizontal)
        for dock in docks:
            wait_until_still(dock)

    return show


def holder_of(dock):
    while not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    return dock


@pytest.fixture
def settle():
    """Waits until nothing moves in a dock any more."""
    return wait_until_still


def wait_until_still(dock):
    """Layouts that wrap text take a few rounds: until nothing has moved in three of them."""
    rounds = []
    while len(rounds) < 3 or any(places != rounds[-1] for places in rounds[-3:]):
        QApplication.processEvents()
        rounds.append([(widget.isVisible(), widget.geometry()) for widget in dock.findChildren(QWidget)])


@pytest.fixture
def tooltip():
    """What the mouse brings up over a widget, which may be the tooltip of one of its parents."""

    def rest_on(widget):
        place = widget.rect().center()
        event = QHelpEvent(QEvent.Type.ToolTip, place, widget.mapToGlobal(place))
        QApplication.sendEvent(widget, event)
        if event.isAccepted():
            return QToolTip.text()
        return ""

    return rest_on


@pytest.fixture
def label_texts():
    """All that the labels of a widget show, without the marks that say where a line may end, and where not."""

    def read(widget):
        QApplication.sendPostedEvents()  # what a layout has just been given is shown by an event of its own
        drawn = [QLabel.text(label) for label in widget.findChildren(QLabel) if label.isVisible()]
        return [text.replace("\u200b", "").replace("\u00a0", " ") for text in drawn]

    return read
