"""A full disk, a folder that cannot be made: a clear message, and a run that goes on when the cause is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_mito_predict.errors import TrainingError
from napari_mito_predict.training import Run, TrainingConfig, train


@pytest.fixture
def config(planes: Path, tmp_path: Path) -> TrainingConfig:
    """A tiny run on three single planes."""
    return TrainingConfig.parse(
        {
            "targets": {"mitochondria": "TMRM"},
            "data": {"files": [str(planes / "*.ome.tif")]},
            "network": {"depth": 2, "base_channels": 8},
            "patch": (16, 16),
            "batch_size": 1,
            "iterations": 6,
            "validate_every": 2,
            "precision": "32",
            "threads": 1,
            "add_to_models": False,
            "output": str(tmp_path / "run"),
        }
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits on Windows")
def test_a_full_disk_stops_the_run_and_it_goes_on_later(config: TrainingConfig, tmp_path: Path) -> None:
    """The system refuses files of more than 60 kB, as a full disk would: a checkpoint has 500 kB."""
    run = Run.create(config)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000));"
        "from napari_mito_predict.cli import main; sys.argv[0] = 'mito-predict'; main()"
    )
    failed = subprocess.run(
        [sys.executable, "-c", code, "train", "--resume", str(run.path)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert failed.returncode == 1, failed.stderr
    last = failed.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert "could not be written" in last
    assert run.status.state == "failed"
    assert "could not be written" in run.status.message
    assert not list(run.path.rglob(".*partial*"))
    train(run)
    assert run.status.state == "done"
    whole = train(config.model_copy(update={"output": tmp_path / "whole"}))
    newest = [torch.load(r.path / "checkpoints" / "00000006.pt", weights_only=True)["model"] for r in (run, whole)]
    for name, tensor in newest[0].items():
        torch.testing.assert_close(newest[1][name], tensor, rtol=0, atol=0)


def test_a_run_folder_that_cannot_be_made(config: TrainingConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"cannot be made.*Choose another"):
        train(config.model_copy(update={"output": tmp_path / "file" / "run"}))


def test_models_folder_that_cannot_be_written_keeps_the_model_in_the_run(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("MITO_PREDICT_MODELS", os.fspath(tmp_path / "file"))
    run = train(config.model_copy(update={"add_to_models": True}))
    assert run.status.state == "done"
    assert "could not be added to your models" in run.status.message
    assert run.model.card.metrics
