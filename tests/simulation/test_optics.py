from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_mito_predict.errors import MissingExtraError, SimulationError
from napari_mito_predict.simulation import Conditions
from napari_mito_predict.simulation.conditions import N_MEDIUM
from napari_mito_predict.simulation.optics import fluorescence, transmitted_light

pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")

FINE = dataclasses.replace(Conditions.matched(), voxel_size_um=(0.05, 0.03, 0.03))


def _full_width(profile: npt.NDArray[np.float32], step_um: float) -> float:
    """Full width at half maximum, interpolated linearly."""
    fine = np.linspace(0, len(profile) - 1, 20001)
    bright = fine[np.interp(fine, np.arange(len(profile)), profile) >= profile.max() / 2]
    return float((bright[-1] - bright[0]) * step_um)


@pytest.fixture(scope="module")
def point_image() -> npt.NDArray[np.float32]:
    point = np.zeros((65, 97, 97), np.float32)
    point[32, 48, 48] = 1
    return fluorescence(point, 0.58, FINE)


def test_confocal_resolution_of_a_63x_oil_lens(point_image: npt.NDArray[np.float32]) -> None:
    assert _full_width(point_image[32, 48], 0.03) == pytest.approx(0.17, abs=0.015)
    assert _full_width(point_image[:, 48, 48], 0.05) == pytest.approx(0.44, abs=0.03)


def test_confocal_image_keeps_all_light(point_image: npt.NDArray[np.float32]) -> None:
    assert point_image.sum() == pytest.approx(1, abs=0.01)
    uniform = fluorescence(np.full((24, 64, 64), 3, np.float32), 0.54, Conditions.matched())
    np.testing.assert_allclose(uniform, 3, rtol=1e-4)


def test_wider_pinhole_blurs(point_image: npt.NDArray[np.float32]) -> None:
    point = np.zeros((65, 97, 97), np.float32)
    point[32, 48, 48] = 1
    wide = fluorescence(point, 0.58, dataclasses.replace(FINE, pinhole_um=0.5))
    assert wide.max() < 0.9 * point_image.max()


def test_empty_medium_is_bright_field() -> None:
    empty = np.full((16, 32, 32), N_MEDIUM, np.float32)
    np.testing.assert_allclose(transmitted_light(empty, Conditions.matched()), 1, atol=1e-5)


def test_missing_waveorder_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install napari-mito-predict\[simulate\]"):
        transmitted_light(np.full((16, 32, 32), N_MEDIUM, np.float32), Conditions.matched())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"na_detection": 1.4}, r"numerical aperture of detection is 1\.4"),
        ({"na_illumination": 0.0}, "numerical aperture of illumination"),
        ({"voxel_size_um": (0.15, 0.0, 0.11)}, "voxel size is 0"),
        ({"photons": -5.0}, "number of photons is -5"),
    ],
)
def test_impossible_optics_are_refused(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(SimulationError, match=named):
        dataclasses.replace(FINE, **wrong)
