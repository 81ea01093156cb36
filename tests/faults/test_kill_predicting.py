"""A prediction that is killed at any moment: nothing is half, nothing is lost, and the next run leaves no litter."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_mito_predict.image import list_images, open_image, write_ome_tiff
from napari_mito_predict.models import ModelCard, save_model
from napari_mito_predict.models.record import read_record
from napari_mito_predict.prediction import predict
from napari_mito_predict.prediction.batch.outcome import State
from napari_mito_predict.prediction.many import predict_many

if TYPE_CHECKING:
    from napari_mito_predict.networks.unet import UNet
    from napari_mito_predict.prediction import Prediction

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

IMAGES = 3
KILLS = int(os.environ.get("MITO_PREDICT_KILLS", "3"))
"""More of them, such as 20, are a long version of the same."""


@pytest.fixture
def model(tmp_path: Path, tiny_card: ModelCard, tiny_network: UNet) -> Path:
    """A tiny model of z-stacks."""
    save_model(tmp_path / "tiny", tiny_card, tiny_network, np.zeros((1, 8, 16, 16), np.float32))
    return tmp_path / "tiny"


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder of series of small stacks."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(IMAGES):
        data = np.random.default_rng(number).integers(100, 4000, (2, 1, 8, 64, 64), np.uint16)
        voxel = (0.15, 0.11, 0.11)
        name = folder / f"{number}.ome.tif"
        write_ome_tiff(name, data, axes="TCZYX", channel_names=["Brightfield"], voxel_size_um=voxel)
    return folder


@pytest.fixture
def start() -> Callable[..., BaseProcess]:
    """Predict in a process of its own, in which torch is imported already: it is not what is killed."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["napari_mito_predict.prediction.many"])

    def go(*arguments: object, **options: object) -> BaseProcess:
        process = server.Process(target=predict_many, args=arguments, kwargs=options)
        process.start()
        return process

    return go


@pytest.mark.parametrize("file_format", ["ome-tiff", "ome-zarr"])
def test_killed_at_random_moments(
    start: Callable[..., BaseProcess], scans: Path, model: Path, tmp_path: Path, file_format: str
) -> None:
    options = {"file_format": file_format, "device": "cpu", "precision": "32", "overwrite": True}
    begun = time.monotonic()
    expected = {path.name: predict(open_image(path), model, precision="32") for path in scans.iterdir()}
    seconds = time.monotonic() - begun
    moments = random.Random(0)
    out = tmp_path / "out"
    out.mkdir()
    killed = 0
    for _ in range(KILLS):
        before = _state(out)
        process = start(scans, out, model, **options)
        while process.is_alive() and _state(out) == before:
            time.sleep(0.001)  # until it begins to write
        time.sleep(moments.choice((0, moments.uniform(0, seconds))))  # while it writes, or at any time
        process.kill()
        process.join(60)
        killed += process.exitcode == -signal.SIGKILL
        for path in list_images(out):
            _assert_whole(path, expected)
    assert killed
    kept = list_images(out)
    outcomes = predict_many(scans, out, model, **options | {"overwrite": False})
    assert len(outcomes) == IMAGES
    assert {outcome.state for outcome in outcomes} <= {State.DONE, State.THERE_ALREADY}
    # What was being replaced comes back.
    assert sum(outcome.state is State.THERE_ALREADY for outcome in outcomes) >= len(kept)
    images = list_images(out)
    assert len(images) == IMAGES
    for path in images:
        _assert_whole(path, expected)
    records = [path for path in out.iterdir() if path not in images]
    assert {path.name.split(".", 1)[1] for path in records} == {"prediction.json"}, "litter"
    assert len(records) == IMAGES


def _state(folder: Path) -> set[tuple[str, int]]:
    """Changes whenever something is written, or begun."""
    return {(entry.name, entry.inode()) for entry in os.scandir(folder)}


def _assert_whole(path: Path, expected: dict[str, dict[str, Prediction]]) -> None:
    record = read_record(path)
    assert record is not None
    right = expected[record.input.name]["mitochondria"].data
    image = open_image(path)
    for t in range(image.sizes["T"]):
        np.testing.assert_array_equal(image.read(t, 0), right[t])
