"""What was never recorded is left out of the statistics of an image, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mito_predict.image.blank import blank_area, blank_planes, recorded
from napari_mito_predict.models import Normalisation
from napari_mito_predict.prediction.normalize import measure


def sound(seed: int = 0, shape: tuple[int, ...] = (8, 40, 40), dtype: type = np.uint16) -> np.ndarray:
    return np.random.default_rng(seed).normal(2000, 150, shape).round().astype(dtype)


@pytest.mark.parametrize(
    "volume",
    [
        sound(),
        sound(dtype=np.float32),
        sound(shape=(2, 40, 40)),
        sound(shape=(40, 40)),
        np.random.default_rng(0).random((5, 40, 40)) > 0.5,
        np.random.default_rng(0).integers(0, 4, (6, 40, 40)).astype(np.uint8),
        np.random.default_rng(0).poisson(0.3, (16, 40, 40)).astype(np.uint16),
        np.zeros((8, 40, 40), np.uint16),
    ],
    ids=["integers", "real numbers", "two planes", "one plane", "yes or no", "four values", "few photons", "nothing"],
)
def test_sound_images_stay_as_they_are(volume: np.ndarray) -> None:
    assert recorded(volume) is volume


@given(st.integers(0, 30), st.integers(0, 30), st.integers(8, 40), st.sampled_from([0, 100, 65535]), st.integers(0, 3))
def test_statistics_are_those_of_the_rest(y: int, x: int, size: int, fill: int, planes: int) -> None:
    volume = sound()
    area = np.zeros(volume.shape[1:], bool)
    area[y : y + size, x : x + size] = True
    if area.all():
        return
    volume[:, area] = fill
    volume[:planes] = fill
    rest = volume[planes:, ~area]
    for normalisation in (Normalisation(), Normalisation(clip_percentiles=None)):
        found = measure(volume, normalisation)
        expected = measure(rest[:, None], normalisation, only_recorded=False)
        assert found.offset == pytest.approx(expected.offset)
        assert found.scale == pytest.approx(expected.scale)


def test_planes_and_area_are_found() -> None:
    volume = sound()
    volume[:, :, :5] = 0
    volume[3] = 7
    assert blank_planes(volume).nonzero()[0].tolist() == [3]
    area = blank_area(np.delete(volume, 3, axis=0))
    assert area is not None
    assert area[:, :5].all()
    assert not area[:, 5:].any()
    assert blank_area(sound()) is None
