"""Which trainings the studies need, on which data, and what is made of their scores."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from napari_mito_predict.errors import StudyError
from napari_mito_predict.study.datasets import own_datasets
from napari_mito_predict.study.experiments import STUDIES, find_studies, runs_of
from napari_mito_predict.study.findings import compare
from napari_mito_predict.study.plan import make_plan
from napari_mito_predict.study.recipes import RECIPES
from napari_mito_predict.study.results import Row, Summary, collect, read_rows, scored_on_all, summarise, write_rows
from napari_mito_predict.study.scales import SCALES
from napari_mito_predict.study.scoring import FieldScore, scores_file, write_scores
from napari_mito_predict.study.tasks import training_task
from napari_mito_predict.training import TrainingConfig


@pytest.fixture(params=SCALES.values(), ids=SCALES)
def plan(request, tmp_path):
    """All studies at each scale."""
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    return make_plan(STUDIES, request.param, tmp_path)


def test_all_recipes_are_among_the_models(plan):
    assert {spec.recipe for spec in plan.studies["models"]} == set(RECIPES)


def test_every_run_is_a_valid_training_of_its_own(plan):
    assert len({spec.name for spec in plan.runs}) == len(plan.runs)
    for spec in plan.runs:
        request = training_task(plan, spec, threads=1).request
        assert TrainingConfig.parse(request).iterations == spec.iterations


def test_normalisation_settles_within_a_run(plan):
    """Else GVTNet is scored with statistics that are mostly those it was initialised with."""
    if plan.scale.name == "smoke":
        pytest.skip("nothing settles in four iterations")
    for spec in plan.studies["architecture"]:
        network = TrainingConfig.parse(training_task(plan, spec, threads=1).request).network
        initial = (1 - network.momentum) ** spec.iterations
        assert spec.network == "unet" or initial < 0.01


def test_nothing_is_trained_and_tested_on(plan):
    for dataset in plan.datasets.values():
        assert not set(dataset.training) & set(dataset.test)
    jobs = {job.path: job.seed for job in plan.jobs}
    training = {jobs[path] for dataset in plan.datasets.values() for path in dataset.training}
    assert training.isdisjoint({jobs[path] for dataset in plan.datasets.values() for path in dataset.test})


def test_paper_scale_is_table_1(tmp_path):
    plan = make_plan(["models"], SCALES["paper"], tmp_path)
    for letter, dataset in plan.datasets.items():
        recipe = RECIPES[f"{letter}1"]
        assert (len(dataset.training), len(dataset.test)) == (recipe.training_sets, recipe.test_sets)
    shapes = {job.path.parent.name: job for job in plan.jobs}
    assert shapes["H"].shape == (32, 917, 917)
    assert shapes["H"].conditions.voxel_size_um == (0.15, 0.111, 0.111)
    assert (shapes["D"].step_s, shapes["G"].binning) == (30.0, 2)
    assert shapes["F"].conditions.detector == "airyscan"


def test_f_and_g_are_the_same_cells(tmp_path):
    for scale in SCALES.values():
        jobs = {job.path.stem: job for job in make_plan(["models"], scale, tmp_path).jobs}
        f, g = jobs["F-train-000"], jobs["G-train-000"]
        assert f.seed == g.seed
        assert f.shape[1] * f.conditions.voxel_size_um[1] == pytest.approx(
            g.shape[1] * g.conditions.voxel_size_um[1], abs=0.1
        )


def test_unknown_study_lists_all():
    with pytest.raises(StudyError, match=r"No study 'modells'.*models, training-size"):
        find_studies("modells")


def test_combined_needs_both_axes():
    with pytest.raises(StudyError, match="needs pairs of recipe D"):
        runs_of("combined", SCALES["smoke"], {"H": 4})


def test_own_pairs_of_one_letter_may_lie_in_the_folder_itself(tmp_path):
    for i in range(8):
        (tmp_path / f"{i}.czi").touch()
    found = own_datasets(tmp_path, ["H"])["H"]
    assert (len(found.training), len(found.test)) == (6, 2)
    with pytest.raises(StudyError, match="no folder there is named after a recipe"):
        own_datasets(tmp_path, ["D", "H"])


def test_two_pairs_are_too_few(tmp_path):
    for i in range(2):
        (tmp_path / f"{i}.czi").touch()
    with pytest.raises(StudyError, match="2 files; a study needs three or more"):
        own_datasets(tmp_path, ["H"])


def test_a_study_counts_only_the_data_sets_it_asks_for(tmp_path):
    plan = make_plan(["architecture", "combined"], SCALES["smoke"], tmp_path)
    shared = next(spec for spec in plan.studies["architecture"] if spec in plan.studies["combined"])
    for letter, pcc in (("H", 0.8), ("D", 0.2)):
        score = FieldScore(f"{letter}-test-000", "mitochondria", "this model", pcc, pcc)
        write_scores(scores_file(plan.run_folder(shared), letter), [score])
    assert {row.tested_on for row in collect(plan, "architecture")} == {shared.letters}
    assert {row.tested_on for row in collect(plan, "combined")} == {"D", "H"}


def _row(seed: int, field: str, pcc: float) -> Row:
    return Row(
        "architecture", "runs/x", "H1", "unet", 3, 32, 4, seed, "H", field, "mitochondria", "this model", pcc, 0.1
    )


def test_means_are_over_fields_then_seeds(tmp_path):
    rows = [_row(0, "a", 0.2), _row(0, "b", 0.4), _row(1, "a", 0.5)]
    write_rows(tmp_path / "t.csv", rows)
    found = summarise(read_rows(tmp_path / "t.csv"), lambda row: row.network)["unet"]
    assert found.values == pytest.approx((0.3, 0.5))
    assert found.mean == pytest.approx(0.4)
    assert found.spread == pytest.approx(0.1 * math.sqrt(2))


def test_what_is_pooled_leaves_out_runs_that_lack_a_data_set():
    stacks = [replace(_row(seed, "a", 0.7), run=f"runs/{seed}") for seed in (0, 1)]
    series = replace(stacks[0], tested_on="D", field="b", pcc=0.3)
    found = summarise(scored_on_all([*stacks, series], "HD"), lambda row: row.recipe)["H1"]
    assert found.values == pytest.approx((0.5,))


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (Summary(0.8, 0.01, (0.79, 0.8, 0.81)), Summary(0.5, 0.01, (0.49, 0.5, 0.51)), "first"),
        (Summary(0.5, 0.01, (0.49, 0.5, 0.51)), Summary(0.8, 0.01, (0.79, 0.8, 0.81)), "second"),
        (Summary(0.5, 0.2, (0.3, 0.5, 0.7)), Summary(0.6, 0.2, (0.4, 0.6, 0.8)), "undecided"),
        (Summary(0.5, math.nan, (0.5,)), Summary(0.9, math.nan, (0.9,)), "undecided"),
    ],
)
def test_no_order_is_claimed_that_another_seed_might_turn(a, b, verdict):
    assert compare(a, b).startswith(verdict)


def test_damaged_tables_are_named(tmp_path):
    (tmp_path / "t.csv").write_text("study,run\nx,y\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"t\.csv: not a table of results"):
        read_rows(tmp_path / "t.csv")
