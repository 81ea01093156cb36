"""Fields of one dish, day or frame stay in one part of the split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mito_predict.errors import ConfigError, TrainingDataError
from napari_mito_predict.training import TrainingConfig, train
from napari_mito_predict.training.checks import FieldReport, check_together
from napari_mito_predict.training.config_parts import Split
from napari_mito_predict.training.fields import Field, Place
from napari_mito_predict.training.split import describe_groups, groups_of, split_fields

NAMES = [f"{field:03d}_t{time:03d}_z009_{crop}" for field in (8, 9, 10, 12) for time in (1, 25) for crop in range(3)]


def _fields(paths: list[str]) -> list[Field]:
    return [Field(Path(path).stem, Place(Path(path), None), (Place(Path(path), None),)) for path in paths]


def _parts(fields) -> dict[str, set[str]]:
    named = {"training": fields.training, "validation": fields.validation, "test": fields.test}
    return {part: {fields.groups[field.name] for field in found} for part, found in named.items()}


@given(st.integers(0, 50), st.floats(0.01, 0.9), st.floats(0.01, 0.9), st.sampled_from([r"^(\d+)_", r"\d+", "^[^_]+"]))
def test_no_group_is_in_two_parts(seed: int, test: float, validation: float, by: str) -> None:
    fields = split_fields(
        _fields([f"{name}.png" for name in NAMES]), Split(by=by, test=test, validation=validation, seed=seed)
    )
    parts = _parts(fields)
    assert set().union(*parts.values()) == {"008", "009", "010", "012"}
    assert sum(map(len, parts.values())) == 4
    assert all(parts.values())
    assert len(fields.training) + len(fields.validation) + len(fields.test) == len(NAMES)


def test_the_first_group_of_a_pattern_is_the_group() -> None:
    fields = _fields([f"{name}.png" for name in NAMES])
    assert set(groups_of(fields, r"_(t\d+)_").values()) == {"t001", "t025"}
    assert set(groups_of(fields, r"_t\d+_").values()) == {"_t001_", "_t025_"}
    assert describe_groups(groups_of(fields, r"\d+").values()) == "4 groups: 008 (6), 009 (6), 010 (6), 012 (6)"
    assert describe_groups(str(i) for i in range(20)).endswith("and 12 more")


def test_folders(tmp_path: Path) -> None:
    fields = _fields([f"day1/dish1/{i}.czi" for i in "ab"] + ["day2/dish1/c.czi", "day2/dish2/d.czi"])
    assert groups_of(fields, "folder") == {"a": "day1/dish1", "b": "day1/dish1", "c": "day2/dish1", "d": "day2/dish2"}
    assert set(groups_of(fields[:2], "folder").values()) == {"dish1"}


def test_named_groups() -> None:
    fields = _fields([f"{name}.png" for name in NAMES])
    found = _parts(split_fields(fields, Split(by=r"^\d+", test=("008",), validation=("010", "012"))))
    assert found == {"training": {"009"}, "validation": {"010", "012"}, "test": {"008"}}
    with pytest.raises(TrainingDataError, match=r"No group named 011 .*groups: 008, 009, 010, 012"):
        split_fields(fields, Split(by=r"^\d+", test=("011",)))
    with pytest.raises(TrainingDataError, match=f"{NAMES[0]} belongs to the group 008.*name the group"):
        split_fields(fields, Split(by=r"^\d+", test=(NAMES[0],)))
    with pytest.raises(TrainingDataError, match="4 groups leave none to train on"):
        split_fields(fields, Split(by=r"^\d+", test=("008", "009"), validation=("010", "012")))


def test_a_name_without_a_group_is_named() -> None:
    fields = _fields(["008_a.png", "other.png", "(b).png"])
    with pytest.raises(TrainingDataError, match=r"not found in other, \(b\)\."):
        groups_of(fields, r"^\d+")
    with pytest.raises(TrainingDataError, match="not found in other"):
        groups_of(fields, r"(\d+)?_|other|b")


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"by": "("}, r"split\.by: .*is not a pattern"),
        ({"by": ""}, r"split\.by: .*is empty"),
        ({"test": [12, 13]}, r"split\.test: .*put names in quotation marks"),
    ],
)
def test_what_cannot_be_meant_is_refused(split: dict, words: str, make_config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        make_config(tmp_path, "run", split=split)


def test_without_groups_the_request_is_as_it_was(make_config, tmp_path: Path) -> None:
    assert "by" not in make_config(tmp_path, "run").model_dump()["split"]
    grouped = make_config(tmp_path, "run", split={"by": "folder"})
    grouped.save(tmp_path / "config.yaml")
    assert TrainingConfig.load(tmp_path / "config.yaml").split.by == "folder"


def test_few_groups_are_few_however_many_fields() -> None:
    reports = [FieldReport(str(i), "training", group="ab"[i % 2]) for i in range(20)]
    (finding,) = check_together(reports)
    assert finding.code == "few-fields"
    assert "Only 2 usable groups" in finding.message


def test_a_training_keeps_groups_together(fields: Path, make_config) -> None:
    for i in range(4):
        (fields / f"field{i}.ome.tif").rename(fields / f"{'AABC'[i]}_{i}.ome.tif")
    run = train(make_config(fields, "run", iterations=1, split={"by": "^[A-Z]", "test": ["A"], "validation": ["B"]}))
    rows = json.loads((run.path / "fields.json").read_text(encoding="utf-8"))
    assert {(row["name"], row["group"], row["part"]) for row in rows} == {
        ("A_0", "A", "test"),
        ("A_1", "A", "test"),
        ("B_2", "B", "validation"),
        ("C_3", "C", "training"),
    }
    assert "3 groups: A (2), B (1), C (1)" in run.model.card.training.notes
