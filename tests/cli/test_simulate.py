"""``mito-predict simulate``: with its own settings, and as in Table 1."""

from __future__ import annotations

import pytest

from napari_mito_predict.image import open_image


@pytest.fixture(autouse=True)
def _simulator():
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")


@pytest.mark.parametrize(
    ("recipe", "pixel_um", "step_um"),
    [("g2", 0.110, 0.15), ("E1", 0.198, 0.1)],
)
def test_stacks_of_a_recipe(mito_predict, tmp_path, recipe, pixel_um, step_um):
    outcome = mito_predict("simulate", tmp_path, "--recipe", recipe, "-n", 1, "--size", 48, "--planes", 10)
    assert outcome.code == 0, outcome.err
    image = open_image(tmp_path / "cell_0000.czi")
    assert image.read(channel=0).shape == (10, 48, 48)
    assert image.voxel_size_um == pytest.approx((step_um, pixel_um, pixel_um), rel=1e-3)


def test_series_of_a_recipe(mito_predict, tmp_path):
    outcome = mito_predict("simulate", tmp_path, "--recipe", "D1", "-n", 1, "--size", 48, "--planes", 8)
    assert outcome.code == 0, outcome.err
    image = open_image(tmp_path / "cell_0000.czi")
    assert (image.sizes["T"], image.sizes["Z"]) == (8, 1)


@pytest.mark.parametrize("option", [["--randomise"], ["--series"], ["--step", "3"]])
def test_a_recipe_settles_how_it_is_imaged(mito_predict, tmp_path, option):
    outcome = mito_predict("simulate", tmp_path, "--recipe", "H1", *option)
    assert outcome.code == 2
    assert "--recipe settles" in outcome.err


def test_unknown_recipe(mito_predict, tmp_path):
    outcome = mito_predict("simulate", tmp_path / "cells", "--recipe", "Z9")
    assert outcome.code == 1
    assert "No recipe 'Z9'" in outcome.err
    assert not (tmp_path / "cells").exists()
