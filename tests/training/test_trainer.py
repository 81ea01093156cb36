"""A run from files to model package: it learns, it resumes exactly, it stops when asked."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import TrainingDataError, TrainingError
from napari_mito_predict.models import verify_model
from napari_mito_predict.training import Run, TrainingConfig, train
from napari_mito_predict.training.trainer import learning_rate


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    """Four fields whose fluorescence is a blurred, inverted copy of the transmitted light."""
    folder = tmp_path / "fields"
    folder.mkdir()
    for i in range(4):
        light = np.random.default_rng(i).normal(1000, 100, (12, 40, 44))
        truth = -gaussian_filter(light, 1) + 2000
        tifffile.imwrite(
            folder / f"field{i}.ome.tif",
            np.stack([light, truth]).astype(np.uint16),
            ome=True,
            metadata={
                "axes": "CZYX",
                "Channel": {"Name": ["TL", "TMRM"]},
                **{f"PhysicalSize{axis}": size for axis, size in zip("ZYX", (0.15, 0.11, 0.11), strict=True)},
                **{f"PhysicalSize{axis}Unit": "µm" for axis in "ZYX"},
            },
        )
    return folder


def _config(fields: Path, output: str, **changes: Any) -> TrainingConfig:
    return TrainingConfig.parse(
        {
            "targets": {"mitochondria": "TMRM"},
            "data": {"files": [str(fields / "*.ome.tif")]},
            "preset": "quick",
            "name": "test-model",
            "network": {"depth": 1, "base_channels": 4},
            "patch": (8, 16, 16),
            "batch_size": 2,
            "iterations": 30,
            "validate_every": 15,
            "precision": "32",
            "output": str(fields.parent / output),
        }
        | changes
    )


def _metrics(run: Run) -> list[dict[str, str]]:
    with (run.path / "metrics.csv").open(encoding="utf-8") as stream:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)]


def test_a_run_learns_and_leaves_a_verified_model(fields: Path) -> None:
    run = train(_config(fields, "run", iterations=60, validate_every=20, learning_rate=1e-2))
    rows = _metrics(run)
    assert [row["iteration"] for row in rows] == ["20", "40", "60"]
    assert float(rows[-1]["train_loss"]) < 0.8 * float(rows[0]["train_loss"])
    assert float(rows[-1]["val_pcc"]) > 0.5
    assert run.status["state"] == "done"
    card = run.model.card
    assert (card.name, card.targets[0].name, card.targets[0].stain) == ("test-model", "mitochondria", "TMRM")
    assert card.targets[0].colormap == "magenta"
    assert card.input.voxel_size_um == (0.15, 0.11, 0.11)
    assert card.input.third_axes == ("z",)
    assert card.training.pairs == 2
    assert not card.simulated
    assert card.metrics["mitochondria, test fields"]["pcc"] > 0.5
    low, high = card.targets[0].contrast_limits
    assert low < high
    assert verify_model(run.model_folder).passed


def test_resume_equals_an_uninterrupted_run(fields: Path) -> None:
    whole = train(_config(fields, "whole"))
    part = Run.create(_config(fields, "part"))
    (part.path / "checkpoints").mkdir(exist_ok=True)
    halfway = sorted((whole.path / "checkpoints").glob("*.pt"))[0]
    (part.path / "checkpoints" / halfway.name).write_bytes(halfway.read_bytes())
    (part.path / "metrics.csv").write_text((whole.path / "metrics.csv").read_text(encoding="utf-8"), encoding="utf-8")
    train(part)
    assert _metrics(part) == _metrics(whole)
    final = [torch.load(run.path / "checkpoints" / "00000030.pt", weights_only=True)["model"] for run in (whole, part)]
    for name, tensor in final[0].items():
        torch.testing.assert_close(final[1][name], tensor, rtol=0, atol=0)


def test_damaged_checkpoint_falls_back_to_the_one_before(fields: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = train(_config(fields, "run"))
    newest = run.path / "checkpoints" / "00000030.pt"
    newest.write_bytes(newest.read_bytes()[:100])
    state = run.load_checkpoint()
    assert state is not None
    assert state["iteration"] == 15
    assert "damaged" in caplog.text


def test_stop_file_stops_cleanly_and_the_run_goes_on_later(fields: Path) -> None:
    run = Run.create(_config(fields, "run"))
    original = Run.stop_requested
    try:
        Run.stop_requested = property(lambda self: True)  # type: ignore[assignment, method-assign]
        train(run)
    finally:
        Run.stop_requested = original  # type: ignore[method-assign]
    assert run.status["state"] == "stopped"
    assert _metrics(run)[-1]["iteration"] == "1"
    assert run.model.name == "test-model"
    train(run)
    assert run.status["state"] == "done"
    assert _metrics(run)[-1]["iteration"] == "30"


def test_fine_tuning_starts_from_the_given_model(fields: Path) -> None:
    first = train(_config(fields, "first"))
    second = train(
        _config(fields, "second", network=None, start_from=str(first.model_folder), iterations=1, learning_rate=1e-9)
    )
    weights = [run.model.network.state_dict()["conv_out.weight"] for run in (first, second)]  # type: ignore[attr-defined]
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-6)
    assert second.model.card.training.start_from == "test-model"


def test_refusals_are_said_in_the_run_folder_too(fields: Path) -> None:
    config = _config(fields, "run", targets={"dna": "SYBR"})
    with pytest.raises(TrainingDataError, match=r"field\d.*SYBR"):
        train(config)
    assert Run(config.output).status["state"] == "failed"
    with pytest.raises(TrainingError, match="holds a run already"):
        train(config)


def test_nan_loss_stops(fields: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.functional, "mse_loss", lambda a, b: (a * float("nan")).mean())
    config = _config(fields, "run")
    with pytest.raises(TrainingError, match="became nan at iteration 0"):
        train(config)
    assert "nan" in Run(config.output).status["message"]


def test_schedule() -> None:
    config = TrainingConfig.parse(
        {
            "targets": {"dna": "x"},
            "data": {"files": ["a"]},
            "output": "o",
            "preset": "quick",
            "iterations": 110,
            "warmup": 10,
            "learning_rate": 1.0,
        }
    )
    rates = [learning_rate(config, i) for i in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[10]) == pytest.approx(1.0)
    assert rates[-1] < 0.02
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
