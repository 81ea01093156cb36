"""Metrics equal their definitions, and say NaN where they have no meaning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr
from skimage.metrics import structural_similarity

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation import evaluate, pcc, ssim_global


def _images(seed: int = 0, shape: tuple[int, ...] = (5, 24, 31)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2, 500, shape)
    return truth * 0.3 + rng.normal(0, 200, shape) + 50, truth


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
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    expected = ((2 * x.mean() * y.mean() + 1e-4) * (2 * covariance + 9e-4)) / (
        (x.mean() ** 2 + y.mean() ** 2 + 1e-4) * (x.var() + y.var() + 9e-4)
    )
    assert ssim_global(a, b) == pytest.approx(expected, abs=1e-9)


def test_all_scores() -> None:
    a, b = _images()
    scores = evaluate(a, b)
    za, zb = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    assert scores.r2 == pytest.approx(1 - ((za - zb) ** 2).sum() / (zb**2).sum(), abs=1e-9)
    assert scores.nrmse == pytest.approx(math.sqrt(((za - zb) ** 2).mean()), abs=1e-9)
    ranges = [np.percentile(i, (0.1, 99.9)) for i in (a, b)]
    x, y = (np.clip((i - lo) / (hi - lo), 0, 1) for i, (lo, hi) in zip((a, b), ranges, strict=True))
    windowed = np.mean([structural_similarity(p, q, win_size=7, data_range=1.0) for p, q in zip(x, y, strict=True)])
    assert scores.ssim_windowed == pytest.approx(windowed, abs=1e-9)
    assert scores.voxels == a.size


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
    assert math.isnan(scores.nrmse)


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
