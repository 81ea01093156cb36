"""Recipes are Table 1 of the paper, as files and as trainings."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_mito_predict.errors import StudyError
from napari_mito_predict.study.configs import files_in, paper_iterations, recipe_config
from napari_mito_predict.study.recipes import RECIPES, find_recipe

TABLE_1 = """
A Airyscan time 15min  90/30  512  64
B confocal time 5s     150/50 512  64
C Airyscan time 1min   47/20  1834 32
D confocal time 30s    60/15  917  32
E confocal z    0.100um 36/14 512  64
F Airyscan z    0.150um 47/18 1834 32
G Airyscan z    0.150um 47/18 917  32
H confocal z    0.150um 46/17 917  32
"""
"""As printed; index 1 is mitochondria, 2 is DNA."""

UNITS = {"15min": 900, "5s": 5, "1min": 60, "30s": 30, "0.100um": 0.1, "0.150um": 0.15}


@pytest.mark.parametrize("line", TABLE_1.strip().splitlines())
@pytest.mark.parametrize(("index", "target"), [("1", "mitochondria"), ("2", "dna")])
def test_recipes_equal_table_1(line, index, target):
    letter, detector, axis, step, sets, size, slices = line.split()
    recipe = RECIPES[letter + index]
    assert (recipe.letter, recipe.target) == (letter, target)
    assert recipe.detector == detector.lower()
    assert recipe.third_axis == {"time": "t", "z": "z"}[axis]
    assert recipe.step == UNITS[step]
    assert f"{recipe.training_sets}/{recipe.test_sets}" == sets
    assert (recipe.size, recipe.slices) == (int(size), int(slices))
    assert recipe.downscaled_from == ("F" if letter == "G" else "")


def test_there_are_sixteen():
    assert len(RECIPES) == 16


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda r: r.name)
def test_every_field_is_about_101_um_wide(recipe):
    assert recipe.size * recipe.pixel_um == pytest.approx(101.4, abs=1)


def test_g_is_f_with_pixels_averaged():
    f, g = RECIPES["F1"], RECIPES["G1"]
    assert g.binning == 2
    assert g.recorded_pixel_um == f.pixel_um


@pytest.mark.parametrize("name", ["h1", " H1 "])
def test_found_in_either_case(name):
    assert find_recipe(name) is RECIPES["H1"]


def test_unknown_recipe_lists_all():
    with pytest.raises(StudyError, match=r"No recipe 'I1'.*A1, A2.*H2"):
        find_recipe("I1")


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda r: r.name)
def test_configuration_has_the_papers_settings(recipe, tmp_path):
    files = [tmp_path / f"{i}.czi" for i in range(recipe.sets)]
    config = recipe_config(recipe, files, tmp_path / "run")
    assert list(config.targets) == [recipe.target]
    assert (config.loss, config.learning_rate, config.patch) == ("mse", 0.001, (32, 64, 64))
    assert config.iterations in (10_000, 20_000)
    assert config.split.validation == 0.1
    assert round(config.split.test * recipe.sets) == recipe.test_sets
    assert config.network.kind == "unet"


def test_few_files_are_split_75_to_25(tmp_path):
    files = [tmp_path / f"{i}.czi" for i in range(8)]
    assert recipe_config(RECIPES["H1"], files, tmp_path / "run").split.test == 0.25


def test_more_data_trains_longer():
    assert paper_iterations(RECIPES["B1"]) == 20_000 > paper_iterations(RECIPES["H1"])


def test_images_only(tmp_path):
    for name in ("b.czi", "a.ome.tif", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in files_in(tmp_path)] == ["a.ome.tif", "b.czi"]


@pytest.mark.parametrize("folder", ["missing", "."])
def test_no_images_is_refused(tmp_path, folder):
    with pytest.raises(StudyError, match=r"no such folder|no images"):
        files_in(tmp_path / Path(folder))
