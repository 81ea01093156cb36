"""Losses against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from napari_mito_predict.training.losses import dssim, make_loss, pearson_distance


@pytest.mark.parametrize("shape", [(1, 1, 40, 52), (2, 1, 3, 40, 52)])
def test_dssim_is_that_of_scikit_image(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal(shape)
    b = a + 0.5 * rng.standard_normal(shape)
    planes = [p.reshape(-1, *shape[-2:]) for p in (a, b)]
    expected = []
    for one, two in zip(*planes, strict=True):
        _, local = structural_similarity(one, two, win_size=7, data_range=6.0, use_sample_covariance=False, full=True)
        expected.append(local[3:-3, 3:-3].mean())
    found = float(dssim(torch.from_numpy(a), torch.from_numpy(b)))
    assert found == pytest.approx((1 - np.mean(expected)) / 2, abs=1e-5)


def test_named_losses() -> None:
    a = torch.zeros(1, 1, 16, 16)
    b = torch.full_like(a, 2.0, requires_grad=True)
    assert make_loss("mse")(b, a).item() == 4
    assert make_loss("l1")(b, a).item() == 2
    both = make_loss("mse+dssim")(b, a)
    assert float(both.detach()) == pytest.approx(4 + float(dssim(b, a).detach()))
    both.backward()
    assert b.grad is not None
    assert torch.isfinite(b.grad).all()


@pytest.mark.parametrize("shape", [(3, 2, 12, 10), (2, 1, 4, 12, 10)])
def test_pearson_distance_is_one_minus_numpys_correlation(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, *shape)) * 3 + 5
    b += a
    pairs = zip(a.reshape(shape[0] * shape[1], -1), b.reshape(shape[0] * shape[1], -1), strict=True)
    expected = np.mean([1 - np.corrcoef(one, two)[0, 1] for one, two in pairs])
    found = float(pearson_distance(torch.from_numpy(a), torch.from_numpy(b)))
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_flat_truth_has_a_finite_pearson_distance() -> None:
    prediction = torch.randn(1, 1, 8, 8, requires_grad=True)
    loss = make_loss("mse+pcc")(prediction, torch.zeros(1, 1, 8, 8))
    loss.backward()
    assert torch.isfinite(loss)
    assert prediction.grad is not None
    assert torch.isfinite(prediction.grad).all()
