"""``mito-predict train``: a run from the first line of the config to a model that predicts."""

from __future__ import annotations

import shutil
import signal

import numpy as np
import pytest
import yaml

from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.image import write_ome_tiff
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


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_cleanly_and_resume_finishes(mito_predict, config, tmp_path, monkeypatch, asked):
    append = Run.append_metrics
    before = signal.getsignal(signal.SIGINT)  # a background job of a shell ignores it

    def interrupted(self, row):
        append(self, row)
        if row["iteration"] == 2:
            signal.raise_signal(asked)

    monkeypatch.setattr(Run, "append_metrics", interrupted)
    stopped = mito_predict("train", config(6))
    assert stopped.code == 130
    assert f"--resume {tmp_path / 'run'}" in stopped.err
    assert Run(tmp_path / "run").status.state == "stopped"
    resumed = mito_predict("train", "--resume", tmp_path / "run")
    assert resumed.code == 0, resumed.err
    assert Run(tmp_path / "run").status.state == "done"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_breaks_off_what_cannot_be_asked_to_stop(mito_predict, config, tmp_path, monkeypatch):
    append = Run.append_metrics

    def interrupted(self, row):
        append(self, row)
        signal.raise_signal(signal.SIGINT)

    def refuse(self, *, keep=False):
        raise UnwritableOutputError("the drive is full")

    monkeypatch.setattr(Run, "append_metrics", interrupted)
    monkeypatch.setattr(Run, "request_stop", refuse)
    assert mito_predict("train", config(6)).code == 130
    run = Run(tmp_path / "run")
    assert not run.status.alive
    assert run.status.iteration < 6


def test_unknown_key_names_the_nearest(mito_predict, config, tmp_path):
    path = config(2)
    path.write_text(path.read_text(encoding="utf-8") + "itterations: 3\n", encoding="utf-8")
    outcome = mito_predict("train", path)
    assert outcome.code == 1
    assert "did you mean 'iterations'" in outcome.err
    assert not (tmp_path / "run").exists()


def test_options_that_exclude_each_other(mito_predict, config, tmp_path):
    assert mito_predict("train", config(2), "--resume", tmp_path).code == 2
    assert mito_predict("train", "--resume", tmp_path, "--devices", "2").code == 2
    assert mito_predict("train", config(2), "--keep").code == 2


def test_check_says_what_is_wrong_and_how_long_it_takes(mito_predict, config, tmp_path):
    good = mito_predict("train", config(2), "--check")
    assert good.code == 0, good.err
    assert "field0" in good.out
    assert "s per iteration here" in good.err
    assert not (tmp_path / "run").exists()
    (tmp_path / "field1.czi").write_bytes((tmp_path / "field0.czi").read_bytes())
    (tmp_path / "field2.czi").write_bytes(b"")
    bad = mito_predict("train", config(2), "--check")
    assert bad.code == 1
    assert "empty" in bad.err


def test_predictions_are_trained_on_only_when_asked_for_by_name(mito_predict, config, tmp_path):
    data = np.random.default_rng(9).normal(size=(2, 8, 36, 44)).astype(np.float32)
    names = ["ESID", "TMRM predicted (mito-z)"]
    field = write_ome_tiff(
        tmp_path / "more.ome.tif", data, axes="CZYX", channel_names=names, voxel_size_um=(0.15, 0.11, 0.11)
    )
    path = config(2)
    text = path.read_text(encoding="utf-8").replace('["*.czi"]', '["*.czi", "*.ome.tif"]')
    path.write_text(text, encoding="utf-8")
    for more in (["--check"], []):
        refused = mito_predict("train", path, *more)
        assert refused.code == 1
        assert "more: TMRM predicted (mito-z): the truth is itself a prediction by mito-z" in refused.err
        assert "--allow-prediction-as-truth" in refused.err
    shutil.rmtree(tmp_path / "run")
    checked = mito_predict("train", path, "--check", "--allow-prediction-as-truth")
    assert checked.code == 0, checked.err
    assert "itself a prediction by mito-z" in " ".join(checked.out.split())
    printed = mito_predict("train", path, "--print-config", "--allow-prediction-as-truth")
    assert yaml.safe_load(printed.out)["data"]["allow_prediction_as_truth"] is True
    trained = mito_predict("train", path, "--allow-prediction-as-truth")
    assert trained.code == 0, trained.err
    assert "1 of 5 fields is itself a prediction by mito-z" in Run(tmp_path / "run").model.card.training.notes
    assert field.exists()
    assert mito_predict("train", "--resume", tmp_path / "run", "--allow-prediction-as-truth").code == 2


def test_a_run_with_a_damaged_status_does_not_hide_the_others(mito_predict, config, tmp_path):
    mito_predict("train", config(2))
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "config.yaml").write_text("x: 1", encoding="utf-8")
    (bad / "status.json").write_text('{"state": "running", "pid": -1, "heartbeat": 9e9}', encoding="utf-8")
    listed = mito_predict("runs", "list", tmp_path)
    assert listed.code == 0
    states = {line.split()[0]: line.split()[1] for line in listed.out.splitlines()[1:]}
    assert (states["bad"], states["run"]) == ("damaged", "done")
    shown = mito_predict("runs", "show", bad)
    assert shown.code == 0
    assert "damaged: " in shown.out
    assert "pid" in shown.out
    stopped = mito_predict("runs", "stop", bad)
    assert stopped.code == 1
    assert "not running (damaged)" in stopped.err


def test_runs_are_listed_shown_and_stopped(mito_predict, config, tmp_path, monkeypatch):
    import json

    from napari_mito_predict.training import Status

    monkeypatch.setenv("MITO_PREDICT_RUNS", str(tmp_path / "known"))
    assert mito_predict("train", config(4)).code == 0
    listed = json.loads(mito_predict("runs", "list", "--json").out)
    assert [(run["name"], run["state"]) for run in listed] == [("run", "done")]
    assert "done" in mito_predict("runs", "list", tmp_path).out
    shown = mito_predict("runs", "show", "run").out
    assert "validation PCC, best" in shown
    assert shown.count("*") >= 2
    assert "metrics" in json.loads(mito_predict("runs", "show", tmp_path / "run", "--json").out)
    over = mito_predict("runs", "stop", "run")
    assert over.code == 1
    assert "not running (done)" in over.err
    run = Run(tmp_path / "run")
    run.write_status(Status("running"))
    assert mito_predict("runs", "stop", "run", "--keep").code == 0
    assert run.stop_requested == "keep"
    assert mito_predict("runs", "show", "nonsense").code == 1


def test_a_recipe_as_a_configuration_to_change(mito_predict, config, tmp_path):
    config(2)
    outcome = mito_predict("train", "--recipe", "h1", "--data", tmp_path, "-o", tmp_path / "run", "--print-config")
    assert outcome.code == 0, outcome.err
    assert not (tmp_path / "run").exists()
    request = yaml.safe_load(outcome.out)
    assert (request["loss"], request["iterations"], request["patch"]) == ("mse", 10_000, [32, 64, 64])
    small = {"iterations": 2, "patch": [8, 16, 16], "batch_size": 1, "threads": 1}
    request |= small | {"network": {"depth": 1, "base_channels": 2}}
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(request), encoding="utf-8")
    trained = mito_predict("train", tmp_path / "changed.yaml")
    assert trained.code == 0, trained.err
    assert Run(tmp_path / "run").status.state == "done"


def test_a_recipe_is_trained(mito_predict, config, tmp_path, monkeypatch):
    config(2)
    asked = []
    monkeypatch.setattr("napari_mito_predict.training.train", lambda request, keep: asked.append(request))
    outcome = mito_predict("train", "--recipe", "D2", "--data", tmp_path, "-o", tmp_path / "run")
    assert asked, outcome.err
    assert list(asked[0].targets) == ["dna"]
    assert len(asked[0].data.files) == 4


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--recipe", "H1"], 2, "needs the pairs"),
        (["--recipe", "H1", "--data", "."], 2, "the run folder"),
        (["config.yaml", "--data", "."], 2, "go with --recipe"),
        (["config.yaml", "--recipe", "H1"], 2, "give one of"),
        (["--recipe", "X1", "--data", ".", "-o", "run"], 1, "No recipe 'X1'"),
        (["--recipe", "H1", "--data", "nowhere", "-o", "run"], 1, "no such folder"),
    ],
)
def test_half_a_recipe_is_refused(mito_predict, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    outcome = mito_predict("train", *arguments)
    assert outcome.code == code
    assert said in " ".join(outcome.err.replace("│", " ").split())
