"""On a real accelerator: the same answer as on the processor, and nothing left behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_mito_predict.models import Model, Normalisation
from napari_mito_predict.prediction import RunContext, normalize, plan_prediction, predict, run
from napari_mito_predict.prediction.on_device import statistics
from napari_mito_predict.prediction.on_device.resample import resampled
from napari_mito_predict.prediction.on_device.transfers import Transfers
from napari_mito_predict.prediction.resample import Resampling

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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f2", "f4", "f8"])
def test_volumes_are_measured_and_resampled_as_in_main_memory(dtype):
    volume = np.random.default_rng(0).gamma(2, 60, (9, 300, 310)).clip(0, 250).astype(dtype)
    ways = Transfers(torch.device("cuda"))
    with ways.preparing():
        tensor = ways.upload(volume)
        found = statistics.measure(tensor, Normalisation(), where="")
        smaller = resampled(statistics.as_float(tensor), Resampling.between(volume.shape, (12, 210, 250)))
    expected = normalize.measure(volume, Normalisation())
    assert (found.low, found.high) == (expected.low, expected.high)
    assert (found.offset, found.scale) == pytest.approx((expected.offset, expected.scale), rel=1e-12)
    whole = Resampling.between(volume.shape, (12, 210, 250)).whole(normalize.as_float(volume))
    assert np.abs(smaller.cpu().numpy() - whole).max() < 1e-4 * volume.std()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
@pytest.mark.parametrize("voxel_size_um", [(0.3, 0.1, 0.1), (0.3, 0.07, 0.08), (0.3, 0.15, 0.12)])
def test_what_stays_on_the_device_is_what_comes_window_by_window(model, volume, voxel_size_um):
    series = np.stack([volume, volume[::-1]])
    plan = plan_prediction(series, model, voxel_size_um=voxel_size_um, device="cuda", precision="32")
    expected = run(plan, RunContext(keep_on_device=False)).predict()["mitochondria"].data
    found = run(plan).predict()["mitochondria"].data
    assert np.abs(found - expected).max() <= 1e-2 * expected.std()
