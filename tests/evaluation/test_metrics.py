"""Metrics equal their definitions, and say NaN where they have no meaning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import linregress, pearsonr
from skimage.metrics import (
    mean_squared_error,
    normalized_root_mse,
    peak_signal_noise_ratio,
    structural_similarity,
)

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation import Scaling, evaluate, pcc, ssim_global


def _images(seed: int = 0, shape: tuple[int, ...] = (5, 24, 31)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2, 500, shape)
    return truth * 0.3 + rng.normal(0, 200, shape) + 50, truth


def _ssim_of_the_paper(x: np.ndarray, y: np.ndarray) -> float:
    """One mean, variance and covariance, c1 = (0.01 L)^2, c2 = (0.03 L)^2, L = 1."""
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    return ((2 * x.mean() * y.mean() + 1e-4) * (2 * covariance + 9e-4)) / (
        (x.mean() ** 2 + y.mean() ** 2 + 1e-4) * (x.var() + y.var() + 9e-4)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint16", ">u2", "int32", "uint8"])
def test_pcc_is_scipys(dtype: str) -> None:
    a, b = _images()
    a, b = np.clip(a, 0, 255).astype(dtype), np.clip(b / 10, 0, 255).astype(dtype)
    assert pcc(a, b) == pytest.approx(pearsonr(a.ravel().astype(float), b.ravel().astype(float))[0], abs=1e-6)


def test_global_ssim_is_the_formula() -> None:
    a, b = _images()
    scaled = []
    for image in (a, b):
        low, high = np.percentile(image, (0.1, 99.9))
        scaled.append((np.clip(image, low, high) - low) / (high - low))
    x, y = scaled
    assert ssim_global(a, b) == pytest.approx(_ssim_of_the_paper(x, y), abs=1e-9)


@pytest.mark.parametrize("source", ["random", "sample"])
def test_all_scores_are_those_of_scikit_image(source: str, sample: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = _images() if source == "random" else sample
    scores = evaluate(a, b)
    a, b = a.astype(float), b.astype(float)
    slope, intercept = linregress(a.ravel(), b.ravel())[:2]
    assert slope > 0
    fitted = intercept + slope * a
    ranges = [np.percentile(i, (0.1, 99.9)) for i in (a, b)]
    span = ranges[1][1] - ranges[1][0]
    assert scores.pcc == pytest.approx(pearsonr(a.ravel(), b.ravel())[0], abs=1e-6)
    assert scores.r2 == pytest.approx(1 - ((b - fitted) ** 2).sum() / ((b - b.mean()) ** 2).sum(), abs=1e-6)
    assert scores.nrmse == pytest.approx(math.sqrt(mean_squared_error(b, fitted)) / b.std(), abs=1e-6)
    euclidean = normalized_root_mse(b - b.mean(), fitted - b.mean())  # of the truth about its mean: the same
    assert scores.nrmse == pytest.approx(euclidean, abs=1e-6)
    assert scores.psnr == pytest.approx(peak_signal_noise_ratio(b, fitted, data_range=span), abs=1e-6)
    assert scores.mae == pytest.approx(np.abs(b - fitted).mean(), rel=1e-6)
    x, y = (np.clip((i - lo) / (hi - lo), 0, 1) for i, (lo, hi) in zip((a, b), ranges, strict=True))
    windowed = np.mean([structural_similarity(p, q, win_size=7, data_range=1.0) for p, q in zip(x, y, strict=True)])
    assert scores.ssim_windowed == pytest.approx(windowed, abs=1e-6)
    assert scores.ssim_global == pytest.approx(_ssim_of_the_paper(x, y), abs=1e-6)
    assert scores.voxels == a.size


def test_fitted_errors_hold_no_more_than_the_correlation() -> None:
    """Until version 0.1 r2 and nrmse compared z-scores, which made r2 = 2 r - 1: negative for r of 0.4.

    Both were a function of r alone, and so are these; but a fit is what mae and psnr need too, and one definition
    for all four is what a reader can follow.
    """
    a, b = _images()
    scores = evaluate(a, b)
    assert scores.r2 == pytest.approx(scores.pcc**2, abs=1e-9)
    assert scores.nrmse == pytest.approx(math.sqrt(1 - scores.pcc**2), abs=1e-9)


def test_an_inverted_prediction_is_not_repaired_by_the_fit() -> None:
    a, b = _images()
    scores = evaluate(-a, b)
    assert scores.pcc < -0.5
    assert (scores.r2, scores.nrmse) == pytest.approx((0, 1), abs=1e-9)


def test_a_perfect_prediction_in_other_units() -> None:
    _, b = _images()
    scores = evaluate(np.asarray(b * 0.5, np.float64) - 7, b)
    assert (scores.pcc, scores.ssim_global, scores.ssim_windowed, scores.r2) == pytest.approx((1, 1, 1, 1))
    assert scores.mae == pytest.approx(0, abs=1e-6)
    assert scores.psnr > 200
    exact = evaluate(np.arange(64.0).reshape(8, 8), np.arange(64.0).reshape(8, 8))
    assert exact.psnr > 200


def test_a_mask_leaves_voxels_out() -> None:
    a, b = _images()
    mask = np.random.default_rng(3).random(a.shape) > 0.4
    scores = evaluate(a, b, mask=mask)
    assert scores.voxels == mask.sum()
    assert scores.pcc == pytest.approx(pearsonr(a[mask], b[mask])[0], abs=1e-9)
    assert scores.ssim_global == pytest.approx(ssim_global(a[mask], b[mask]), abs=1e-9)
    assert evaluate(a, b, mask=np.ones(a.shape, np.uint8)) == evaluate(a, b)
    with pytest.raises(EvaluationError, match="mask"):
        evaluate(a, b, mask=mask[1:])
    with pytest.raises(EvaluationError, match="mask"):
        evaluate(a, b, mask=np.zeros(a.shape, bool))


def test_windows_with_nan_are_left_out() -> None:
    a, b = _images(shape=(1, 30, 30))
    clean = evaluate(a, b, scaling=Scaling.measure(a, b))
    a_bad = a.copy()
    a_bad[0, 20, 20] = np.nan
    scaling = Scaling.measure(a, b)
    scores = evaluate(a_bad, b, scaling=scaling)
    x, y = ((np.clip(i, *span) - span[0]) / (span[1] - span[0])
            for i, span in ((a, scaling.prediction_range), (b, scaling.truth_range)))  # fmt: skip
    whole = structural_similarity(x[0], y[0], win_size=7, data_range=1.0, full=True)[1]
    keep = np.zeros((30, 30), bool)
    keep[3:-3, 3:-3] = True
    assert clean.ssim_windowed == pytest.approx(whole[keep].mean(), abs=1e-9)
    keep[17:24, 17:24] = False
    assert scores.ssim_windowed == pytest.approx(whole[keep].mean(), abs=1e-9)


def test_parts_with_the_scaling_of_the_whole_add_up() -> None:
    a, b = _images()
    scaling = Scaling.measure(a, b)
    parts = [evaluate(p, q, scaling=scaling) for p, q in zip(a, b, strict=True)]
    assert np.mean([part.mae for part in parts]) == pytest.approx(evaluate(a, b).mae)
    assert np.mean([part.ssim_windowed for part in parts]) == pytest.approx(evaluate(a, b).ssim_windowed)


def test_images_too_small_for_a_window_have_no_windowed_ssim() -> None:
    a, b = _images(shape=(4, 6, 30))
    assert math.isnan(evaluate(a, b).ssim_windowed)
    assert math.isnan(evaluate(a.ravel(), b.ravel()).ssim_windowed)
    assert math.isfinite(evaluate(a, b).ssim_global)


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.integers(0, 50))
def test_pcc_ignores_gain_and_offset(gain: float, offset: float, seed: int) -> None:
    a, b = _images(seed, (4, 9, 8))
    assert pcc(a * gain + offset, b) == pytest.approx(pcc(a, b), abs=1e-6)
    assert pcc(-a * gain, b) == pytest.approx(-pcc(a, b), abs=1e-6)
    assert pcc(a, a) == pytest.approx(1)


def test_large_offsets_keep_their_digits() -> None:
    a, b = _images()
    assert pcc((a + 1e6).astype(np.float64), b) == pytest.approx(pcc(a, b), abs=1e-6)


@pytest.mark.parametrize("constant", ["prediction", "truth"])
def test_constant_images_have_no_correlation(constant: str) -> None:
    a, b = _images()
    if constant == "prediction":
        a = np.full_like(a, 3)
    else:
        b = np.full_like(b, 3)
    scores = evaluate(a, b)
    assert math.isnan(scores.pcc)
    assert math.isnan(scores.ssim_global)
    assert all(math.isnan(value) for value in (scores.ssim_windowed, scores.r2, scores.nrmse, scores.mae, scores.psnr))


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e6 + 0.1])
def test_a_constant_is_constant_whatever_its_rounded_mean(value: float) -> None:
    """0.1 has no exact mean in float64: what was left after subtracting it used to be correlated."""
    truth = np.random.default_rng(0).normal(size=(7, 11, 13))
    assert math.isnan(pcc(np.full(truth.shape, value), truth))


def test_nan_voxels_are_left_out() -> None:
    a, b = _images()
    expected = pcc(a[:, 1:], b[:, 1:])
    a[:, 0] = np.nan
    assert evaluate(a, b).pcc == pytest.approx(expected)
    assert evaluate(a, b).voxels == a[:, 1:].size


def test_refusals() -> None:
    a, b = _images()
    with pytest.raises(EvaluationError, match=r"\(5, 24, 31\).*\(5, 24, 30\)"):
        evaluate(a, b[..., 1:])
    with pytest.raises(EvaluationError, match="no finite voxel"):
        evaluate(np.full_like(a, np.nan), b)
    with pytest.raises(EvaluationError, match="Complex"):
        pcc(a + 1j, b)
