"""Scores equal those of torchmetrics; scipy and scikit-image are asked in `test_metrics`.

=============== ================================ ===================================================================
ours            torchmetrics                     settings
=============== ================================ ===================================================================
`pcc`           `pearson_corrcoef`
`r2`            `r2_score`                       of the fitted prediction
`nrmse`         `normalized_root_mean_squared_…` of the fitted prediction, in standard deviations of the truth
`mae`           `mean_absolute_error`            of the fitted prediction
`psnr`          `peak_signal_noise_ratio`        of the fitted prediction, L as ours
`ssim_windowed` `structural_similarity_index_…`  a flat window of 7 x 7, k2 and border as below
=============== ================================ ===================================================================

The global form of SSIM is not in torchmetrics; it is compared with its formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.stats import linregress, pearsonr
from skimage.metrics import structural_similarity
from torchmetrics import functional
from torchmetrics.functional import image as images

from napari_mito_predict.evaluation import evaluate


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    """Torchmetrics makes tensors of plain numbers, whose logarithms in float32 have too few digits."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(params=["random", "sample", "recorded"])
def pair(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Noise, the simulated cell with camera noise, and a real recording where one is at hand."""
    if request.param == "random":
        rng = np.random.default_rng(0)
        truth = rng.gamma(2, 500, (5, 240, 310))
        return truth * 0.3 + rng.normal(0, 200, truth.shape) + 50, truth
    found: tuple[np.ndarray, np.ndarray] = request.getfixturevalue(request.param)
    return found


def test_scores_are_those_of_torchmetrics(pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores = evaluate(*pair)
    a, b = (image.astype(float) for image in pair)
    fit = linregress(a.ravel(), b.ravel())
    gain = max(fit.slope, 0.0)
    fitted = b.mean() + gain * (a - a.mean())
    ranges = [np.percentile(image, (0.1, 99.9)) for image in (a, b)]
    flat_a, flat_b, flat_fitted = (torch.from_numpy(image.ravel()) for image in (a, b, fitted))
    assert scores.pcc == pytest.approx(float(functional.pearson_corrcoef(flat_a, flat_b)), abs=1e-6)
    assert scores.pcc == pytest.approx(pearsonr(a.ravel(), b.ravel())[0], abs=1e-6)
    assert scores.r2 == pytest.approx(float(functional.r2_score(flat_fitted, flat_b)), abs=1e-6)
    assert scores.mae == pytest.approx(float(functional.mean_absolute_error(flat_fitted, flat_b)), rel=1e-6)
    nrmse = functional.normalized_root_mean_squared_error(flat_fitted, flat_b, normalization="std")
    assert scores.nrmse == pytest.approx(float(nrmse), abs=1e-6)
    span = float(ranges[1][1] - ranges[1][0])
    psnr = images.peak_signal_noise_ratio(flat_fitted, flat_b, data_range=span)
    assert scores.psnr == pytest.approx(float(psnr), abs=1e-6)
    units = [np.clip((image - low) / (high - low), 0, 1) for image, (low, high) in zip((a, b), ranges, strict=True)]
    x, y = (torch.from_numpy(image[:, None]) for image in units)
    # scikit-image, and so we, divide variances by n - 1, torchmetrics by n: the same as another k2. It mirrors the
    # image at its border, where we leave out windows that do not lie inside.
    _, ssim = images.structural_similarity_index_measure(
        x, y, gaussian_kernel=False, kernel_size=7, data_range=1.0, k2=0.03 * math.sqrt(48 / 49), return_full_image=True
    )
    assert scores.ssim_windowed == pytest.approx(float(ssim[..., 3:-3, 3:-3].mean()), abs=1e-6)
    windowed = [structural_similarity(p, q, win_size=7, data_range=1.0) for p, q in zip(*units, strict=True)]
    assert scores.ssim_windowed == pytest.approx(np.mean(windowed), abs=1e-6)
