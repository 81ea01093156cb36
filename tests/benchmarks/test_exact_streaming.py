"""The benchmark of exact streaming runs, its ways agree where they must, and it does not measure twice."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SHAPE = (16, 32, 32)

pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="no package holds the benchmarks, only the repository")


@pytest.fixture(scope="module", autouse=True)
def _importable():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture(scope="module")
def subject(_importable):
    return import_module("exact_streaming.subject").Subject.make("random:2:4", SHAPE)


@pytest.fixture(scope="module")
def predict(subject):
    make = import_module("exact_streaming.ways").make
    return lambda precision="32", **way: make(way, subject, precision)()


@pytest.fixture(scope="module")
def whole(predict):
    return predict(kind="bare")


def _apart(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(found - wanted).max() / wanted.std())


@pytest.mark.parametrize("kind", ["folded", "engine", "network"])
def test_ways_that_are_exact_give_what_one_whole_pass_gives(predict, whole, kind):
    assert _apart(predict(kind=kind), whole) < 1e-4
    assert _apart(predict("bf16", kind=kind), whole) < 1


def test_many_strips_are_one_whole_pass(subject, whole):
    import torch

    streaming = import_module("exact_streaming.ours").streaming
    for axis in (1, 2):
        assert _apart(streaming(subject.network, torch.float32)(subject.normalised, axis, 5), whole) < 1e-4


def test_one_piece_is_one_whole_pass_and_several_cover_the_volume(predict, whole):
    assert _apart(predict(kind="pieces", piece=(32, 64, 64), overlap=4), whole) < 1e-4
    several = predict(kind="pieces", piece=(16, 16, 16), overlap=4)
    assert several.shape == SHAPE
    assert np.isfinite(several).all()
    assert 1e-3 < _apart(several, whole)


def test_sliding_windows_cover_the_volume(predict, whole):
    pytest.importorskip("monai", reason="compared with, not needed: pip install monai")
    found = predict(kind="monai", roi=(16, 16, 16), overlap=0.25, batch=2)
    assert found.shape == SHAPE
    assert 1e-3 < _apart(found, whole)


def test_differences_are_those_of_numpy():
    difference = import_module("exact_streaming.timing").difference
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((3, 20, 20), np.float32)
    given = (1.1 * truth + 0.1 * rng.standard_normal(truth.shape) + 0.2).astype(np.float32)
    found = difference(given, truth, 2)
    assert found["largest"] == pytest.approx(np.abs(given - truth).max() / truth.std(), rel=1e-5)
    inside = (slice(None), slice(2, -2), slice(2, -2))
    assert found["inside"] == pytest.approx(np.abs(given - truth)[inside].max() / truth.std(), rel=1e-5)
    assert found["one_minus_pcc"] == pytest.approx(1 - np.corrcoef(given.ravel(), truth.ravel())[0, 1], rel=1e-4)
    assert "inside" not in difference(given, truth, 10)


def test_a_part_is_measured_once_and_shown(tmp_path, monkeypatch, capsys):
    programme, results = import_module("exact_streaming.programme"), import_module("exact_streaming.results")
    child, asked = import_module("exact_streaming.child"), []

    def in_this_process(kind, arguments):
        asked.append(kind)
        task, result = tmp_path / "task.json", tmp_path / "result.json"
        task.write_text(json.dumps({"kind": kind, "arguments": arguments}), encoding="utf-8")
        child.run_child(task, result)
        return json.loads(result.read_text(encoding="utf-8"))

    monkeypatch.setattr(results, "run_apart", in_this_process)
    monkeypatch.setattr(programme, "_BUNDLED", ("random:2:4",) * 2)  # in bfloat16 the real ones take long
    monkeypatch.setitem(sys.modules, "bioimageio.core", None)  # left out, as it leaves files open in this process
    output = tmp_path / "results.json"
    arguments = ["--scale", "smoke", "--only", "32/times", "memory/ours", "scaling/16x32x32", "--repeats", "1"]
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments, "--output", str(output)])
    assert programme.main() == 0
    assert "| ours, network only |" in capsys.readouterr().out
    data = json.loads(output.read_text(encoding="utf-8"))
    rows = data["measurements"]["smoke/compare/random:2:4/16x32x32/32/times"]["ways"]
    assert rows["ours"]["largest"] < 1e-4
    assert rows["ours"]["ratio"] > 0
    assert data["measurements"]["smoke/scaling/16x32x32"]["voxels_per_s"] > 0
    assert data["machine"]["threads"] > 0
    asked.clear()
    programme.main()
    assert asked == ["machine"]


def test_a_measurement_runs_in_a_process_of_its_own():
    results = import_module("exact_streaming.results")
    assert results.run_apart("machine", {})["threads"] > 0
    with pytest.raises(import_module("exact_streaming.not_measured").NotMeasured, match="exit code 1"):
        results.run_apart("no such kind", {})
