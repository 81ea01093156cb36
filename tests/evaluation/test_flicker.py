"""Flicker: noise of known size in series of known motion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation import Flicker, StreamingFlicker, flicker

T = 9


@pytest.fixture
def still() -> np.ndarray:
    """(T, Y, X), all time points alike, of standard deviation 1; blobs of some 10 pixels."""
    plane = gaussian_filter(np.random.default_rng(0).standard_normal((80, 90)), 5)
    return np.repeat((plane / plane.std())[None], T, axis=0)


def coarse_noise(shape, size, seed=1):
    """Noise of standard deviation `size`, of structures that smoothing hardly changes, new at each time point."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), (0, 6, 6))
    return noise * size / noise.std()


def test_nothing_changes(still):
    assert flicker(still).prediction == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("size", [0.1, 0.3])
def test_noise_of_a_known_part_of_the_contrast(still, size):
    found = flicker(still + coarse_noise(still.shape, size)).prediction
    assert found == pytest.approx(size / math.hypot(1, size), rel=0.1)


def test_time_points_that_have_nothing_to_do_with_each_other(still):
    assert flicker(coarse_noise(still.shape, 1)).prediction == pytest.approx(1, abs=0.1)


def test_change_at_an_even_pace_is_no_flicker(still):
    """Bleaching, and structures that grow; in front of it, noise is what it was."""
    pace = np.arange(T)[:, None, None]
    noise = coarse_noise(still.shape, 0.2)
    changing = still + 0.1 * pace * still[:, ::-1]
    assert flicker(changing).prediction < 1e-6
    contrast = changing.var(axis=(1, 2)).mean() ** 0.5
    assert flicker(changing + noise).prediction == pytest.approx(0.2 / math.hypot(contrast, 0.2), rel=0.15)


def test_slow_motion_is_hardly_flicker(still):
    moving = np.stack([np.roll(plane, t, axis=1) for t, plane in enumerate(still)])[:, :, 20:]
    assert flicker(moving).prediction < 0.03
    change = math.sqrt(np.square(np.diff(moving, axis=0)).mean() / 2)
    assert change > 4 * flicker(moving).prediction, "the change itself is many times that"


def test_noise_of_single_pixels_hardly_counts(still):
    noise = np.random.default_rng(1).standard_normal(still.shape)
    assert 0.03 < flicker(still + 0.3 * noise).prediction < 0.06
    fine = flicker(still + 0.3 * noise, voxel_size_um=(None, 1.0, 1.0)).prediction
    assert fine > 0.2, "pixels of 1 um are no noise that smoothing takes away"


def test_brightness_and_contrast_are_of_no_matter(still):
    series = still + coarse_noise(still.shape, 0.2)
    assert flicker(1000 + 7 * series).prediction == pytest.approx(flicker(series).prediction, rel=1e-4)


def test_a_lamp_that_flickers_does_not_count_in_the_light(still):
    lamp = 1 + 0.2 * np.random.default_rng(0).standard_normal((T, 1, 1))
    light = lamp * (still + 5)
    assert flicker(still, light).light < 1e-5
    assert flicker(light).prediction > 0.3


def test_beside_light_and_truth(still):
    found = flicker(still + coarse_noise(still.shape, 0.3), still + coarse_noise(still.shape, 0.2), still)
    assert found.beyond_light == pytest.approx(math.sqrt(found.prediction**2 - found.light**2))
    assert found.beyond_truth == pytest.approx(found.prediction, rel=1e-6)
    assert Flicker(0.1, light=0.2).beyond_light == 0
    assert math.isnan(Flicker(0.1).beyond_truth)


def test_stacks_are_planes_one_by_one(still):
    series = np.stack([still + coarse_noise(still.shape, 0.1), still + coarse_noise(still.shape, 0.3, 2)], axis=1)
    one, other = (flicker(series[:, z]).prediction for z in (0, 1))
    assert one < flicker(series).prediction < other


@pytest.mark.parametrize(
    "order", [(4, 0, 1, 2, 3, 5, 6, 7, 8), (8, 7, 6, 5, 4, 3, 2, 1, 0), (0, 2, 4, 6, 8, 1, 3, 5, 7)]
)
def test_time_points_in_any_order(still, order):
    series = still + coarse_noise(still.shape, 0.3)
    streaming = StreamingFlicker()
    for t in order:
        streaming.add(series[t], t)
    assert streaming.value == pytest.approx(flicker(series).prediction, rel=1e-9)


def test_three_planes_are_held(still):
    streaming = StreamingFlicker()
    for t, plane in enumerate(still):
        streaming.add(plane, t)
        assert len(streaming._waiting[0]) <= 2


def test_what_is_not_finite_is_left_out(still):
    series = still + coarse_noise(still.shape, 0.3)
    expected = flicker(series[:, :, 30:]).prediction
    series[3, :, :10] = np.nan
    assert flicker(series).prediction == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("series", [np.zeros((5, 8, 8)), np.ones((2, 8, 8)), np.full((4, 8, 8), np.nan)])
def test_nothing_to_measure(series):
    found = flicker(series, series, series)
    assert all(map(math.isnan, (found.prediction, found.light, found.truth, found.beyond_light)))


def test_shapes_have_to_be_those_of_series(still):
    with pytest.raises(EvaluationError, match=r"truth .* different shapes"):
        flicker(still, truth=still[1:])
    with pytest.raises(EvaluationError, match="time points before y and x"):
        flicker(still[0])
