"""Tiny models, a small CZI file, and a viewer with the dock; the engine and napari are the real ones."""

from __future__ import annotations

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

    from napari_mito_predict._widgets.predict import PredictWidget

    widget = PredictWidget(PublicOnlyProxy(viewer))  # what napari hands to plugins
    viewer.window.add_dock_widget(widget, name="Mito Predict", area="right")
    yield widget
    widget.job.cancel()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=60_000)


@pytest.fixture
def ready(dock, czi, qtbot):
    """The dock with the file opened and both models checked."""
    dock.image.open_file(czi)
    qtbot.waitUntil(lambda: len(dock._viewer.layers) == 3 and dock.image.input is not None, timeout=60_000)
    for box in dock.models._boxes.values():
        box.setChecked(box.accessibleName() in ("mito-z", "dna-z"))
    qtbot.waitUntil(lambda: "about" in dock.predict.cost.text(), timeout=60_000)
    return dock
