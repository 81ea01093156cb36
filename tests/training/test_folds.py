"""Cross-validation: every group is held out once; what is finished stays, what was killed goes on."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import TrainingDataError, TrainingError
from napari_mito_predict.training import Run, Status, TrainingConfig
from napari_mito_predict.training.folds.plan import CrossValidation, deal_folds, plan_folds
from napari_mito_predict.training.folds.record import claim
from napari_mito_predict.training.folds.results import collect
from napari_mito_predict.training.folds.runner import run_folds
from napari_mito_predict.training.runs import launch

FIELDS = ["d1_a", "d1_b", "d1_c", "d2_a", "d2_b", "d3_a"]


def _write_fields(folder: Path) -> Path:
    """Six single planes of three dishes; the truth is the light, blurred and inverted."""
    folder.mkdir()
    for i, name in enumerate(FIELDS):
        light = np.random.default_rng(i).normal(1000, 100, (40, 44))
        data = np.stack([light, 2000 - gaussian_filter(light, 1)]).astype(np.uint16)
        sizes = {f"PhysicalSize{axis}": 0.1 for axis in "XY"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
        metadata = {"axes": "CYX", "Channel": {"Name": ["TL", "TMRM"]}, **sizes}
        tifffile.imwrite(folder / f"{name}.ome.tif", data, ome=True, metadata=metadata)
    return folder


def _config(fields: Path, output: Path, **changes: object) -> TrainingConfig:
    tiny = {
        "targets": {"mitochondria": "TMRM"},
        "data": {"files": [str(fields / "*.ome.tif")]},
        "split": {"by": "^[^_]+"},
        "network": {"depth": 1, "base_channels": 2},
        "patch": (16, 16),
        "batch_size": 1,
        "iterations": 2,
        "validate_every": 1,
        "precision": "32",
        "threads": 1,
        "look_for_shifts": False,
        "output": str(output),
    }
    return TrainingConfig.parse(tiny | changes)


def _train(planned: CrossValidation, processes: int = 2) -> dict[str, str]:
    """Train what is left; fold -> why it is not finished, of those that ended now."""
    ended: dict[str, str] = {}
    run_folds(planned, processes, lambda *_: None, lambda fold, reason: ended.update({fold.name: reason}))
    return ended


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write_fields(tmp_path_factory.mktemp("data") / "fields")


@pytest.fixture(scope="module")
def whole(fields: Path, tmp_path_factory: pytest.TempPathFactory) -> CrossValidation:
    """A cross-validation of which all folds are finished."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MITO_PREDICT_RUNS", str(tmp_path_factory.mktemp("runs")))
        planned = plan_folds(_config(fields, tmp_path_factory.mktemp("cv") / "whole"))
        claim(planned)
        assert _train(planned) == {"fold-d1": "", "fold-d2": "", "fold-d3": ""}
    return planned


def _copy_of(planned: CrossValidation, folder: Path) -> CrossValidation:
    shutil.copytree(planned.folder, folder)
    return plan_folds(planned.config.model_copy(update={"output": folder}))


def _times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


# ------------------------------------------------------------------ planning

_NAMES = st.text("abc/ _é.", min_size=1, max_size=4)
_GROUPS = st.text("xyXY/:.", min_size=1, max_size=2)


@given(st.dictionaries(_NAMES, _GROUPS, min_size=2), st.integers(2, 8) | st.none(), st.integers(0, 9))
def test_each_group_is_held_out_once(groups: dict[str, str], number: int | None, seed: int) -> None:
    units = set(groups.values())
    if len(units) < (number or 2):
        with pytest.raises(TrainingDataError):
            deal_folds(groups, number, seed)
        return
    folds = deal_folds(groups, number, seed)
    held_out = [group for fold in folds for group in fold.held_out]
    assert sorted(held_out) == sorted(units)
    assert len(folds) == (number or len(units))
    sizes = [len(fold.held_out) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    assert folds == deal_folds(dict(reversed(groups.items())), number, seed), "whatever the order of the files"
    assert len({fold.name.casefold() for fold in folds}) == len(folds)
    assert not any(set(fold.name) & set('/\\:*?"<>|') for fold in folds)


@given(st.integers(0, 20), st.sampled_from([(0, 2), (0.1, 2), (0.1, None), (0.5, None), (("d1",), None)]))
def test_no_fold_learns_from_what_it_tests(fields: Path, seed: int, chosen: tuple[object, int | None]) -> None:
    validation, number = chosen
    split = {"by": "^[^_]+", "test": 0.4, "validation": validation, "seed": seed}
    config = _config(fields, Path("cv"), split=split)
    planned = plan_folds(config, number)
    tested = []
    for fold in planned.folds:
        parts = planned.parts_of(fold)
        of_part = [{planned.groups[field.name] for field in part} for part in (parts.training, parts.validation)]
        assert set(fold.held_out) == {planned.groups[field.name] for field in parts.test}
        assert not set(fold.held_out) & set().union(*of_part)
        assert not of_part[0] & of_part[1]
        assert len(parts.training) + len(parts.validation) + len(parts.test) == len(FIELDS)
        tested += [field.name for field in parts.test]
        assert planned.config_of(fold).add_to_models is False
        assert planned.config_of(fold).output == Path("cv").absolute() / fold.name
    assert sorted(tested) == FIELDS


def test_names_of_folds(fields: Path) -> None:
    by_dish = plan_folds(_config(fields, Path("cv")))
    assert [fold.name for fold in by_dish.folds] == ["fold-d1", "fold-d2", "fold-d3"]
    assert plan_folds(_config(fields, Path("cv")), 3).folds == by_dish.folds
    in_two = plan_folds(_config(fields, Path("cv")), 2)
    assert [fold.name for fold in in_two.folds] == ["fold-1", "fold-2"]
    each = plan_folds(_config(fields, Path("cv"), split={}))
    assert [fold.name for fold in each.folds] == [f"fold-{name}" for name in FIELDS]
    twelve = deal_folds({f"f{i}": f"g{i}" for i in range(24)}, 12, 0)
    assert [fold.name for fold in twelve[:2]] == ["fold-01", "fold-02"]


@pytest.mark.parametrize(
    ("by", "number", "words"),
    [
        ("^d", None, r"needs two groups at least; there is 1 group: d \(6\).*`split.by`"),
        ("^[^_]+", 4, r"3 groups cannot be dealt into 4 folds: choose 2 to 3, or all \(3 groups: d1 \(3\)"),
        ("^[^_]+", 1, "choose 2 to 3"),
        ("_[ab]", None, "is not found in d1_c"),
    ],
)
def test_what_cannot_be_dealt(fields: Path, by: str, number: int | None, words: str) -> None:
    with pytest.raises(TrainingDataError, match=words):
        plan_folds(_config(fields, Path("cv"), split={"by": by}), number)


def test_groups_that_validate_are_not_all_that_is_left(fields: Path) -> None:
    split = {"by": "^[^_]+", "validation": ["d1", "d2"]}
    with pytest.raises(TrainingDataError, match=r"fold-d3 tests on d3 and validates on d1, d2: nothing is left"):
        plan_folds(_config(fields, Path("cv"), split=split))
    planned = plan_folds(_config(fields, Path("cv"), split=split | {"validation": ["d1"]}))
    validated = [{planned.groups[field.name] for field in planned.parts_of(fold).validation} for fold in planned.folds]
    assert validated[0] in ({"d2"}, {"d3"}), "one of the others is drawn"
    assert validated[1:] == [{"d1"}, {"d1"}]


# ------------------------------------------------------------------ training


def test_every_fold_is_a_run_tested_on_its_group(whole: CrossValidation) -> None:
    for fold in whole.folds:
        run = whole.run_of(fold)
        assert run.status.state == "done"
        assert run.config.split.test == fold.held_out
        tested = {line.split(",")[0] for line in (run.path / "test.csv").read_text(encoding="utf-8").splitlines()[1:]}
        assert tested == {name for name, group in whole.groups.items() if group in fold.held_out}
    assert not collect(whole).unfinished


def test_what_is_finished_is_kept_and_one_failure_does_not_stop_the_others(
    whole: CrossValidation, tmp_path: Path
) -> None:
    planned = _copy_of(whole, tmp_path / "copy")
    missing, damaged, finished = (planned.run_of(fold) for fold in planned.folds)
    shutil.rmtree(missing.path)
    shutil.rmtree(damaged.path / "checkpoints")
    (damaged.path / "status.json").unlink()
    before = _times(finished.path)
    claim(planned)
    ended = _train(planned, processes=1)
    assert ended.keys() == {"fold-d1", "fold-d2"}
    assert ended["fold-d1"] == ""
    assert "its checkpoints are gone" in ended["fold-d2"]
    assert missing.status.state == "done"
    assert _times(finished.path) == before
    results = collect(planned)
    assert results.unfinished.keys() == {"fold-d2"}
    assert {score.group for score in results.scores} == {"d1", "d3"}


def test_a_fold_whose_folder_cannot_be_made_ends_with_the_reason(whole: CrossValidation, tmp_path: Path) -> None:
    planned = _copy_of(whole, tmp_path / "copy")
    first, second, _ = planned.folds
    for fold in (first, second):
        shutil.rmtree(planned.run_of(fold).path)
    planned.run_of(first).path.write_text("a file, not a folder", encoding="utf-8")
    ended = _train(planned, processes=1)
    assert ended.keys() == {first.name, second.name}
    assert first.name in ended[first.name]
    assert ended[second.name] == ""


def test_other_settings_are_refused_and_named(whole: CrossValidation, tmp_path: Path) -> None:
    planned = _copy_of(whole, tmp_path / "copy")
    before = _times(planned.folder)
    claim(planned)
    claim(plan_folds(planned.config.model_copy(update={"cache": "memory"})))
    with pytest.raises(TrainingError, match=r"iterations: 2 -> 3\)"):
        claim(plan_folds(planned.config.model_copy(update={"iterations": 3})))
    with pytest.raises(TrainingError, match=r"folds: 3 -> 2\)"):
        claim(plan_folds(planned.config, 2))
    fewer = planned.config.data.model_copy(update={"exclude": ("d1_a",)})
    with pytest.raises(TrainingError, match="fields that are gone: d1_a"):
        claim(plan_folds(planned.config.model_copy(update={"data": fewer})))
    (planned.folder / "folds.json").unlink()
    before.pop(planned.folder / "folds.json")
    with pytest.raises(TrainingError, match=r"fold-d1: .*iterations: 2 -> 3"):
        claim(plan_folds(planned.config.model_copy(update={"iterations": 3})))
    now = _times(planned.folder)
    assert {path: now[path] for path in before if path != planned.folder} == {
        path: time for path, time in before.items() if path != planned.folder
    }


def test_a_folder_of_something_else_is_refused(fields: Path, tmp_path: Path) -> None:
    config = _config(fields, tmp_path / "run")
    Run.create(config)
    with pytest.raises(TrainingError, match="holds a single run"):
        claim(plan_folds(config))
    other = _config(fields, tmp_path / "other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "folds.json").write_text("{", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"folds.json: not readable"):
        claim(plan_folds(other))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_fold_goes_on(fields: Path, tmp_path: Path) -> None:
    planned = plan_folds(_config(fields, tmp_path / "cv", iterations=300, validate_every=10), 2)
    claim(planned)
    first, second = planned.folds
    Run.create(planned.config_of(second)).write_status(Status("done"))
    run = launch(planned.config_of(first))
    while not any(int(path.stem) >= 20 for path in (run.path / "checkpoints").glob("[0-9]*.pt")):
        assert run.status.state != "done"
        time.sleep(0.02)
    os.kill(run.status.pid, signal.SIGKILL)
    while run.status.alive:
        time.sleep(0.02)
    before = [row for row in run.metrics if row["iteration"] <= 20]
    assert _train(planned) == {first.name: ""}
    assert run.status.iteration == 300
    assert run.metrics[: len(before)] == before, "the same seconds: it did not begin anew"


def test_breaking_off_pauses_what_is_under_way(fields: Path, tmp_path: Path) -> None:
    planned = plan_folds(_config(fields, tmp_path / "cv", iterations=100_000, validate_every=1000), 2)
    claim(planned)

    def interrupt(done: int, total: int, message: str) -> None:
        if any(planned.run_of(fold).status.state == "running" for fold in planned.folds):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_folds(planned, 1, interrupt, lambda fold, reason: None)
    first, second = map(planned.run_of, planned.folds)
    assert first.status.state == "stopped"
    assert not second.exists
