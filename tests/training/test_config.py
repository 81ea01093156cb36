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
        ({"learning_rate": -1}, "learning_rate: has to be more than 0, not -1"),
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


NEAREST: dict[str, tuple[str, str]] = {
    "preset": ("preset: papr\nnetwork: {depth: 3}", "preset: 'papr' is unknown, did you mean 'paper'?"),
    "preset in capitals": ("preset: Fnet", "preset: 'Fnet' is unknown, did you mean 'fnet'?"),
    "preset that is none": ("preset: [paper]", r"preset: \['paper'\] is unknown, did you mean 'paper'"),
    "network": ("network: {kind: unett}", "network.kind: 'unett' is unknown, did you mean 'unet'?"),
    "patch": ("network: {depth: 3}\npatch: [7, 20, 60]", r"divisible by 8 .* nearest is \[8, 16, 64\]"),
    "patch of 0": ("patch: [0, 16, 16]", r"patch\.0: has to be at least 1, not 0"),
    "patch that is huge": ("patch: [16, 99999, 16]", r"patch\.1: has to be at most 4096, not 99999"),
    "one voxel": ("network: {depth: 4}\npatch: [16, 16]\nbatch_size: 1", r"such as \[32, 32\]"),
    "batch": ("network: {depth: 1}\npatch: [512, 512, 512]", "1,073,741,824 voxels at once"),
    "seed": ("seed: -1", "seed: has to be at least 0, not -1"),
    "infinite": ("learning_rate: .inf", "learning_rate: has to be a finite number, not inf"),
    "not a number": ("augment: {noise: .nan}", "augment.noise: .*finite number, not nan"),
    "voxels": ("voxel_size_um: [0, 0.1, 0.1]", r"voxel_size_um.0: has to be at least 0\.001, not 0"),
    "twice": ("seed: 1\nseed: 2", r"line 5: 'seed' is there already, in line 4"),
    "twice within": ("split: {seed: 1, test: 0.2, seed: 2}", "line 4: 'seed' is there already, in line 4"),
    "type": ("seed: !!int abc", "line 4: a value of the type"),
    "digits": (f"seed: {'9' * 5000}", "line 4: 9{60} is no value"),
    "depth": (f"title: {'[' * 1000}", "line 4: nested more than 40 deep"),
    "many": ("a: [" + "1," * 50_000 + "]", "more than 20,000 values"),
    "pattern": (f"split: {{by: '{'(' * 150}'}}", "is not a pattern"),
}


@pytest.mark.parametrize("name", NEAREST)
def test_the_nearest_value_is_named(tmp_path: Path, name: str) -> None:
    line, message = NEAREST[name]
    file = tmp_path / "config.yaml"
    file.write_text(f"targets: {{dna: SYBR}}\ndata: {{files: [a.czi]}}\noutput: run\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        TrainingConfig.load(file)
    assert str(file) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < len(str(file)) + 400


def test_what_looks_like_a_date_is_text(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("targets: {dna: SYBR}\ndata: {files: [a]}\noutput: run\ntitle: 2020-99-99\n", encoding="utf-8")
    assert TrainingConfig.load(file).title == "2020-99-99"


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
