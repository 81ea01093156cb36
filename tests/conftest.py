"""Fixtures for all tests: a tiny network and its card, and no access to the user's own models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from napari_mito_predict.models import ModelCard
    from napari_mito_predict.models.training_images import TrainingImages
    from napari_mito_predict.networks.unet import UNet

# The same examples in every run: a test that fails once in a while proves nothing, either way.
# No deadline: a machine may be busy.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _no_models_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whatever models are installed on this machine do not change a test."""
    folder = tmp_path_factory.mktemp("models")
    monkeypatch.setenv("MITO_PREDICT_MODELS", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _no_installed_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do distributions of models that are installed here; `tests/real_models` are about them."""
    from importlib.metadata import EntryPoints

    from napari_mito_predict.models import distributions

    monkeypatch.setattr(distributions, "entry_points", lambda group: EntryPoints())


@pytest.fixture
def make_distribution(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, _no_installed_models: None
) -> Callable[..., Path]:
    """Install distributions of models as pip does: ``make_distribution("name")`` gives the folder of its models."""
    from importlib.metadata import Distribution, EntryPoints

    from napari_mito_predict.models import distributions

    site = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(site)

    def installed(group: str) -> EntryPoints:
        found = [entry for each in Distribution.discover(path=[str(site)]) for entry in each.entry_points]
        return EntryPoints(found).select(group=group)

    monkeypatch.setattr(distributions, "entry_points", installed)

    def make(name: str = "napari-mito-predict-real-models", *, package: str | None = None) -> Path:
        module = package or name.replace("-", "_")
        models = site.joinpath(*module.split("."), "models")
        models.mkdir(parents=True)
        (models.parent / "__init__.py").write_text("raise RuntimeError('this is never imported')\n", encoding="utf-8")
        metadata = site / f"{name.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        entry = f"[{distributions.GROUP}]\nmodels = {module}\n"
        (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")
        return models

    return make


@pytest.fixture
def plane_card() -> ModelCard:
    """Card of a model of real cells for single planes of bright-field; its network is `plane_network`."""
    from napari_mito_predict.models import Architecture, Input, ModelCard, Target, Training

    return ModelCard(
        name="mito-2d",
        title="Mitochondria from bright-field",
        targets=(Target(name="mitochondria", stain="OMP25", colormap="magenta"),),
        architecture=Architecture(kind="unet", arguments={"ndim": 2, "depth": 1, "base_channels": 2}),
        input=Input(modality="bright-field", voxel_size_um=(None, None, None), estimated_pixel_um=0.1, third_axes=()),
        training=Training(data="random weights", pairs=0, iterations=0),
        licence="GPL-3.0-only",
        attribution="Images of somebody, doi:10.1000/1",
        simulated=False,
        trained_on="H9c2, bright-field, one microscope",
    )


@pytest.fixture
def plane_network() -> UNet:
    """A 2-D U-Net of depth 1 and width 2 with random weights."""
    import torch

    from napari_mito_predict.networks.unet import UNet

    torch.manual_seed(0)
    return UNet(ndim=2, depth=1, base_channels=2).eval()


@pytest.fixture
def training_images() -> TrainingImages:
    """Made-up numbers about training images, for the two features of `plane_network`."""
    from napari_mito_predict.models.training_images import PERCENTS, TrainingImages

    rng = np.random.default_rng(0)
    intensities = np.sort(rng.normal(size=(3, len(PERCENTS))), axis=1).astype(np.float32)
    spread = rng.normal(size=(9, 2))
    return TrainingImages(
        intensities=intensities,
        contrast=np.array([0.1, 0.2, 0.3], np.float32),
        mean=np.ones(2, np.float32),
        covariance=(spread.T @ spread).astype(np.float32),
        distances=np.array([0.5, 1.0, 2.0], np.float32),
    )


@pytest.fixture
def real_models(make_distribution: Callable[..., Path], plane_card: ModelCard, plane_network: UNet) -> Path:
    """The distribution of models of real cells, with `mito-2d` in it: the folder of its models."""
    from napari_mito_predict.models import save_model

    folder = make_distribution()
    sample = np.random.default_rng(0).standard_normal((1, 16, 16), dtype=np.float32)
    save_model(folder / plane_card.name, plane_card, plane_network, sample)
    return folder


@pytest.fixture
def tiny_card() -> ModelCard:
    """Card of a z-model for mitochondria whose network is `tiny_network`."""
    from napari_mito_predict.models import Architecture, Input, ModelCard, Target, Training

    return ModelCard(
        name="tiny",
        title="Tiny",
        targets=(Target(name="mitochondria", stain="TMRM", colormap="magenta", contrast_limits=(-1.0, 4.0)),),
        architecture=Architecture(kind="unet", arguments={"ndim": 3, "depth": 2, "base_channels": 4}),
        input=Input(voxel_size_um=(0.15, 0.11, 0.11), third_axes=("z",), third_axis_step={"z": 0.15}),
        training=Training(data="random weights", pairs=0, iterations=0),
        simulated=True,
    )


@pytest.fixture
def tiny_network() -> UNet:
    """A 3-D U-Net of depth 2 and width 4 with random weights and random batch-norm statistics."""
    import torch

    from napari_mito_predict.networks.unet import UNet

    torch.manual_seed(0)
    network = UNet(ndim=3, depth=2, base_channels=4)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


@pytest.fixture
def make_czi(tmp_path: Path) -> Callable[..., tuple[Path, np.ndarray]]:
    """Write small CZI files with pylibCZIrw: ``make_czi("name.czi", data)`` gives the path and the data."""
    czi = pytest.importorskip("pylibCZIrw.czi", reason="writes the CZI files of this test: pip install pylibCZIrw")

    def make(
        name: str = "cells.czi",
        data: np.ndarray | Sequence[np.ndarray] | None = None,
        *,
        channel_names: Sequence[str] = ("ESID-T1", "TMRM-T1"),
        scale_um: tuple[float, float, float] | None = (0.5, 0.1, 0.1),
        skip: Collection[tuple[int, int, int]] = (),
        custom: Mapping[str, object] | None = None,
        first: Mapping[str, int] | None = None,
    ) -> tuple[Path, np.ndarray]:
        """`data` is ``(T, C, Z, Y, X)``; `skip` names planes (t, c, z) left out; `first` where indices start."""
        if data is None:
            data = np.random.default_rng(0).integers(1, 4000, (2, 2, 3, 20, 28), np.uint16)
        path = tmp_path / name
        starts = {"T": 0, "C": 0, "Z": 0} | dict(first or {})
        scale = dict(zip(("scale_z", "scale_y", "scale_x"), (s * 1e-6 for s in scale_um or ()), strict=False))
        with czi.create_czi(str(path)) as document:
            for t, stacks in enumerate(data):
                for c, stack in enumerate(stacks):
                    for z, plane in enumerate(stack):
                        if (t, c, z) not in skip:
                            where = {"T": t + starts["T"], "C": c + starts["C"], "Z": z + starts["Z"]}
                            document.write(data=np.ascontiguousarray(plane[..., None]), plane=where)
            names = dict(enumerate(channel_names))
            document.write_metadata(channel_names=names, custom_attributes=dict(custom or {}), **scale)
        return path, data

    return make
