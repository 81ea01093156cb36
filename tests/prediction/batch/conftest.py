"""A folder of small recordings, and a tiny model for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.image import write_ome_tiff
from napari_mito_predict.models import save_model
from napari_mito_predict.prediction.batch.settings import BatchSettings

VOXEL_UM = (0.15, 0.11, 0.11)


@pytest.fixture
def tiny(_no_models_of_the_user: Path, tiny_card, tiny_network) -> str:
    """Name of a model of the user's own."""
    sample = np.random.default_rng(0).normal(size=(1, 8, 16, 16)).astype(np.float32)
    save_model(_no_models_of_the_user / "tiny", tiny_card, tiny_network, sample)
    return "tiny"


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Write recordings, 8 x 24 x 24, of transmitted light and TMRM."""

    def write(name: str, seed: int = 0, folder: Path | None = None) -> Path:
        path = (folder or tmp_path / "scans") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = np.random.default_rng(seed).integers(100, 4000, (2, 8, 24, 24), np.uint16)
        write_ome_tiff(
            path, data, overwrite=True, axes="CZYX", channel_names=["Brightfield", "TMRM"], voxel_size_um=VOXEL_UM
        )
        return path

    return write


@pytest.fixture
def settings(tiny: str, tmp_path: Path) -> BatchSettings:
    """Predictions go to `out`."""
    folder = tmp_path / "out"
    folder.mkdir()
    return BatchSettings(folder, (tiny,), plan={"device": "cpu", "precision": "32"})
