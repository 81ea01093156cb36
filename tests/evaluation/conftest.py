"""A small piece of the sample cell, its prediction by the bundled model, and small images as files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import napari_mito_predict
from napari_mito_predict.image import open_image, write_ome_tiff

SAMPLE = Path(napari_mito_predict.__file__).parent / "_sample" / "simulated_cell.czi"
VOXEL_UM = (0.15, 0.11, 0.11)


@pytest.fixture(scope="session")
def stack() -> np.ndarray:
    """Transmitted light, TMRM and SYBR of a piece of the sample cell, (3, 16, 64, 64)."""
    image = open_image(SAMPLE)
    return np.stack([image.read(channel=c)[4:20, 80:144, 80:144] for c in range(3)])


@pytest.fixture(scope="session")
def sample(stack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two images with structure and camera noise, (16, 64, 64), uint16."""
    return stack[1] // 2 + stack[2], stack[1]


@pytest.fixture(scope="session")
def recorded() -> tuple[np.ndarray, np.ndarray]:
    """Two real images of one field, inverted phase contrast and nuclei, (1, 1080, 1280), uint16."""
    root = Path(os.environ.get("MITO_PREDICT_REAL_DATA", Path(__file__).parents[3] / "shared" / "real"))
    files = [root / "phase_to_nuclei" / f"testing_data_HeLa_set1_{what}.tif" for what in ("phase", "nuclei")]
    if not files[0].is_file():
        pytest.skip(f"real recordings are not at {root}; set MITO_PREDICT_REAL_DATA to their folder")
    phase, nuclei = (open_image(file).read() for file in files)
    return phase.max() - phase, nuclei


@pytest.fixture(scope="session")
def predicted(stack: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The prediction of `stack` by mito-z and its truth, as files."""
    from napari_mito_predict.prediction import predict

    folder = tmp_path_factory.mktemp("predicted")
    truth = folder / "cell.ome.tif"
    write_ome_tiff(truth, stack, axes="CZYX", channel_names=["ESID", "TMRM", "SYBR Gold"], voxel_size_um=VOXEL_UM)
    made = predict(truth, "mito-z", device="cpu", precision="32")["mitochondria"]
    (folder / "out").mkdir()
    return made.save(folder / "out" / "cell_mitochondria.ome.tif"), truth


MakeImage = Callable[..., Path]


@pytest.fixture
def make_image(tmp_path: Path) -> MakeImage:
    """``make_image("a/cells.ome.tif", data)`` with data (Z, Y, X), or other `axes`; a `record` goes beside it."""

    def make(
        name: str,
        data: np.ndarray,
        *,
        axes: str = "ZYX",
        channels: tuple[str, ...] = ("TMRM predicted (tiny)",),
        voxel_size_um: tuple[float | None, ...] = VOXEL_UM,
        record: dict[str, object] | None = None,
        description: str = "",
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ome_tiff(
            path, data, axes=axes, channel_names=channels, voxel_size_um=voxel_size_um, description=description,
            overwrite=True,
        )  # fmt: skip
        if record is not None:
            beside = path.with_name(path.name.removesuffix(".ome.tif") + ".prediction.json")
            beside.write_text(json.dumps(record), encoding="utf-8")
        return path

    return make
