"""What needs no network is fitted to each target by itself."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict.evaluation import pcc
from napari_mito_predict.training.baselines import fit_baselines, predict_without_network
from napari_mito_predict.training.pairs import Pair


@pytest.mark.parametrize("shape", [(40, 44), (6, 40, 44)])
def test_each_target_has_its_own_sign(shape: tuple[int, ...]) -> None:
    light = np.random.default_rng(0).standard_normal(shape).astype(np.float16)
    pair = Pair("f", light, np.stack([light, -light]))
    predicted = predict_without_network(fit_baselines([pair])["blurred input"], pair.input)
    assert predicted.shape == (2, *shape)
    for prediction, truth in zip(predicted, pair.truth, strict=True):
        assert pcc(prediction, truth) > 0.99
