"""Half precision only where it gives what single precision gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_mito_predict.evaluation import pcc
from napari_mito_predict.models import bundled_names, load_model
from napari_mito_predict.models.package import Sample
from napari_mito_predict.prediction import plan_prediction, predict
from napari_mito_predict.prediction.device import Device
from napari_mito_predict.prediction.precision import LOWEST, agreement, checked

HALF = Device("cpu", "processor", "bf16", "for a test")


@pytest.mark.parametrize("name", [*bundled_names("z"), *bundled_names("t")])
def test_bundled_models_may_be_computed_in_bfloat16(name):
    found = agreement(load_model(name), HALF)
    assert found is not None
    assert LOWEST <= found < 1


def _with_sample(model, wrong: float = 0.0):
    given = np.random.default_rng(0).normal(size=(1, 8, 16, 16)).astype(np.float32)
    with torch.inference_mode():
        expected = model.network(torch.from_numpy(given)[None])[0].numpy()
    return replace(model, sample=Sample(given, expected + wrong * given))


def test_a_model_that_suffers_is_computed_in_single_precision(make_model, make_unet, noise, monkeypatch):
    good = _with_sample(make_model(make_unet(), name="good"))
    bad = _with_sample(make_model(make_unet(seed=1), name="bad"), wrong=0.1)
    assert checked(HALF, [good]) == (HALF, [])
    device, (finding,) = checked(HALF, [good, bad])
    assert device.precision == "32"
    assert finding.message.startswith("bad would give other values in bf16")
    monkeypatch.setattr("napari_mito_predict.prediction.plan.choose_device", lambda device, precision: HALF)
    volume = noise(8, 32, 32)
    assert plan_prediction(volume, bad, precision="auto").device.precision == "32"
    assert plan_prediction(volume, bad, precision="bf16").device.precision == "bf16", "who asks for it, gets it"


def test_it_stays_on_the_device_that_was_chosen(make_model, make_unet, monkeypatch):
    monkeypatch.setattr("napari_mito_predict.prediction.precision.agreement", lambda model, device: 0.5)
    second = Device("cuda", "the second GPU", "bf16", "as asked for.", index=1)
    device, _ = checked(second, [make_model(make_unet(), name="bad")])
    assert (device.kind, device.index, device.name, device.precision) == ("cuda", 1, "the second GPU", "32")
    assert device.reason == "as asked for. bad needs single precision."


def test_without_a_sample_the_device_decides(make_model, make_unet):
    assert agreement(make_model(make_unet()), HALF) is None


def test_it_is_found_out_once(make_model, make_unet, monkeypatch):
    model = _with_sample(make_model(make_unet()))
    first = agreement(model, HALF)
    monkeypatch.setattr("napari_mito_predict.prediction.precision.Forward", None)
    assert agreement(model, HALF) == first


@pytest.mark.parametrize("name", ["mito-z", "dna-z"])
def test_on_an_image_the_two_precisions_agree(name):
    """On the sample image, not the sample that decides."""
    from importlib.resources import files

    from napari_mito_predict.image import open_image

    image = open_image(str(files("napari_mito_predict") / "_sample" / "simulated_cell.czi"))
    light = image.read()[8:24, 96:160, 96:160]  # a processor without instructions for bfloat16 is slow with it
    model = load_model(name)
    found = []
    for precision in ("32", "bf16"):
        predicted = predict(light, model, voxel_size_um=image.voxel_size_um, device="cpu", precision=precision)
        found.append(predicted[model.targets[0]].data)
    assert pcc(*found) >= LOWEST
