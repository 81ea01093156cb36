"""A GVTNet is trained, kept, fine-tuned and used as a U-Net is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_mito_predict.errors import ConfigError
from napari_mito_predict.models import load_model, verify_model
from napari_mito_predict.prediction import predict
from napari_mito_predict.training import train
from napari_mito_predict.training.config import TrainingConfig
from napari_mito_predict.training.config_parts import NetworkConfig
from napari_mito_predict.training.presets import PRESETS

SMALL = {"kind": "gvtnet", "depth": 2, "base_channels": 4, "momentum": 0.1}
MINIMAL = {"targets": {"mitochondria": "TMRM"}, "data": {"files": ["a.czi"]}, "output": "run"}


def test_a_run_learns_and_leaves_a_verified_model(fields, make_config) -> None:
    run = train(make_config(fields, "run", network=SMALL, iterations=20, validate_every=10, learning_rate=1e-2))
    assert run.status.state == "done"
    rows = [row for row in run.metrics if "val_pcc" in row]
    assert rows[-1]["val_pcc"] > 0.5
    architecture = run.model.card.architecture
    assert architecture.kind == "gvtnet"
    assert architecture.arguments["attention"] == "linear"
    assert "convs_per_level" not in architecture.arguments
    assert verify_model(run.model_folder).passed


def test_it_is_fine_tuned_and_predicts_by_tiles(fields, make_config) -> None:
    first = train(make_config(fields, "first", network=SMALL, iterations=4, validate_every=2, name="first"))
    start = {"network": None, "start_from": str(first.model_folder)}
    tuned = train(make_config(fields, "tuned", iterations=4, validate_every=2, name="tuned", **start))
    assert tuned.model.card.training.start_from == "first"
    assert tuned.model.card.architecture == first.model.card.architecture
    model = load_model(tuned.model_folder)
    volume = tuned.model.network(_noise())[0, 0].numpy()
    whole, tiled = (
        predict(volume, model, device="cpu", precision="32", tile=tile)["mitochondria"].data
        for tile in ("whole", (64, 16, 16))
    )
    assert abs(tiled - whole).max() <= 1e-4 * whole.std()


def _noise() -> torch.Tensor:
    return torch.randn(1, 1, 8, 56, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def planes(tmp_path, write_field):
    """A folder of three fields of one plane each."""
    for i in range(3):
        light = np.random.default_rng(i).normal(1000, 100, (40, 44))
        write_field(tmp_path / f"plane{i}.ome.tif", np.stack([light, 2000 - light]), ["TL", "TMRM"], axes="CYX")
    return tmp_path


@pytest.mark.parametrize("threads", [1, None])
def test_planes_and_softmax_are_learned_too(planes, make_config, threads) -> None:
    """With one thread and few channels, oneDNN spoiled memory where a shortcut had its stride in the convolution."""
    network = SMALL | {"attention": "softmax", "heads": 2, "up": "v2"}
    changes = {"iterations": 2, "validate_every": 2, "patch": (16, 16), "network": network, "threads": threads}
    run = train(make_config(planes, "flat", **changes))
    assert run.model.card.architecture.arguments["ndim"] == 2
    assert verify_model(run.model_folder).passed


def test_a_training_leaves_the_threads_of_its_caller_alone(planes, make_config) -> None:
    before = torch.get_num_threads()
    changes = {"iterations": 2, "validate_every": 2, "patch": (16, 16), "network": SMALL, "threads": before + 1}
    train(make_config(planes, "threads", **changes))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_survive_a_round_trip(name) -> None:
    config = TrainingConfig.parse(MINIMAL | {"preset": name})
    assert TrainingConfig.parse(config.model_dump(mode="json")) == config


def test_presets_of_the_papers() -> None:
    published = TrainingConfig.parse(MINIMAL | {"preset": "gvtnet"})
    assert published.network == NetworkConfig(kind="gvtnet", depth=4, base_channels=32)
    assert (published.batch_size, published.betas, published.learning_rate) == (16, (0.5, 0.999), 1e-3)
    assert (published.iterations, published.patch) == (100_000, None)
    deep = TrainingConfig.parse(MINIMAL | {"preset": "paper-deep"})
    assert deep.network == NetworkConfig(kind="unet", depth=5, base_channels=32)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"kind": "gvtnet", "convs_per_level": 2}, "a gvtnet has no 'convs_per_level'"),
        ({"attention": "linear"}, "a unet has no 'attention'"),
        ({"kind": "gvtnet", "heads": 3}, "multiple of 'heads'"),
        ({"kind": "gvtnet", "attentoin": "linear"}, "did you mean 'attention'"),
    ],
)
def test_keys_of_the_other_network_are_refused(network, message) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainingConfig.parse(MINIMAL | {"network": network})


def test_the_request_of_a_unet_is_written_as_before() -> None:
    """Runs that began without these keys can go on."""
    assert set(NetworkConfig().model_dump()) == {"kind", "ndim", "depth", "base_channels", "convs_per_level"}
