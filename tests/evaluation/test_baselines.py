"""What a score has to beat, and what it cannot pass."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation import BlurredInput, MeanTruth, noise_ceiling, pcc


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
