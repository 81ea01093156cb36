"""From the scores of images to those of groups: every number is computed here a second time, from the tables."""

from __future__ import annotations

import csv
import math
import statistics
from pathlib import Path

import pytest

from napari_mito_predict.errors import TrainingError
from napari_mito_predict.training import Run, Status, TrainingConfig
from napari_mito_predict.training.fields import Field, Place
from napari_mito_predict.training.folds.page import table_rows, verdict, write_page
from napari_mito_predict.training.folds.plan import CrossValidation, Fold
from napari_mito_predict.training.folds.results import (
    collect,
    group_scores,
    mean_of_groups,
    read_table,
    summarise,
    write_groups,
)
from napari_mito_predict.training.scoring import OURS

HEAD = "field,target,model,pcc,ssim_global,best_plane,note"
TABLES = {
    "fold-1": [
        # Two volumes of one image count once; the second image of group a has no PCC.
        "a_1,mitochondria,this model,0.5,0.4,3,x",
        "a_1,mitochondria,this model,0.7,0.6,5,x",
        "a_2,mitochondria,this model,nan,0.1,,y",
        "a_3,mitochondria,this model,0.2,0.3,1,y",
        "b_1,mitochondria,this model,0.9,0.8,2,",
        "a_1,mitochondria,blurred input,0.1,0.1,0,",
        "a_2,mitochondria,blurred input,0.3,0.1,0,",
        "a_3,mitochondria,blurred input,0.2,0.1,0,",
        "b_1,mitochondria,blurred input,0.4,0.1,0,",
        "a_1,mitochondria,start model mito-z,0.2,0.1,0,",
        "a_2,mitochondria,start model mito-z,0.2,0.1,0,",
        "a_3,mitochondria,start model mito-z,0.2,0.1,0,",
        "b_1,mitochondria,start model mito-z,0.8,0.1,0,",
    ],
    "fold-2": [
        "c_1,mitochondria,this model,0.4,0.2,1,",
        "c_1,mitochondria,blurred input,0.45,0.1,0,",
        "c_1,mitochondria,start model mito-z,0.1,0.1,0,",
    ],
}
GROUPS = {"a_1": "a", "a_2": "a", "a_3": "a", "b_1": "b", "c_1": "c"}


@pytest.fixture
def planned(tmp_path: Path) -> CrossValidation:
    """Two finished folds that nobody trained."""
    config = TrainingConfig.parse(
        {
            "targets": {"mitochondria": "TMRM"},
            "data": {"files": ["*.czi"]},
            "split": {"by": "^[^_]+", "test": []},
            "name": "cells & co",
            "output": str(tmp_path / "cv"),
        }
    )
    fields = tuple(
        Field(name, Place(Path(f"{name}.czi"), None), (Place(Path(f"{name}.czi"), None),)) for name in GROUPS
    )
    found = CrossValidation(config, fields, GROUPS, (Fold("fold-1", ("a", "b")), Fold("fold-2", ("c",))))
    for fold in found.folds:
        run = Run.create(found.config_of(fold))
        run.write_status(Status("done", scores={"best": 0.5}))
        (run.path / "test.csv").write_text("\n".join([HEAD, *TABLES[fold.name], ""]), encoding="utf-8")
    return found


def test_a_row_for_each_group_and_model(planned: CrossValidation) -> None:
    results = collect(planned)
    assert not results.unfinished
    path = planned.folder / "groups.csv"
    write_groups(path, results.scores)
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["group", "fold", "target", "model", "images", "pcc", "ssim_global", "best_plane"]
    assert [(row["group"], row["model"]) for row in rows[:3]] == [
        ("a", "this model"),
        ("a", "blurred input"),
        ("a", "start model mito-z"),
    ]
    assert len(rows) == 9
    ours = {row["group"]: row for row in rows if row["model"] == OURS}
    assert {group: row["images"] for group, row in ours.items()} == {"a": "3", "b": "1", "c": "1"}
    assert {group: row["fold"] for group, row in ours.items()} == {"a": "fold-1", "b": "fold-1", "c": "fold-2"}
    assert float(ours["a"]["pcc"]) == pytest.approx((0.6 + 0.2) / 2)
    assert float(ours["a"]["ssim_global"]) == pytest.approx((0.5 + 0.1 + 0.3) / 3)
    assert float(ours["a"]["best_plane"]) == pytest.approx((4 + 1) / 2), "a column that nobody knew of"
    assert float(ours["c"]["pcc"]) == pytest.approx(0.4)


def test_the_summary_pairs_groups_with_the_best_baseline(planned: CrossValidation) -> None:
    (summary,) = summarise(collect(planned).scores)
    ours, blurred, start = [0.4, 0.9, 0.4], [0.2, 0.4, 0.45], [0.2, 0.8, 0.1]
    assert statistics.fmean(start) > statistics.fmean(blurred)
    assert summary.baseline == "start model mito-z"
    for model, values in ((OURS, ours), ("blurred input", blurred), ("start model mito-z", start)):
        assert list(summary.values[model].values()) == pytest.approx(values)
        assert summary.means[model].mean == pytest.approx(statistics.fmean(values))
        assert summary.means[model].standard_error == pytest.approx(statistics.stdev(values) / math.sqrt(3))
    differences = [mine - theirs for mine, theirs in zip(ours, start, strict=True)]
    assert list(summary.differences.values()) == pytest.approx(differences)
    assert summary.difference.mean == pytest.approx(statistics.fmean(differences))
    assert summary.difference.standard_error == pytest.approx(statistics.stdev(differences) / math.sqrt(3))
    head, rows = table_rows(summary)
    assert head == ["group", "images", OURS, "blurred input", "start model mito-z", f"{OURS} − start model mito-z"]
    assert rows[0] == ["a", "3", "0.400", "0.200", "0.200", "+0.200"]
    assert rows[-2] == ["mean over groups", "", "0.567", "0.350", "0.367", "+0.200"]
    assert verdict(summary) == (
        "PCC 0.567 ± 0.167 on groups that it never saw (mean ± standard error over 3 groups). +0.200 ± 0.058 against "
        "start model mito-z, the best baseline; better in 3 of 3 groups."
    )


def test_a_baseline_of_some_groups_only_is_not_the_one_to_compare_with(planned: CrossValidation) -> None:
    table = planned.folder / "fold-2" / "test.csv"
    row = "c_1,mitochondria,mean truth,0.9,0.1,0,"
    table.write_text("\n".join([HEAD, *TABLES["fold-2"], row, ""]), encoding="utf-8")
    results = collect(planned)
    (summary,) = summarise(results.scores)
    assert summary.means["mean truth"].mean == pytest.approx(0.9)
    assert summary.baseline == "start model mito-z"
    assert summary.difference.groups == 3
    page = write_page(planned, results).read_text(encoding="utf-8")
    assert '<td class="best">0.567</td>' in page


def test_groups_without_a_score_are_left_out_of_means(planned: CrossValidation) -> None:
    rows = [row.replace("0.4,0.2", "nan,0.2") for row in TABLES["fold-2"]]
    (planned.folder / "fold-2" / "test.csv").write_text("\n".join([HEAD, *rows, ""]), encoding="utf-8")
    (summary,) = summarise(collect(planned).scores)
    assert math.isnan(summary.values[OURS]["c"])
    assert summary.means[OURS].mean == pytest.approx((0.4 + 0.9) / 2)
    assert summary.means[OURS].groups == 2
    assert math.isnan(summary.differences["c"])
    assert summary.difference.groups == 2
    assert table_rows(summary)[1][2] == ["c", "1", "–", "0.450", "0.100", "–"]
    write_groups(planned.folder / "groups.csv", collect(planned).scores)
    assert "c,fold-2,mitochondria,this model,1,nan," in (planned.folder / "groups.csv").read_text(encoding="utf-8")


def test_nothing_but_nan() -> None:
    rows = [{"field": "a", "target": "dna", "model": OURS, "pcc": "nan"}]
    (summary,) = summarise(group_scores("fold-1", rows, {"a": "a"}))
    assert summary.baseline == ""
    assert verdict(summary).startswith("No group has a PCC")
    assert table_rows(summary)[1][-2:] == [["mean over groups", "", "–"], ["standard error", "", "–"]]
    assert mean_of_groups([]).groups == 0
    single = mean_of_groups([0.5, math.nan])
    assert (single.mean, single.groups) == (0.5, 1)
    assert math.isnan(single.standard_error)


def test_one_damaged_table_does_not_hide_the_others(planned: CrossValidation) -> None:
    table = planned.folder / "fold-1" / "test.csv"
    for content in (b"", b"\xff\xfe", b"field,pcc\na,1\n", f"{HEAD}\na_1,mitochondria\n".encode()):
        table.write_bytes(content)
        with pytest.raises(TrainingError, match=r"test\.csv"):
            read_table(table)
        results = collect(planned)
        assert {score.group for score in results.scores} == {"c"}
        assert not results.unfinished
        assert "test.csv" in results.unscored["fold-1"]
    table.write_text(f"{HEAD}\n", encoding="utf-8")
    assert collect(planned).unscored["fold-1"].startswith("no image of a, b could be scored")


def test_the_page_names_what_is_missing(planned: CrossValidation) -> None:
    Run(planned.folder / "fold-2").write_status(Status("failed", "field c_1: <blank>"))
    page = write_page(planned, collect(planned)).read_text(encoding="utf-8")
    assert "Scores of 1 of 2 folds are missing" in page
    assert "fold-2: field c_1: &lt;blank&gt;" in page
    assert "Cross-validation of cells &amp; co" in page
    assert '<td class="best">0.650</td>' in page
    Run(planned.folder / "fold-2").write_status(Status("done"))
    whole = write_page(planned, collect(planned)).read_text(encoding="utf-8")
    assert "are missing" not in whole
    assert "PCC 0.567 ± 0.167" in whole
