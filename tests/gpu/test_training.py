"""Training on a real accelerator: it learns there, goes on where it stopped, and leaves a model for any device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from napari_mito_predict.models import verify_model
from napari_mito_predict.training import Run, TrainingConfig, train

pytestmark = pytest.mark.skipif(
    not (torch.cuda.is_available() or torch.backends.mps.is_available()), reason="no GPU here"
)


@pytest.fixture
def request_for(tmp_path: Path):
    """A tiny run on four fields whose truth is the inverted light."""
    sizes = {f"PhysicalSize{a}": 0.1 for a in "ZYX"} | {f"PhysicalSize{a}Unit": "µm" for a in "ZYX"}
    for i in range(4):
        light = np.random.default_rng(i).normal(1000, 100, (12, 40, 44))
        metadata = {"axes": "CZYX", "Channel": {"Name": ["TL", "TMRM"]}, **sizes}
        data = np.stack([light, 2000 - light]).astype(np.uint16)
        tifffile.imwrite(tmp_path / f"f{i}.ome.tif", data, ome=True, metadata=metadata)

    def make(output: str, **changes: object) -> TrainingConfig:
        return TrainingConfig.parse(
            {
                "targets": {"mitochondria": "TMRM"},
                "data": {"files": [str(tmp_path / "*.ome.tif")]},
                "network": {"depth": 2, "base_channels": 8},
                "patch": (8, 16, 16),
                "batch_size": 4,
                "learning_rate": 0.01,
                "iterations": 60,
                "validate_every": 20,
                "add_to_models": False,
                "output": str(tmp_path / output),
            }
            | changes
        )

    return make


@pytest.mark.parametrize("precision", ["auto", "32"])
def test_it_learns_and_leaves_a_model_for_any_device(request_for, precision: str) -> None:
    run = train(request_for("run", precision=precision))
    assert run.status.scores["best"] > 0.5
    assert verify_model(run.model_folder).passed


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_the_scaler_of_float16_is_restored(request_for, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Run, "stop_requested", "pause")
        run = train(request_for("run", precision="16"))
    state = run.load_checkpoint()
    assert state is not None
    assert state["scaler"]["scale"] > 0
    assert train(run).status.state == "done"
