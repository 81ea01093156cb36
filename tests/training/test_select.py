"""Which state becomes the model, what it is averaged from, and what it starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import ConfigError
from napari_mito_predict.models import Model, load_model, save_model
from napari_mito_predict.models.card import Architecture
from napari_mito_predict.networks import build_network
from napari_mito_predict.training import Run, TrainingConfig, train, trainer
from napari_mito_predict.training.average import RunningAverage
from napari_mito_predict.training.preflight import check_fields
from napari_mito_predict.training.validation import Validation, validate

NOT_HELD_BACK = {"test": 0.25, "validation": 0}


def _state(run: Run) -> dict[str, torch.Tensor]:
    newest = max((run.path / "checkpoints").glob("*.pt"))
    state: dict[str, torch.Tensor] = torch.load(newest, weights_only=True)["model"]
    return state


def test_the_last_state_is_kept_though_an_earlier_one_was_better(fields: Path, make_config) -> None:
    # So high a rate that the validation falls again.
    settings = {"iterations": 24, "validate_every": 4, "learning_rate": 0.05, "add_to_models": False}
    last = train(make_config(fields, "last", select="last", **settings))
    best = train(make_config(fields, "best", **settings))
    for name, tensor in last.model.network.state_dict().items():
        torch.testing.assert_close(tensor, _state(last)[name])
    curve = [row["val_pcc"] for row in best.metrics if "val_pcc" in row]
    assert best.model.card.training.iterations == 4 * int(np.argmax(curve))
    assert last.model.card.training.iterations == 24
    assert "not chosen by any score" in last.model.card.training.notes
    assert "not chosen by any score" not in best.model.card.training.notes


def test_without_validation_every_field_that_is_not_tested_is_trained_on(fields: Path, make_config) -> None:
    config = make_config(fields, "run", iterations=2, select="last", split=NOT_HELD_BACK)
    assert [finding.code for finding in check_fields(config, lambda *_: None).together] == ["not-validated"]
    run = train(config)
    assert run.model.card.training.pairs == 3
    assert "Nothing is held back" in (run.path / "log.txt").read_text(encoding="utf-8")
    assert "mitochondria, test fields" in run.model.card.metrics


def test_scores_on_what_was_trained_on_are_called_so(fields: Path, make_config) -> None:
    run = train(make_config(fields, "run", iterations=2, select="last", split={"test": 0, "validation": 0}))
    assert run.model.card.training.pairs == 4
    assert set(run.model.card.metrics) >= {"mitochondria, fields trained on"}
    assert not any("validation" in condition for condition in run.model.card.metrics)
    assert "PCC on fields trained on" in run.status.message
    assert "validation PCC" not in (run.path / "log.txt").read_text(encoding="utf-8")


def test_the_score_of_the_last_state_is_its_own(fields: Path, make_config, monkeypatch) -> None:
    scores = iter([0.1, 0.6, 0.4])

    def falling(*given: Any) -> Validation:
        return replace(validate(*given), pcc=next(scores))

    monkeypatch.setattr(trainer, "validate", falling)
    run = train(make_config(fields, "run", iterations=4, validate_every=2, select="last"))
    assert run.status.scores["best"] == 0.4


def test_nobody_waits_for_a_better_state_where_the_last_one_is_kept(fields: Path, make_config) -> None:
    with pytest.raises(ConfigError, match=r"'patience'.*'select: last'"):
        make_config(fields, "run", select="last", patience=2)


def test_the_average_of_a_short_run_forgets_where_it_began() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(0.0)
        average = RunningAverage(module, 0.998)
        average.update_parameters(module)
        module.weight.fill_(1.0)
        for _ in range(50):
            average.update_parameters(module)
    assert average.module.weight.item() > 0.99


def test_the_average_of_a_long_run_is_exponential() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(0.0)
        average = RunningAverage(module, 0.9)
        for _ in range(200):
            average.update_parameters(module)
        module.weight.fill_(1.0)
        for _ in range(5):
            average.update_parameters(module)
    assert average.module.weight.item() == pytest.approx(1 - 0.9**5, abs=1e-6)


def test_weights_decay_by_the_rate_times_the_decay(fields: Path, make_config) -> None:
    settings = {"iterations": 1, "validate_every": 1, "learning_rate": 1e-3, "warmup": 0, "schedule": "constant"}
    plain = _state(train(make_config(fields, "plain", **settings)))
    decayed = _state(train(make_config(fields, "decayed", weight_decay=2.0, **settings)))
    start = Run(train(make_config(fields, "start", **settings | {"learning_rate": 1e-12})).path)
    for name, before in _state(start).items():
        if name.endswith("weight"):
            torch.testing.assert_close(plain[name] - decayed[name], before * 2e-3, rtol=1e-3, atol=1e-6)


def _light_and_truth(seed: int) -> np.ndarray:
    light = np.random.default_rng(seed).normal(1000, 100, (40, 44))
    return np.stack([light, 2000 - gaussian_filter(light, 1)])


def test_a_model_of_stacks_is_a_start_for_planes(
    tmp_path: Path, make_config: Callable[..., TrainingConfig], write_field, tiny_card
) -> None:
    torch.manual_seed(0)
    arguments = {"ndim": 3, "depth": 1, "base_channels": 4}
    card = tiny_card.model_copy(update={"architecture": Architecture(kind="unet", arguments=arguments)})
    start = tmp_path / "start"
    save_model(start, card, build_network("unet", arguments).eval(), np.zeros((1, 4, 16, 16), np.float32))
    planes = tmp_path / "planes"
    planes.mkdir()
    for i in range(4):
        write_field(planes / f"p{i}.ome.tif", _light_and_truth(i), ["TL", "TMRM"], axes="CYX", voxel=(0.3, 0.11, 0.11))
    config = make_config(
        planes, "run", start_from=str(start), network=None, patch=(16, 16), iterations=2, validate_every=1
    )
    run = train(config)
    model: Model = load_model(run.model_folder)
    assert model.network.ndim == 2
    assert model.card.input.third_axes == ()
    assert model.card.training.start_from == card.name
    assert f"mitochondria, test fields, start model {card.name}" in model.card.metrics
    assert load_model(start).network.ndim == 3


def test_runs_begun_before_there_was_a_key_go_on() -> None:
    config = TrainingConfig.parse({"target": "dna", "data": {"input_folder": "a", "target_folder": "b"}, "output": "o"})
    older = config.model_dump(mode="json")
    for key in ("select", "weight_decay"):
        older.pop(key)
    assert not {"rotate", "gamma"} & older["augment"].keys()
    assert config.differences(older) == []
    changed = config.model_copy(update={"select": "last"})
    assert changed.differences(older) == ["select: best -> last"]
