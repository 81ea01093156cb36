"""What a score has to beat, and what it cannot pass."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation import BlurredInput, LocalContrast, MeanTruth, noise_ceiling, pcc


def test_blur_and_sign_are_found() -> None:
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(3):
        given = rng.standard_normal((64, 64))
        pairs.append((given, -gaussian_filter(given, 4.0)))
    baseline = BlurredInput.fit(pairs)
    assert (baseline.sigma, baseline.sign) == (4.0, -1)
    assert pcc(baseline(pairs[0][0]), pairs[0][1]) > 0.99


def test_constant_truth_does_no_harm() -> None:
    given = np.random.default_rng(0).standard_normal((4, 32, 32)).astype(np.float16)
    assert BlurredInput.fit([(given, np.zeros_like(given))])(given).shape == given.shape


def test_the_mean_truth_leaves_the_field_out() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(4, 16, 16))
    truths = [100 * i + 10 * i * (shared + rng.normal(0, 0.5, shared.shape)) for i in range(1, 5)]
    mean = MeanTruth(shared.shape)
    for truth in truths:
        mean.add(truth)
    others = np.mean([(t - t.mean()) / t.std() for t in truths[1:]], axis=0)
    np.testing.assert_allclose(mean.without(truths[0]), others, atol=1e-9)
    assert pcc(mean.without(truths[0]), truths[0]) > 0.8


def test_one_field_has_no_others() -> None:
    mean = MeanTruth((4, 4))
    mean.add(np.eye(4))
    with pytest.raises(EvaluationError, match="two fields"):
        mean.without(np.eye(4))


def test_constant_and_missing_values_do_not_spoil_the_mean() -> None:
    mean = MeanTruth((2, 3))
    image = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]])
    mean.add(image)
    mean.add(np.full((2, 3), 7))
    assert np.isfinite(mean.without(image)).all()


@pytest.mark.parametrize("noise", [0.3, 1.0, 2.0])
def test_the_noise_ceiling_is_what_a_noise_free_prediction_reaches(noise: float) -> None:
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(20, 64, 64))
    repeats = [clean + rng.normal(0, noise, clean.shape) for _ in range(3)]
    reached = np.mean([pcc(clean, repeat) for repeat in repeats])
    assert noise_ceiling(repeats) == pytest.approx(reached, abs=0.01)
    assert noise_ceiling(repeats[:2]) == pytest.approx(1 / np.sqrt(1 + noise**2), abs=0.01)


def test_the_noise_ceiling_of_unrelated_repeats_is_unknown() -> None:
    image = np.random.default_rng(0).normal(size=(8, 8))
    assert np.isnan(noise_ceiling([image, -image]))
    with pytest.raises(EvaluationError, match="two repeats"):
        noise_ceiling([image])


@pytest.mark.parametrize("window", [5, 15])
@pytest.mark.parametrize("sign", [1, -1])
def test_window_and_sign_of_the_local_contrast_are_found(window: int, sign: int) -> None:
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(2):
        amplitude = 1 + 5 * (gaussian_filter(rng.normal(size=(96, 96)), 6) > 0.01)
        given = 3000 + amplitude * rng.normal(size=(96, 96))
        pairs.append((given, sign * LocalContrast(window, 1)(given) + rng.normal(0, 0.01, given.shape)))
    assert LocalContrast.fit(pairs) == LocalContrast(window, sign)


def test_local_contrast_is_the_standard_deviation_in_a_square() -> None:
    given = np.random.default_rng(0).normal(1e5, 1, (2, 24, 30)).astype(np.float32)
    found = LocalContrast(5, -1)(given)
    assert (found.shape, found.dtype) == (given.shape, np.float32)
    for t, y, x in [(0, 2, 2), (1, 12, 20), (1, 21, 27)]:
        square = given[t, y - 2 : y + 3, x - 2 : x + 3].astype(np.float64)
        assert found[t, y, x] == pytest.approx(-square.std(), rel=1e-4)
    border = np.pad(given[0].astype(np.float64), 2, mode="symmetric")[:5, :5]
    assert found[0, 0, 0] == pytest.approx(-border.std(), rel=1e-4)


def test_local_contrast_of_missing_and_constant_values_is_finite() -> None:
    given = np.full((20, 20), 7.0)
    assert not LocalContrast(5, 1)(given).any()
    given[3, 3] = np.nan
    assert np.isfinite(LocalContrast(5, 1)(given)).all()
    assert np.isfinite(LocalContrast(5, 1)(np.full((20, 20), np.nan))).all()


def test_a_missing_value_does_not_spread_in_the_blur() -> None:
    light = np.random.default_rng(0).normal(5, 1, (2, 40, 40))
    whole = BlurredInput(4.0, 1)(light)
    light[0, 20, 20] = np.nan
    np.testing.assert_allclose(BlurredInput(4.0, 1)(light), whole, atol=0.05)
    assert not BlurredInput(4.0, -1)(np.full((8, 8), np.nan)).any()


def test_the_mean_of_fields_that_are_not_left_out() -> None:
    mean = MeanTruth((2, 2))
    with pytest.raises(EvaluationError, match="at least one"):
        _ = mean.value
    mean.add(np.array([[0.0, 2.0], [2.0, 0.0]]))
    mean.add(np.array([[10.0, 30.0], [10.0, 30.0]]))
    np.testing.assert_allclose(mean.value, [[-1, 1], [0, 0]])
