"""``mito-predict models export --format czann`` on a tiny model of single planes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mito_predict.models import save_model


@pytest.fixture
def planes(_no_models_of_the_user, plane_card, plane_network) -> str:
    """Name of a model of single planes, among the user's own."""
    sample = np.zeros((1, 16, 16), np.float32)
    save_model(_no_models_of_the_user / plane_card.name, plane_card, plane_network, sample)
    return plane_card.name


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    """Two images, as the options of the command."""
    options = []
    for seed in range(2):
        path = tmp_path / f"cells{seed}_BF.tif"
        tifffile.imwrite(path, np.random.default_rng(seed).integers(100, 3000, (32, 40)).astype(np.uint16))
        options += ["--image", str(path)]
    return options


def test_the_last_line_is_what_fixed_constants_cost(mito_predict, planes, images, tmp_path):
    for module in ("czmodel", "onnx"):
        pytest.importorskip(module, reason="pip install napari-mito-predict[czann]")
    outcome = mito_predict("models", "export", planes, "-o", tmp_path, "--format", "czann", *images)
    assert outcome.code == 0, outcome.err
    assert f"Written: {tmp_path / 'mito-2d.czann'}" in outcome.out
    last = outcome.err.splitlines()[-1]
    assert last.startswith("Fixed constants of 2 images: pixel value ")
    assert "correlate at" in last
    assert "On real cells" in last
    assert zipfile.is_zipfile(tmp_path / "mito-2d.czann")


def test_without_an_image_it_says_how_to_give_one(mito_predict, planes, tmp_path):
    outcome = mito_predict("models", "export", planes, "-o", tmp_path, "--format", "czann")
    assert outcome.code != 0
    assert "images like those" in outcome.err
    assert "--image IMAGE" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_an_image_is_for_zen_alone(mito_predict, planes, images, tmp_path):
    outcome = mito_predict("models", "export", planes, "-o", tmp_path, *images)
    assert outcome.code != 0
    assert "--format czann" in outcome.err
    assert not (tmp_path / "mito-2d.zip").exists()


def test_a_model_of_stacks_is_refused_in_a_line(mito_predict, installed, images, tmp_path):
    outcome = mito_predict("models", "export", "tiny", "-o", tmp_path, "--format", "czann", *images)
    assert outcome.code != 0
    assert "Train a model of single planes for ZEN" in outcome.err
    assert "Traceback" not in outcome.err
