"""Tiny fields on disk, and a configuration that trains on them in a second or two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from napari_mito_predict.training import TrainingConfig

VOXEL = (0.15, 0.11, 0.11)


@pytest.fixture(autouse=True)
def _no_runs_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITO_PREDICT_RUNS", str(tmp_path_factory.mktemp("runs")))


def _write_field(
    path: Path, data: np.ndarray, names: list[str], axes: str = "CZYX", voxel: tuple[float, ...] = VOXEL
) -> Path:
    """Write an OME-TIFF with channel names and voxel size."""
    sizes = {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", voxel, strict=True) if axis in axes}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "ZYX" if axis in axes}
    metadata = {"axes": axes, "Channel": {"Name": names}, **sizes, **units}
    tifffile.imwrite(path, data.astype(np.uint16), ome=True, metadata=metadata)
    return path


def light_and_truth(seed: int, shape: tuple[int, ...] = (12, 40, 44)) -> np.ndarray:
    """Transmitted light and a truth that is its blurred, inverted copy: (2, *shape)."""
    light = np.random.default_rng(seed).normal(1000, 100, shape)
    return np.stack([light, -gaussian_filter(light, 1) + 2000])


@pytest.fixture
def write_field() -> Callable[..., Path]:
    """Write an OME-TIFF with channel names and voxel size: ``write_field(path, data, names)``."""
    return _write_field


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    """Four fields whose fluorescence is a blurred, inverted copy of the transmitted light."""
    folder = tmp_path / "fields"
    folder.mkdir()
    for i in range(4):
        _write_field(folder / f"field{i}.ome.tif", light_and_truth(i), ["TL", "TMRM"])
    return folder


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[..., TrainingConfig]:
    """Make a tiny configuration: ``make_config(fields, "run", iterations=3)``."""

    def make(fields: Path, output: str, **changes: Any) -> TrainingConfig:
        return TrainingConfig.parse(
            {
                "targets": {"mitochondria": "TMRM"},
                "data": {"files": [str(fields / "*.ome.tif")]},
                "preset": "quick",
                "augment": {"flip": True},
                "warmup": 0,
                "name": "test-model",
                "network": {"depth": 1, "base_channels": 4},
                "patch": (8, 16, 16),
                "batch_size": 2,
                "iterations": 30,
                "validate_every": 15,
                "precision": "32",
                "output": str(tmp_path / output),
            }
            | changes
        )

    return make
