"""Training configurations: presets, paths, and messages that name the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_mito_predict.errors import ConfigError
from napari_mito_predict.training.config import TrainingConfig

MINIMAL: dict[str, Any] = {"targets": {"mitochondria": "TMRM"}, "data": {"files": ["a.czi"]}, "output": "run"}


def test_preset_fills_what_is_absent() -> None:
    config = TrainingConfig.parse(MINIMAL | {"preset": "quick", "network": {"depth": 2}, "iterations": 7})
    assert config.network is not None
    assert (config.network.depth, config.network.base_channels) == (2, 16)
    assert config.iterations == 7
    assert config.augment.flip
    assert TrainingConfig.parse(MINIMAL).betas == (0.9, 0.999)
    assert TrainingConfig.parse(MINIMAL | {"preset": "fnet"}).betas == (0.5, 0.999)


def test_start_from_brings_its_network() -> None:
    assert TrainingConfig.parse(MINIMAL | {"start_from": "mito-z", "preset": "quick"}).network is None
    with pytest.raises(ConfigError, match="exclude each other"):
        TrainingConfig.parse(MINIMAL | {"start_from": "mito-z", "network": {"depth": 3}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iteration": 5}, "iteration: unknown key, did you mean 'iterations'"),
        ({"split": {"tset": 0.1}}, "split.tset: unknown key, did you mean 'test'"),
        ({"learning_rate": -1}, "learning_rate: Input should be greater than 0"),
        ({"targets": {}}, "targets"),
        ({"preset": "fast"}, "preset"),
        ({"data": {"files": []}}, "data.files"),
        ({"data": {"files": ["a.czi"], "csv": "b.csv"}}, "give either 'files'"),
        ({"data": {"input_folder": "in"}}, "belong together"),
        ({"targets": {"dna": None}}, "has to name the truth channel"),
        ({"batch_size": 3, "devices": 2}, "multiple of 'devices'"),
    ],
    ids=[
        "typo",
        "typo in a part",
        "negative",
        "no target",
        "unknown preset",
        "no files",
        "two forms",
        "half a form",
        "no channel",
        "odd batch",
    ],
)
def test_mistakes_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainingConfig.parse(MINIMAL | change)


def test_paths_are_relative_to_the_file_and_survive_a_round_trip(tmp_path: Path) -> None:
    file = tmp_path / "Mönch.yaml"
    file.write_text("targets: {dna: SYBR}\ndata: {files: [data/*.czi]}\noutput: runs/a\n", encoding="utf-8")
    config = TrainingConfig.load(file)
    assert config.output == tmp_path / "runs" / "a"
    assert config.data.files == (str(tmp_path / "data" / "*.czi"),)
    config.save(tmp_path / "again.yaml")
    assert TrainingConfig.load(tmp_path / "again.yaml") == config


def test_folders_need_only_the_name_of_the_target(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("target: dna\ndata: {input_folder: in, target_folder: out}\noutput: run\n", encoding="utf-8")
    config = TrainingConfig.load(file)
    assert config.targets == {"dna": None}
    assert config.data.input_folder == str(tmp_path / "in")
    config.save(tmp_path / "again.yaml")
    assert TrainingConfig.load(tmp_path / "again.yaml") == config


def test_differences_leave_out_where_it_is_computed() -> None:
    config = TrainingConfig.parse(MINIMAL)
    other = TrainingConfig.parse(MINIMAL | {"output": "elsewhere", "devices": 2, "threads": 1, "seed": 3})
    assert other.differences(config.model_dump(mode="json")) == ["seed: 0 -> 3"]


@pytest.mark.parametrize(
    "content", ["targets: [", "!!python/object/apply:os.system [ls]", "just text"], ids=["broken", "code", "text"]
)
def test_not_a_configuration(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        TrainingConfig.load(file)
    with pytest.raises(ConfigError, match="missing"):
        TrainingConfig.load(tmp_path / "missing.yaml")


def test_a_configuration_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    given = {"targets": {"dna": "x"}, "data": {"files": ["a"]}, "output": "o"}
    assert TrainingConfig.parse(given).schema_version == 1
    assert not TrainingConfig.parse(given).differences(
        TrainingConfig.parse(given).model_dump(mode="json") | {"schema_version": 0}
    )
    with pytest.raises(ConfigError, match=r"schema_version: .*newer version"):
        TrainingConfig.parse(given | {"schema_version": 2})


def test_runs_begun_before_predictions_could_be_allowed_go_on() -> None:
    """What they kept of their configuration has no such key, and is no other configuration."""
    config = TrainingConfig.parse(MINIMAL)
    assert "allow_prediction_as_truth" not in config.model_dump(mode="json")["data"]
    allowed = TrainingConfig.parse(MINIMAL | {"data": MINIMAL["data"] | {"allow_prediction_as_truth": True}})
    assert allowed.model_dump(mode="json")["data"]["allow_prediction_as_truth"] is True
    assert allowed.differences(config.model_dump(mode="json"))
