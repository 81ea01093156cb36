"""``mito-predict study``: all studies at their smallest, once; then what is left of them, killed, or on own pairs."""

from __future__ import annotations

import csv
import html
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_mito_predict.study.experiments import STUDIES
from napari_mito_predict.study.recipes import RECIPES
from napari_mito_predict.training import Run

PROCESSES = "2"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with all studies at scale smoke."""
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    folder = tmp_path_factory.mktemp("study")
    command = _command("all", folder)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == str(folder / "index.html")
    return folder


def _command(study: str, folder: Path) -> list[str]:
    options = ["--scale", "smoke", "-o", str(folder), "--processes", PROCESSES]
    return [sys.executable, "-m", "napari_mito_predict", "study", study, *options]


def _rows(folder: Path, study: str) -> list[dict[str, str]]:
    with (folder / "results" / f"{study}.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*") if path.is_file()}


def test_every_recipe_was_trained(whole):
    rows = [row for row in _rows(whole, "models") if row["model"] == "this model"]
    assert {row["recipe"] for row in rows} == set(RECIPES)
    for row in rows:
        assert -1 <= float(row["pcc"]) <= 1


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_leaves_its_table_and_figures(whole, study):
    for row in _rows(whole, study):
        assert Run(whole / row["run"]).status.state == "done"
    assert (whole / "figures" / f"{study}.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (whole / "figures" / f"{study}.svg").read_text(encoding="utf-8")
    assert (whole / "results" / f"{study}-summary.csv").exists()


def test_a_number_can_be_traced_to_its_run(whole):
    row = next(row for row in _rows(whole, "combined") if row["recipe"] == "HD1" and row["tested_on"] == "D")
    assert (whole / row["run"] / "config.yaml").exists()
    scores = (whole / row["run"] / "scores" / "D.csv").read_text(encoding="utf-8")
    assert row["field"] in scores
    assert row["pcc"] in scores
    assert (whole / "data" / "D" / f"{row['field']}.czi").exists()


def test_the_page_is_one_file_with_the_papers_numbers_and_a_warning(whole):
    page = (whole / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    for number in ("0.7312", "0.5730", "0.5226", "0.4028", "0.6431", "0.5545", "0.6845", "0.6068"):
        assert number in page
    assert "Our numbers are on simulated cells, the paper's on real ones" in html.unescape(page)
    assert page.count("data:image/png;base64,") == len(STUDIES)


def test_a_finished_study_is_not_repeated(whole, mito_predict):
    before = _contents(whole / "runs")
    outcome = mito_predict("study", "all", "--scale", "smoke", "-o", whole)
    assert outcome.code == 0, outcome.err
    assert "23 of 23 trainings are finished already" in outcome.err
    assert _contents(whole / "runs") == before


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills as Linux and macOS do")
def test_a_killed_study_goes_on(whole, tmp_path, mito_predict):
    folder = tmp_path / "study"
    shutil.copytree(whole, folder, copy_function=_keep_times)
    for name in ("runs/H1-gvtnet-n3-p32-i4-s0", "runs/D1-gvtnet-n3-p32-i4-s0", "results", "figures"):
        shutil.rmtree(folder / name)
    (folder / "index.html").unlink()
    finished = _contents(folder / "runs")
    leader = subprocess.Popen(_command("architecture", folder), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not list((folder / "runs").glob("*gvtnet*/status.json")):
        assert leader.poll() is None
        time.sleep(0.02)
    os.kill(leader.pid, signal.SIGKILL)
    leader.wait()
    outcome = mito_predict("study", "architecture", "--scale", "smoke", "-o", folder, "--processes", PROCESSES)
    assert outcome.code == 0, outcome.err
    after = _contents(folder / "runs")
    assert {path: after[path] for path in finished} == finished
    assert {row["network"] for row in _rows(folder, "architecture")} == {"unet", "gvtnet"}


def _keep_times(source: str, target: str) -> str:
    return str(shutil.copy2(source, target))


def test_own_pairs(whole, tmp_path, mito_predict):
    own = tmp_path / "own"
    own.mkdir()
    for path in sorted((whole / "data" / "H").glob("*.czi")):
        shutil.copy(path, own)
    outcome = mito_predict("study", "training-size", "--scale", "smoke", "-o", tmp_path / "study", "--data", own)
    assert outcome.code == 0, outcome.err
    assert not (tmp_path / "study" / "data").exists()
    page = (tmp_path / "study" / "index.html").read_text(encoding="utf-8")
    assert "on the pairs given" in page
    assert "simulated cells" not in page
    assert {row["training_fields"] for row in _rows(tmp_path / "study", "training-size")} == {"2", "3"}


def test_another_scale_in_the_same_folder_is_refused(whole, mito_predict):
    outcome = mito_predict("study", "models", "--scale", "cpu", "-o", whole)
    assert outcome.code == 1
    assert "holds another study" in outcome.err


def test_dry_run_does_nothing(tmp_path, mito_predict):
    outcome = mito_predict("study", "all", "--scale", "smoke", "-o", tmp_path / "study", "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "HD1-unet-n3-3-p32-i4-s0" in outcome.out
    assert "23 of 23 trainings to do" in outcome.err
    assert "To simulate: 32 of 32 files" in outcome.err
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["modells"], "No study 'modells'"),
        (["models", "--scale", "huge"], "No scale 'huge'"),
        (["models", "--data", "nowhere"], "nowhere: no such folder"),
        (["combined", "--data", "."], "no folder there is named after a recipe"),
        (["training-size", "--data", "."], "no images there"),
    ],
)
def test_refusals_are_one_line(mito_predict, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    outcome = mito_predict("study", *arguments, "-o", tmp_path / "study")
    assert outcome.code == 1
    assert said in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not (tmp_path / "study").exists()


def test_help_says_what_it_does(mito_predict):
    outcome = mito_predict("study", "--help")
    assert outcome.code == 0
    assert "training-size" in outcome.out
