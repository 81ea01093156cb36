"""Losses against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from napari_mito_predict.training.losses import dssim, make_loss


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
