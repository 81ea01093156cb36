"""What strangers made: run folders, records, images that declare anything, names of any length."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import TrainingError, UnsupportedImageError
from napari_mito_predict.evaluation.provenance import find_card
from napari_mito_predict.image import open_image, write_ome_tiff, write_ome_zarr
from napari_mito_predict.models import read_card
from napari_mito_predict.models.record import ModelRecord, PredictionRecord, find_record
from napari_mito_predict.prediction.plan import plan_prediction
from napari_mito_predict.training import Run
from napari_mito_predict.training.runs import runs_in

STACK = np.random.default_rng(0).integers(0, 4000, (2, 24, 20), np.uint16)


def test_a_record_names_models_and_no_paths(tmp_path: Path, real_models: Path, plane_card) -> None:
    hidden = tmp_path / "hidden"
    shutil.copytree(real_models / plane_card.name, hidden)
    sha256 = read_card(hidden).weights.sha256
    assert find_card(PredictionRecord(model=ModelRecord(name=str(hidden), weights_sha256=sha256))) is None
    assert find_card(PredictionRecord(model=ModelRecord(name=plane_card.name, weights_sha256=sha256))) is not None


@pytest.mark.parametrize("shape", [[2, 24, 2**31], [2, 2**23, 2**23]])
def test_sizes_that_no_recording_has_are_told_and_not_predicted(tmp_path: Path, shape: list[int]) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", STACK, axes="ZYX", channel_names=["BF"])
    group = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    del group["attributes"]["napari_mito_predict"]  # of a file of ours every chunk is asked for
    (path / "zarr.json").write_text(json.dumps(group), encoding="utf-8")
    metadata = json.loads((path / "0" / "zarr.json").read_text(encoding="utf-8"))
    (path / "0" / "zarr.json").write_text(json.dumps(metadata | {"shape": shape}), encoding="utf-8")
    sizes = open_image(path).sizes
    assert [sizes[axis] for axis in "ZYX"] == shape
    with pytest.raises(UnsupportedImageError, match="it is damaged"):
        plan_prediction(path, "mito-z")


@pytest.mark.skipif(sys.platform == "win32", reason="paths are shorter there")
def test_the_longest_name_is_that_of_a_recording(tmp_path: Path) -> None:
    """A record beside it would have a name that no file can have, so there is none."""
    path = tmp_path / f"{'x' * 246}.tif"
    write_ome_tiff(tmp_path / "a.ome.tif", STACK, axes="ZYX", channel_names=["BF"]).rename(path)
    assert find_record(path) is None
    assert open_image(path).channels[0].prediction is None


def test_runs_of_strangers_are_listed(tmp_path: Path) -> None:
    statuses = {
        "sound": '{"state": "done", "iteration": 5}',
        "pid": '{"state": "done", "pid": -1}',
        "deep": "[" * 100_000,
        "nan": '{"state": "running", "heartbeat": NaN, "scores": {"best": Infinity}}',
    }
    for name, status in statuses.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("x", encoding="utf-8")
        (tmp_path / name / "status.json").write_text(status, encoding="utf-8")
    states = {run.path.name: run.status.state for run in runs_in(tmp_path)}
    assert states == {"sound": "done", "pid": "damaged", "deep": "damaged", "nan": "interrupted"}
    with pytest.raises(TrainingError, match="cannot be read"):
        runs_in(tmp_path / "missing")


def test_numbers_of_a_curve_are_finite(tmp_path: Path) -> None:
    lines = ["iteration,train_loss,val_loss,val_pcc,lr,seconds", "0,nan,1,inf,1,1", "nan,1,1,1,1,1", "-1,1,1,1,1,1", ""]
    (tmp_path / "metrics.csv").write_text("\n".join(lines), encoding="utf-8")
    assert Run(tmp_path).metrics == [{"iteration": 0, "val_loss": 1, "lr": 1, "seconds": 1}]
    (tmp_path / "metrics.csv").write_text("\n".join([*lines[:2], "9" * 200_000, ""]), encoding="utf-8")
    assert len(Run(tmp_path).metrics) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes among files there")
def test_a_status_that_is_a_pipe_is_damaged(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "status.json")
    status = Run(tmp_path).status
    assert status.state == "damaged"
    assert "a pipe or a device" in status.message
