"""One kind of field per run, unless one model of both is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.image import from_array, open_image
from napari_mito_predict.prediction import predict
from napari_mito_predict.training import train
from napari_mito_predict.training.data import FieldReader

SPLIT = {"test": ["field0", "series0"], "validation": ["field1", "series1"]}


@pytest.fixture
def both(fields: Path, write_field) -> Path:
    """Four z-stacks, and four time series of as many frames."""
    for i in range(4):
        light = np.random.default_rng(10 + i).normal(1000, 100, (16, 40, 44))
        data = np.stack([light, 2000 - light], axis=1)
        write_field(fields / f"series{i}.ome.tif", data, ["TL", "TMRM"], axes="TCYX")
    return fields


def test_stacks_and_series_together_are_refused_unless_asked_for(both: Path, make_config) -> None:
    with pytest.raises(TrainingDataError, match=r"series\d: a time series, but field\d is a z-stack.*third_axes"):
        train(make_config(both, "run", split=SPLIT, iterations=1))
    with pytest.raises(TrainingDataError, match=r"field\d: a z-stack, but `third_axes` asks for a time series"):
        train(make_config(both, "run2", split=SPLIT, iterations=1, third_axes=["t"]))


def test_one_model_of_stacks_and_series(both: Path, make_config) -> None:
    config = make_config(both, "run", split=SPLIT, iterations=4, third_axes=["z", "t"])
    reader = FieldReader(config)
    assert reader.sampling.third_axes == ("z", "t")
    assert reader.sampling.steps == {"z": 0.15}  # these series do not know their time step
    run = train(config)
    model = run.model
    assert model.third_axes == ("z", "t")
    assert model.voxel_size_um == (0.15, 0.11, 0.11)
    assert model.card.metrics["mitochondria, test fields"]["fields"] == 2
    stack = predict(open_image(both / "field0.ome.tif"), model, channel=0)["mitochondria"]
    series = predict(open_image(both / "series0.ome.tif"), model, channel=0)["mitochondria"]
    assert (stack.output.axes, stack.data.shape) == ("ZYX", (12, 40, 44))
    assert (series.output.axes, series.data.shape) == ("TZYX", (16, 1, 40, 44))
    frames = open_image(both / "series0.ome.tif").lazy(0)[:, 0].compute()
    alone = predict(from_array(frames, axes="TYX", voxel_size_um=(None, 0.11, 0.11)), model)["mitochondria"]
    np.testing.assert_allclose(alone.data, series.data, atol=1e-4)
