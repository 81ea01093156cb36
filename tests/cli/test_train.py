"""``mito-predict train``: a run from the first line of the config to a model that predicts."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from napari_mito_predict.training import Run

CONFIG = """
targets: {{mitochondria: TMRM}}
data: {{files: ["*.czi"]}}
name: trained
network: {{depth: 1, base_channels: 2}}
patch: [8, 16, 16]
batch_size: 1
iterations: {iterations}
validate_every: 2
threads: 1
output: run
"""


@pytest.fixture
def config(make_czi, tmp_path):
    """Write a training config beside four small fields."""
    for seed in range(4):
        data = np.random.default_rng(seed).integers(100, 4000, (1, 2, 8, 36, 44), np.uint16)
        make_czi(f"field{seed}.czi", data, scale_um=(0.15, 0.11, 0.11))

    def write(iterations: int):
        path = tmp_path / "config.yaml"
        path.write_text(CONFIG.format(iterations=iterations), encoding="utf-8")
        return path

    return write


def test_trains_a_model_that_predicts(mito_predict, config, tmp_path):
    outcome = mito_predict("train", config(4))
    assert outcome.code == 0, outcome.err
    assert outcome.out.strip() == str(tmp_path / "run" / "model")
    predicted = mito_predict(
        "predict", tmp_path / "field0.czi", "-o", tmp_path / "out", "-m", tmp_path / "run" / "model"
    )
    assert predicted.code == 0, predicted.err


def test_a_run_is_not_overwritten(mito_predict, config):
    assert mito_predict("train", config(2)).code == 0
    again = mito_predict("train", config(2))
    assert again.code == 1
    assert "--resume" in again.err


def test_ctrl_c_stops_cleanly_and_resume_finishes(mito_predict, config, tmp_path, monkeypatch):
    append = Run.append_metrics
    before = signal.getsignal(signal.SIGINT)  # a background job of a shell ignores it

    def interrupted(self, row):
        append(self, row)
        if row["iteration"] == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Run, "append_metrics", interrupted)
    stopped = mito_predict("train", config(6))
    assert stopped.code == 130
    assert f"--resume {tmp_path / 'run'}" in stopped.err
    assert Run(tmp_path / "run").status["state"] == "stopped"
    resumed = mito_predict("train", "--resume", tmp_path / "run")
    assert resumed.code == 0, resumed.err
    assert Run(tmp_path / "run").status["state"] == "done"
    assert signal.getsignal(signal.SIGINT) is before


def test_unknown_key_names_the_nearest(mito_predict, config, tmp_path):
    path = config(2)
    path.write_text(path.read_text(encoding="utf-8") + "itterations: 3\n", encoding="utf-8")
    outcome = mito_predict("train", path)
    assert outcome.code == 1
    assert "did you mean 'iterations'" in outcome.err
    assert not (tmp_path / "run").exists()


def test_config_and_resume_exclude_each_other(mito_predict, config, tmp_path):
    assert mito_predict("train", config(2), "--resume", tmp_path).code == 2
