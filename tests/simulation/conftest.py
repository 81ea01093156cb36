from __future__ import annotations

import dataclasses

import pytest

from napari_mito_predict.simulation import Conditions, SimulatedImage, simulate_stack


@pytest.fixture(scope="session")
def quiet() -> Conditions:
    """A microscope so good that shot noise and detectors do not matter."""
    return dataclasses.replace(Conditions.matched(), photons=1e6, tl_read_noise=0.0, stripe=0.0)


@pytest.fixture(scope="session")
def stack(quiet: Conditions) -> SimulatedImage:
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    return simulate_stack(3, quiet, (16, 64, 64))
