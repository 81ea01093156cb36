"""PCC of fine structure equals its formula with SciPy's Gaussian, and tells a blob from what is in it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import pearsonr

from napari_mito_predict.evaluation import StreamingFinePcc, evaluate, fine_pcc, pcc
from napari_mito_predict.evaluation.fine import fine_structure


def _images(shape: tuple[int, ...] = (3, 70, 91)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = gaussian_filter(rng.normal(size=shape), (0, 1.5, 1.5))
    coarse = gaussian_filter(rng.normal(size=shape), (0, 15, 15))
    return 0.5 * truth + rng.normal(0, 0.05, shape) + 4 * coarse + 900, truth + 9 * coarse


def _by_scipy(a: np.ndarray, b: np.ndarray, sigmas: tuple[float, float]) -> float:
    fine = [image - gaussian_filter(image, (0, *sigmas), truncate=9) for image in (a, b)]
    return float(pearsonr(*(image.ravel() for image in fine))[0])


@pytest.mark.parametrize(
    ("voxel_size_um", "sigmas"),
    [
        ((0.3, 0.108, 0.108), (1.3 / 0.108, 1.3 / 0.108)),
        ((None, 0.65, 0.26), (2.0, 5.0)),
        ((0.26, 0.26), (5.0, 5.0)),
        ((0.3, None, None), (12.0, 12.0)),
        (None, (12.0, 12.0)),
    ],
)
def test_it_is_the_pcc_after_subtracting_a_gaussian(voxel_size_um, sigmas) -> None:
    a, b = _images()
    assert fine_pcc(a, b, voxel_size_um) == pytest.approx(_by_scipy(a, b, sigmas), abs=1e-7)
    assert evaluate(a, b, voxel_size_um=voxel_size_um).fine_pcc == pytest.approx(_by_scipy(a, b, sigmas), abs=1e-7)


def test_integers_with_a_large_offset_keep_their_digits() -> None:
    a, b = _images()
    a, b = (np.round(40_000 + 500 * image).astype(np.uint16) for image in (a - 900, b))
    expected = _by_scipy(a.astype(float), b.astype(float), (12.0, 12.0))
    assert fine_pcc(a, b) == pytest.approx(expected, abs=1e-5)


def test_a_blob_where_the_cell_is_has_a_high_pcc_and_a_low_fine_pcc() -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-64:64, -64:64]
    cell = np.exp(-(y**2 + x**2) / (2 * 40.0**2))
    truth = cell * (2 + gaussian_filter(rng.normal(size=cell.shape), 1) * 2)
    assert pcc(cell, truth) > 0.7
    assert fine_pcc(cell, truth) < 0.3


def test_what_is_not_finite_has_no_part_in_the_rest() -> None:
    a, b = _images((1, 60, 60))
    a = a.copy()
    a[0, 20:25, 30:34] = np.nan
    known = np.isfinite(a[0])
    filled = np.where(known, a[0], 0.0)
    weight = gaussian_filter(known.astype(float), 12, truncate=9)
    expected = np.where(known, a[0] - gaussian_filter(filled, 12, truncate=9) / weight, np.nan)
    np.testing.assert_allclose(fine_structure(a[0]), expected, rtol=0, atol=1e-6)
    scores = evaluate(a, b)
    assert scores.fine_pcc == pytest.approx(
        pearsonr(expected[known], (b[0] - gaussian_filter(b[0], 12, truncate=9))[known])[0], abs=1e-7
    )
    assert math.isnan(fine_pcc(np.full_like(b, np.nan), b))


def test_a_mask_chooses_after_the_blur() -> None:
    a, b = _images()
    mask = np.zeros(a.shape, bool)
    mask[1:, 10:50, 20:60] = True
    fine = [image - gaussian_filter(image, (0, 12, 12), truncate=9) for image in (a, b)]
    expected = pearsonr(*(image[mask] for image in fine))[0]
    assert fine_pcc(a, b, mask=mask) == pytest.approx(expected, abs=1e-7)
    assert evaluate(a, b, mask=mask).fine_pcc == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("constant", [0, 1])
def test_a_constant_image_has_none(constant: int) -> None:
    pair = list(_images())
    pair[constant] = np.full_like(pair[constant], 1e5 / 3)
    assert math.isnan(fine_pcc(*pair))
    assert math.isnan(evaluate(*pair).fine_pcc)
    assert math.isnan(fine_pcc(pair[0][0, 0], pair[1][0, 0]))


def test_planes_can_come_one_after_the_other() -> None:
    a, b = _images()
    score = StreamingFinePcc((0.3, 0.2, 0.2))
    for plane_a, plane_b in zip(a, b, strict=True):
        score.add(plane_a, plane_b)
    assert score.value == pytest.approx(fine_pcc(a, b, (0.3, 0.2, 0.2)), abs=1e-9)
    assert score.whole.value == pytest.approx(pcc(a, b), abs=1e-9)
