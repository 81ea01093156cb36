from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from napari_mito_predict.errors import SimulationError
from napari_mito_predict.simulation import Conditions

FINE = (0.15, 0.055, 0.055)


def _rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_default_detector_changes_nothing() -> None:
    assert Conditions.matched() == Conditions()
    drawn = Conditions.matched(_rng())
    assert Conditions.matched(_rng(), "confocal", (0.15, 0.11, 0.11)) == drawn
    assert set(json.loads(drawn.to_json())) == {
        field.name for field in dataclasses.fields(Conditions) if field.name not in ("detector", "counts_per_photon")
    }, "files written before there was a choice of detectors must still be recognised"


def test_airyscan_is_sharper_and_noisier() -> None:
    confocal, airyscan = Conditions.matched(_rng(), "confocal", FINE), Conditions.matched(_rng(), "airyscan", FINE)
    assert airyscan.pinhole_um < confocal.pinhole_um
    assert max(airyscan.peak_photons) < max(confocal.peak_photons)
    assert airyscan.photons == confocal.photons, "both have the same detector of transmitted light"
    assert json.loads(airyscan.to_json())["detector"] == "airyscan"


def test_photons_of_a_pixel_go_with_its_area() -> None:
    native, fine = Conditions.matched(_rng()), Conditions.matched(_rng(), voxel_size_um=FINE)
    coarse = Conditions.matched(_rng(), voxel_size_um=(0.15, 0.22, 0.22))
    for factor, other in ((1 / 4, fine), (4, coarse)):
        assert other.photons == pytest.approx(factor * native.photons)
        assert other.peak_photons == pytest.approx([factor * peak for peak in native.peak_photons])
        noise = [factor**0.5 * noise for noise in native.fluorescence_read_noise]
        assert other.fluorescence_read_noise == pytest.approx(noise)
    assert max(coarse.peak_photons) * coarse.counts_per_photon < 30000, "bright structures must not saturate"


def test_the_z_step_does_not_change_the_light() -> None:
    thin = Conditions.matched(_rng(), voxel_size_um=(0.05, 0.11, 0.11))
    assert thin == dataclasses.replace(Conditions.matched(_rng()), voxel_size_um=(0.05, 0.11, 0.11))


def test_unknown_detector_is_refused() -> None:
    with pytest.raises(SimulationError, match="camera"):
        Conditions.matched(detector="camera")  # type: ignore[arg-type]
