"""Starting from models of other programs: with their normalisation, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_mito_predict.errors import TrainingError
from napari_mito_predict.image import open_image
from napari_mito_predict.models import (
    Architecture,
    Input,
    ModelCard,
    Normalisation,
    Target,
    Training,
    load_model,
    save_model,
)
from napari_mito_predict.networks import build_network
from napari_mito_predict.prediction import predict
from napari_mito_predict.prediction.normalize import measure, normalise
from napari_mito_predict.training import TrainingConfig, train
from napari_mito_predict.training.data import FieldReader
from napari_mito_predict.training.preflight import check_fields
from napari_mito_predict.training.validation import predict_pair

VOXEL = (0.15, 0.11, 0.11)
SMALL: dict[str, dict[str, Any]] = {
    "unet": {"ndim": 3, "depth": 1, "base_channels": 4},
    "unext2": {
        "in_stack_depth": 5,
        "widths": [4, 8],
        "depths": [1, 1],
        "decoder_blocks": 1,
        "head_expansion": 1,
        "out_channels": 1,
    },
}


@pytest.fixture
def start_from(make_config: Callable[..., TrainingConfig], fields: Path, tmp_path: Path) -> Callable[..., Any]:
    """Configurations that start from a model: ``start_from(kind, normalisation)``."""

    def make(kind: str, normalisation: Normalisation, **changes: Any) -> TrainingConfig:
        network = build_network(kind, SMALL[kind]).eval()
        card = ModelCard(
            name="theirs",
            title="theirs",
            targets=(Target(name="mitochondria", stain="TMRM"),),
            architecture=Architecture(kind=kind, arguments=SMALL[kind]),
            input=Input(voxel_size_um=VOXEL, third_axes=("z",), normalisation=normalisation),
            training=Training(data="not stated", pairs=None, iterations=None),
            simulated=None,
        )
        sample = np.random.default_rng(0).normal(size=(1, 6, 16, 16)).astype(np.float32)
        save_model(tmp_path / "theirs", card, network, sample)
        start = {"network": None, "start_from": str(tmp_path / "theirs"), "iterations": 2, "validate_every": 1}
        return make_config(fields, "run", **start | changes)

    return make


@pytest.mark.parametrize(
    "normalisation",
    [
        Normalisation(kind="robust"),
        Normalisation(kind="range", percentiles=(1.0, 99.0)),
        Normalisation(kind="fixed", offset=800.0, scale=50.0),
    ],
    ids=lambda normalisation: normalisation.kind,
)
def test_inputs_are_normalised_as_the_start_model_learnt_it(
    start_from: Callable[..., TrainingConfig], fields: Path, normalisation: Normalisation
) -> None:
    config = start_from("unet", normalisation)
    reader = FieldReader(config)
    (pair,), _ = reader.read(next(field for field in reader.all_fields if field.name.startswith("field0")))
    light = open_image(fields / "field0.ome.tif").read(0, 0)
    wanted = normalise(light, measure(light, normalisation))
    np.testing.assert_allclose(pair.input, wanted, rtol=2e-3, atol=1e-3)
    assert pair.truth.std() == pytest.approx(1, abs=0.01)

    start = load_model(config.start_from or "")
    expected = predict(light, start, voxel_size_um=VOXEL, device="cpu", precision="32")["mitochondria"].data
    validated = predict_pair(start, pair, VOXEL, precision="32")[0]
    assert np.corrcoef(validated.ravel(), expected.ravel())[0, 1] > 0.9999, "normalised once, not twice"
    assert train(config).model.card.input.normalisation == normalisation


def test_networks_for_predicting_only_are_refused_before_any_field_is_read(
    start_from: Callable[..., TrainingConfig],
) -> None:
    config = start_from("unext2", Normalisation(kind="robust"))
    with pytest.raises(TrainingError, match=r"theirs cannot be the start of a training.*\(unext2\).*unet, gvtnet"):
        train(config)
    with pytest.raises(TrainingError, match="theirs cannot be the start"):
        check_fields(config, lambda done, total, message: None)
