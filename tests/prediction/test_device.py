from __future__ import annotations

import pytest
import torch

from napari_mito_predict.errors import DeviceUnavailableError
from napari_mito_predict.prediction import choose_device, describe


@pytest.fixture
def machine(monkeypatch):
    """Pretend: ``machine(cuda=[(8, 0)], mps=False, bfloat16=False)``."""

    def pretend(cuda=(), mps=False, amx=False, avx=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cuda))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cuda))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: f"GPU {i}")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda i: cuda[i])
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda i: (2**30, 2**31))
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx, raising=False)

    pretend()
    return pretend


@pytest.mark.parametrize(
    ("hardware", "asked", "kind", "precision"),
    [
        ({}, "auto", "cpu", "32"),
        ({"avx": True}, "auto", "cpu", "bf16"),
        ({"amx": True}, "cpu", "cpu", "bf16"),
        ({"cuda": [(6, 1)]}, "auto", "cuda", "32"),
        ({"cuda": [(7, 5)]}, "auto", "cuda", "16"),
        ({"cuda": [(9, 0)]}, "cuda", "cuda", "bf16"),
        ({"mps": True, "avx": True}, "auto", "mps", "32"),
        ({"cuda": [(9, 0)], "mps": True}, "auto", "cuda", "bf16"),
    ],
)
def test_automatic(machine, hardware, asked, kind, precision):
    machine(**hardware)
    device = choose_device(asked)
    assert (device.kind, device.precision) == (kind, precision)
    assert device.torch_device.type == kind
    assert device.reason.endswith(".")
    assert choose_device(asked, "32").precision == "32"


def test_the_second_gpu(machine):
    machine(cuda=[(7, 0), (9, 0)])
    device = choose_device("cuda:1")
    assert (device.index, device.name, device.precision) == (1, "GPU 1", "bf16")
    assert device.torch_device == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("hardware", "device", "precision", "words"),
    [
        ({}, "cuda", "auto", "CUDA was asked for"),
        ({"cuda": [(8, 0)]}, "cuda:1", "auto", "only 1"),
        ({}, "mps", "auto", "not available"),
        ({}, "tpu", "auto", "not known"),
        ({}, "cpu:3", "auto", "not known"),
        ({"cuda": [(8, 0)]}, "cuda:x", "auto", "not known"),
        ({}, "cpu", "64", "not known"),
        ({}, "cpu", "16", "float16"),
        ({"cuda": [(7, 0)]}, "cuda", "bf16", "bfloat16"),
    ],
)
def test_what_is_not_there_is_refused(machine, hardware, device, precision, words):
    machine(**hardware)
    with pytest.raises(DeviceUnavailableError, match=words):
        choose_device(device, precision)


@pytest.mark.parametrize("hardware", [{}, {"cuda": [(9, 0)]}, {"mps": True}])
def test_the_description_ends_with_the_choice(machine, hardware):
    machine(**hardware)
    lines = describe()
    assert str(choose_device()) in lines[-1]
    assert any("GPU" in line for line in lines)


def test_the_description_of_this_machine():
    assert "torch" in describe()[0]
