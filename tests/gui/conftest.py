"""Tiny models, a small CZI file, and a viewer with the dock; the engine and napari are the real ones."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool

pytest.importorskip("napari")

SHAPE = (16, 64, 72)
VOXEL = (0.29, 0.11, 0.11)


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
def train_dock(make_train_dock):
    return make_train_dock()


@pytest.fixture
def checked(train_dock, folder, qtbot):
    """The fine-tune dock with all fields checked, ready to start."""
    train_dock.set_files([folder])
    train_dock.training.name.setText("my-cells")
    qtbot.waitUntil(train_dock.training.start.isEnabled, timeout=60_000)
    return train_dock
