"""``mito-predict demo``, with a tiny network in place of the bundled ones."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
from imageio.v3 import imread

from napari_mito_predict.cli.demo import sample_file
from napari_mito_predict.image import ChannelRole, open_image

WINDOWLESS = sys.platform == "linux" and shutil.which("Xvfb") is None


@pytest.fixture
def module(installed, monkeypatch):
    """The demo's module, predicting with the tiny model, on a machine without a screen."""
    module = sys.modules["napari_mito_predict.cli.demo"]
    monkeypatch.setattr(module, "_MODELS", ("tiny",))
    monkeypatch.setattr(module, "has_display", lambda: False)
    return module


def test_sample_is_small_and_complete():
    assert sample_file().stat().st_size <= 6_000_000
    sample = open_image(sample_file())
    assert {channel.role for channel in sample.channels} == {
        ChannelRole.TRANSMITTED,
        ChannelRole.MITOCHONDRIA,
        ChannelRole.DNA,
    }
    assert sample.simulated
    assert all(sample.voxel_size_um)


def test_predictions_and_correlations(mito_predict, module, tmp_path):
    outcome = mito_predict("demo", "--no-window", "-o", tmp_path)
    assert outcome.code == 0, outcome.err
    assert "not validated on real ones" in outcome.err
    scores = json.loads((tmp_path / "pcc.json").read_text(encoding="utf-8"))
    predicted = open_image(tmp_path / scores["mitochondria"]["file"]).read()
    truth = open_image(sample_file()).read(channel=ChannelRole.MITOCHONDRIA)
    measured = np.corrcoef(predicted.ravel(), truth.ravel())[0, 1]
    assert scores["mitochondria"]["pcc"] == pytest.approx(measured, abs=1e-6)
    assert f"{measured:.3f}" in outcome.out


def test_without_xvfb_says_how_to_get_it_and_succeeds(mito_predict, module, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "missing_packages", lambda: ["libegl1", "xvfb"])
    outcome = mito_predict("demo", "-o", tmp_path)
    assert outcome.code == 0
    assert "apt-get install -y --no-install-recommends libegl1 xvfb" in outcome.err
    assert (tmp_path / "pcc.json").exists()
    assert not (tmp_path / "napari.png").exists()


def test_without_napari_says_how_to_get_it_and_succeeds(mito_predict, module, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    outcome = mito_predict("demo", "-o", tmp_path)
    assert outcome.code == 0
    assert "pip install 'napari[pyqt6]'" in outcome.err


@pytest.mark.skipif(WINDOWLESS, reason="Xvfb is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="Xvfb is for Linux")
def test_picture_of_napari(mito_predict, module, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "settings.yaml"))
    outcome = mito_predict("demo", "-o", tmp_path)
    assert outcome.code == 0, outcome.err
    picture = imread(tmp_path / "napari.png")[..., :3].astype(int)
    assert picture.shape[0] > 600
    magenta = (picture[..., 0] - picture[..., 1] > 40) & (picture[..., 2] - picture[..., 1] > 40)
    assert magenta.mean() > 0.01, "no predicted mitochondria in the picture"


@pytest.mark.skipif(WINDOWLESS, reason="Xvfb is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="Xvfb is for Linux")
def test_napari_that_breaks_is_no_success(mito_predict, module, tmp_path, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", shutil.which("false"))
    outcome = mito_predict("demo", "-o", tmp_path)
    assert outcome.code == 1
    assert "could not show them" in outcome.err
