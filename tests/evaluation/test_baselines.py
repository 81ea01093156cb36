"""The trivial prediction."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_mito_predict.evaluation import BlurredInput, pcc


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
