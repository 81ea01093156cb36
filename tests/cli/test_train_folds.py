"""``mito-predict train --folds``: the table, the page and the exit code; the trainings themselves are replaced."""

from __future__ import annotations

import os

import numpy as np
import pytest

from napari_mito_predict.image import write_ome_tiff
from napari_mito_predict.training import Run, Status
from napari_mito_predict.training.folds import runner

CONFIG = """
targets: {mitochondria: TMRM}
data: {files: ["*.ome.tif"]}
split: {by: '^[^_]+'}
network: {depth: 1, base_channels: 2}
patch: [16, 16]
batch_size: 1
iterations: 2
validate_every: 1
threads: 1
output: cv
"""


@pytest.fixture
def config(tmp_path):
    """A training of two fields of each of three dishes, whose names say which."""
    for seed, name in enumerate(["d1_a", "d1_b", "d2_a", "d2_b", "d3_a", "d3_b"]):
        data = np.random.default_rng(seed).integers(100, 4000, (2, 36, 44), np.uint16)
        written = tmp_path / f"{name}.ome.tif"
        write_ome_tiff(written, data, axes="CYX", channel_names=["ESID", "TMRM"], voxel_size_um=(None, 0.1, 0.1))
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture
def trained(monkeypatch):
    """Which folds were trained, with how many threads; each ends at once, that of d2 first in a failure."""
    asked = []
    failing = ["fold-d2"]

    def launch(request, *, threads=None):
        run = request
        if not isinstance(run, Run):
            run = Run.create(request)
        asked.append((run.path.name, threads))
        if run.path.name in failing:
            failing.remove(run.path.name)
            run.write_status(Status("failed", "the disk is full."))
            return run
        group = run.path.name.removeprefix("fold-")
        rows = [f"{group}_a,mitochondria,this model,0.{group[1]}", f"{group}_a,mitochondria,blurred input,0.1"]
        (run.path / "test.csv").write_text("\n".join(["field,target,model,pcc", *rows, ""]), encoding="utf-8")
        run.write_status(Status("done", "Done after 2 iterations."))
        return run

    monkeypatch.setattr(runner, "launch", launch)
    monkeypatch.setattr(runner, "has_ended", lambda run: True)
    return asked


def test_all_folds_and_those_left_on_repeating(mito_predict, config, tmp_path, trained):
    failed = mito_predict("train", config, "--folds", "all")
    assert failed.code == 1
    assert "1 of 3 folds are not finished. fold-d2: the disk is full." in failed.err
    assert trained == [("fold-d1", None), ("fold-d2", None), ("fold-d3", None)]
    assert (tmp_path / "cv" / "index.html").exists()
    assert "d2" not in (tmp_path / "cv" / "groups.csv").read_text(encoding="utf-8")
    done = mito_predict("train", config, "--folds", "all")
    assert done.code == 0, done.err
    assert trained[3:] == [("fold-d2", None)]
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[1:4] == [
        ["d1", "1", "0.100", "0.100", "+0.000"],
        ["d2", "1", "0.200", "0.100", "+0.100"],
        ["d3", "1", "0.300", "0.100", "+0.200"],
    ]
    assert lines[4] == ["mean", "over", "groups", "0.200", "0.100", "+0.100"]
    assert lines[-1] == [str(tmp_path / "cv" / "index.html")]
    assert "PCC 0.200 ± 0.058 on groups that it never saw" in done.err
    config.write_text(CONFIG.replace("iterations: 2", "iterations: 3"), encoding="utf-8")
    other = mito_predict("train", config, "--folds", "all")
    assert other.code == 1
    assert "iterations: 2 -> 3" in other.err
    assert len(trained) == 4


def test_processes_share_the_processor(mito_predict, config, trained, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(8), raising=False)
    mito_predict("train", config, "--folds", "all", "--processes", "2")
    assert {threads for _, threads in trained} == {4}


def test_check_says_what_each_fold_holds_out(mito_predict, config, tmp_path):
    checked = mito_predict("train", config, "--folds", "all", "--check")
    assert checked.code == 0, checked.err
    lines = checked.out.splitlines()
    assert lines[0].split() == ["FOLD", "TESTED", "ON", "VALIDATED", "ON", "FIELDS:", "TRAIN/VALIDATE/TEST"]
    assert [line.split()[:2] for line in lines[1:4]] == [["fold-d1", "d1"], ["fold-d2", "d2"], ["fold-d3", "d3"]]
    assert all(line.split()[3] == "2/2/2" for line in lines[1:4])
    assert ["d1_a", "fold-d1"] in [line.split()[:2] for line in lines]
    assert "for each of 3 folds" in checked.err
    assert not (tmp_path / "cv").exists()
    (tmp_path / "d2_b.ome.tif").write_bytes((tmp_path / "d1_a.ome.tif").read_bytes())
    copied = mito_predict("train", config, "--folds", "all", "--check")
    assert copied.code == 1
    assert "d2_b, d1_a hold the same pixels, but are used for fold-d1 and fold-d2" in copied.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--folds", "1"], 2, "neither all nor a number of folds"),
        (["--folds", "some"], 2, "neither all nor a number of folds"),
        (["--folds", "4"], 1, "3 groups cannot be dealt into 4 folds"),
        (["--processes", "2"], 2, "goes with --folds"),
    ],
)
def test_what_cannot_be_asked_for(mito_predict, config, arguments, code, said):
    outcome = mito_predict("train", config, *arguments)
    assert outcome.code == code
    assert said in " ".join(outcome.err.replace("│", " ").split())


def test_one_group_is_not_enough(mito_predict, config, tmp_path):
    config.write_text(CONFIG.replace("^[^_]+", "^d"), encoding="utf-8")
    outcome = mito_predict("train", config, "--folds", "all")
    assert outcome.code == 1
    assert "needs two groups at least" in outcome.err
    assert "`split.by`" in outcome.err
    assert mito_predict("train", "--resume", tmp_path, "--folds", "all").code == 2
