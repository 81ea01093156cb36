"""On a real accelerator: the same answer as on the processor, and nothing left behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_mito_predict.models import Model
from napari_mito_predict.prediction import plan_prediction, predict, run

KINDS = [
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")),
    pytest.param("mps", marks=pytest.mark.skipif(not torch.backends.mps.is_available(), reason="no Apple GPU here")),
]


@pytest.fixture
def model(tiny_card, tiny_network):
    return Model(tiny_card, tiny_network)


@pytest.fixture
def volume():
    return np.random.default_rng(0).integers(100, 4000, (18, 130, 101), dtype=np.uint16)


@pytest.mark.parametrize("kind", KINDS)
def test_same_as_on_the_processor(model, volume, kind):
    expected = predict(volume, model, device="cpu", precision="32", tile="whole")["mitochondria"].data
    whole = predict(volume, model, device=kind, precision="32", tile="whole")["mitochondria"].data
    tiled = predict(volume, model, device=kind, precision="32", tile=(64, 48, 48))["mitochondria"].data
    # cuDNN may use TF32 in convolutions (10 bits), so that the processor differs by more than tiles among themselves.
    assert np.abs(whole - expected).max() <= 2e-2 * expected.std()
    assert np.abs(tiled - whole).max() <= 1e-2 * expected.std()


@pytest.mark.parametrize("kind", KINDS)
def test_automatic_precision_stays_close(model, volume, kind):
    expected = predict(volume, model, device="cpu", precision="32")["mitochondria"].data
    found = predict(volume, model, device=kind)["mitochondria"].data
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_stays_on_the_device(model, volume, kind):
    backend = {"cuda": torch.cuda, "mps": torch.mps}[kind]
    allocated = torch.cuda.memory_allocated if kind == "cuda" else torch.mps.current_allocated_memory
    predict(volume, model, device=kind)
    backend.synchronize()
    before = allocated()
    blocks = run(plan_prediction(volume, model, device=kind, tile=(64, 48, 48))).blocks()
    next(blocks)
    blocks.close()
    backend.synchronize()
    assert allocated() <= before
    assert {p.device.type for p in model.network.parameters()} == {"cpu"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_real_lack_of_memory_is_survived(model, volume):
    expected = predict(volume, model, device="cuda", precision="32", tile="whole")["mitochondria"].data
    plan = plan_prediction(volume, model, device="cuda", precision="32", tile="whole")
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + 24 * 2**20) / total))
    try:
        found = run(plan).predict()["mitochondria"].data
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert np.abs(found - expected).max() <= 2e-2 * expected.std()
