"""Small fields keep their pixels: the sample, the bundled models and everybody's finished files depend on them."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_mito_predict.simulation import Conditions, SimulatedImage, simulate_series, simulate_stack

pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")

RECORDED_WITH = "numpy 2.4.6, scipy 1.17.1, torch 2.13.0+cpu, waveorder 3.0.2, AVX512, GenuineIntel"
DIGESTS = {
    "stack": "246fa783449853d8209b85271eade373b03bfa715229fc0dfc956225eab19fe4",
    "series": "ac5afe6131d4a2d073ecf4a923bf3b138f0fa22f24605fdce0aa08404b6eff27",
}
STATISTICS = {  # mean and standard deviation of the image and of each part of the truth
    "stack": (
        *(5325.14, 4881.12, 0.371964, 0.462591, 0.68585, 0.426809),
        *(3.08354, 5.82828, 16.6717, 16.9457, 0.0847594, 1.52602),
    ),
    "series": (
        *(5986.94, 4516.54, 0.889475, 0.256021, 0.999995, 1.19209e-07),
        *(5.48754, 5.90608, 34.1384, 13.4162, 0.0700399, 0.432042),
    ),
}


@pytest.fixture(scope="module", params=["stack", "series"])
def named(request: pytest.FixtureRequest) -> tuple[str, SimulatedImage]:
    if request.param == "stack":
        return "stack", simulate_stack(3, Conditions.matched(), (16, 64, 64))
    return "series", simulate_series(3, Conditions.matched(), frames=2, step_s=10.0, shape_yx=(64, 64))


def _arrays(image: SimulatedImage) -> list[np.ndarray]:
    return [image.data, *(getattr(image.truth, field.name) for field in dataclasses.fields(image.truth))]


def _setup() -> str:
    """Everything that rounding depends on."""
    libraries = [f"{name} {version(name)}" for name in ("numpy", "scipy", "torch", "waveorder")]
    cpu = Path("/proc/cpuinfo")
    vendor = re.search(r"vendor_id\s*: (\w+)", cpu.read_text()) if cpu.exists() else None
    return ", ".join([*libraries, torch.backends.cpu.get_cpu_capability(), vendor[1] if vendor else "unknown"])


def test_every_bit_is_as_recorded(named: tuple[str, SimulatedImage]) -> None:
    if _setup() != RECORDED_WITH:
        pytest.skip(f"recorded with {RECORDED_WITH}; others round differently")
    name, image = named
    digest = hashlib.sha256()
    for array in _arrays(image):
        digest.update(np.ascontiguousarray(array).tobytes())
    assert digest.hexdigest() == DIGESTS[name]


def test_means_and_spreads_are_as_recorded(named: tuple[str, SimulatedImage]) -> None:
    name, image = named
    found = [float(statistic(array)) for array in _arrays(image) for statistic in (np.mean, np.std)]
    np.testing.assert_allclose(found, STATISTICS[name], rtol=1e-3, atol=1e-5)
