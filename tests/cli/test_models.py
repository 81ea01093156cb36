"""``mito-predict models`` on packages of a tiny network."""

from __future__ import annotations

import json
from pathlib import Path


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def test_list(mito_predict, installed):
    outcome = mito_predict("models", "list")
    assert outcome.code == 0
    row = next(line for line in outcome.out.splitlines() if line.startswith("tiny "))
    for words in ("mitochondria (TMRM)", "z-stack", "0.15 0.11 0.11", "simulated"):
        assert words in row
    assert outcome.out.count("simulated: Trained on simulated cells, not validated on real ones.") == 1


def test_list_as_json(mito_predict, installed):
    records = {record["name"]: record for record in json.loads(mito_predict("models", "list", "--json").out)}
    tiny = records["tiny"]
    assert tiny["path"] == str(installed)
    assert tiny["third_axes"] == ["z"]
    assert tiny["simulated"] is True
    assert tiny["problem"] is None


def test_list_shows_what_cannot_be_used(mito_predict, installed):
    (installed / "model.json").write_text("{}", encoding="utf-8")
    outcome = mito_predict("models", "list")
    assert outcome.code == 0
    assert "cannot be used" in outcome.out


def test_list_says_which_cells_a_model_knows(mito_predict, real_models, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    rows = {line.split()[0]: line for line in mito_predict("models", "list").out.splitlines() if line}
    assert "real: H9c2, bright-field, one microscope" in rows["mito-2d"]
    assert "napari-mito-predict-real-models" in rows["mito-2d"]
    assert "about 0.1" in rows["mito-2d"]
    assert "simulated" in rows["mito-z"]
    records = {record["name"]: record for record in json.loads(mito_predict("models", "list", "--json").out)}
    real = records["mito-2d"]
    assert (real["source"], real["distribution"]) == ("installed", "napari-mito-predict-real-models")
    assert (real["licence"], real["cells"]) == ("GPL-3.0-only", "real: H9c2, bright-field, one microscope")
    assert records["mito-z"]["cells"] == "simulated"


def test_a_broken_distribution_is_a_row_and_fails_the_verification(mito_predict, make_distribution):
    make_distribution("broken-models").rmdir()
    assert "cannot be used" in mito_predict("models", "list").out
    results = json.loads(mito_predict("models", "verify", "--json").out)
    broken = next(result for result in results if result["name"] == "broken-models")
    assert not broken["passed"]
    assert "has no folder 'models'" in broken["message"]
    assert all(result["passed"] for result in results if result["name"] != "broken-models")


def test_show(mito_predict, installed):
    outcome = mito_predict("models", "show", "tiny")
    assert outcome.code == 0
    assert "not validated on real ones" in outcome.out.splitlines()[0]
    assert str(installed) in outcome.out


def test_show_as_json_takes_a_path(mito_predict, installed):
    card = json.loads(mito_predict("models", "show", installed, "--json").out)
    assert card["name"] == "tiny"
    assert "not validated" in card["disclaimer"]


def test_unknown_model(mito_predict, installed):
    outcome = mito_predict("models", "show", "mito-x")
    assert outcome.code == 1
    assert "mito-x" in outcome.err
    assert "tiny" in outcome.err
    assert outcome.err.count("\n") == 1


def test_verify(mito_predict, installed):
    outcome = mito_predict("models", "verify", "tiny")
    assert outcome.code == 0
    assert outcome.out.startswith("ok ")


def test_verify_finds_a_flipped_bit(mito_predict, installed):
    flip_a_bit(installed / "weights.safetensors")
    outcome = mito_predict("models", "verify", "tiny", "--json")
    assert outcome.code == 1
    (result,) = json.loads(outcome.out)
    assert result["passed"] is False
    assert "weights" in result["message"]
