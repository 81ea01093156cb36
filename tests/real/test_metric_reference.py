"""Scores of a real prediction beside those that VisCy's own evaluation, which computes with ``cubic``, gave for it.

================== ======== ======== =================================================================================
score              official ours     difference
================== ======== ======== =================================================================================
PCC                0.5505   0.5505   none
spectral PCC       0.8334   0.8334   4e-5: coefficients on the very border of two shells
PSNR               19.08    19.08    none, with their scaling: each image from its minimum and maximum to [0, 1]
NRMSE              0.1112   0.1112   none, with their scaling, over the span of the truth
SSIM, windowed     0.3593   0.3601   their windows are Gaussian, ours (scikit-image's) 7 x 7, both scaled as above
FSC resolution, xy 0.309    0.857    theirs is too small by z spacing / x spacing, which later versions of ``cubic``
                                     correct: 0.829. The rest is the window: theirs is Hamming's, ours Tukey's
FSC resolution, z  1.175    0.912    8 planes hold 4 frequencies along z, so that the window decides
================== ======== ======== =================================================================================
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import normalized_root_mse, peak_signal_noise_ratio, structural_similarity

from napari_mito_predict.evaluation import evaluate, fine_pcc, fsc_resolution, pcc, spectral_pcc


@pytest.fixture(scope="module")
def reference(real_data: Path) -> dict[str, np.ndarray]:
    file = real_data / "metric_reference" / "pixel_metrics_golden.npz"
    if not file.is_file():
        pytest.skip(f"the reference is not at {file}")
    with np.load(file) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def scaled(reference: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Prediction and truth, each from its own minimum and maximum to [0, 1]."""
    images = [reference[name].astype(np.float64) for name in ("pred", "target")]
    return [(image - image.min()) / (image.max() - image.min()) for image in images]


def test_pcc(reference) -> None:
    assert pcc(reference["pred"], reference["target"]) == pytest.approx(float(reference["expected_pcc"]), abs=1e-6)


def test_spectral_pcc(reference) -> None:
    found = spectral_pcc(reference["pred"], reference["target"], tuple(reference["_spacing"]))
    assert found == pytest.approx(float(reference["expected_spectral_pcc"]), abs=5e-5)


def test_errors_with_their_scaling(reference, scaled) -> None:
    prediction, truth = scaled
    psnr = peak_signal_noise_ratio(truth, prediction, data_range=1.0)
    assert psnr == pytest.approx(float(reference["expected_psnr"]), abs=1e-5)
    nrmse = normalized_root_mse(truth, prediction, normalization="min-max")
    assert nrmse == pytest.approx(float(reference["expected_nrmse"]), abs=1e-6)


def test_ssim_with_their_scaling(reference, scaled) -> None:
    planes = [structural_similarity(t, p, data_range=1.0) for p, t in zip(*scaled, strict=True)]
    assert np.mean(planes) == pytest.approx(float(reference["expected_ssim"]), abs=1e-3)


def test_resolution(reference) -> None:
    spacing = tuple(reference["_spacing"])
    xy, z = fsc_resolution(reference["pred"], reference["target"], spacing)
    corrected = float(reference["expected_xy_fsc_resolution"]) * spacing[0] / spacing[2]
    assert xy == pytest.approx(corrected, rel=0.05)
    assert z == pytest.approx(float(reference["expected_z_fsc_resolution"]), rel=0.25)


def test_the_pcc_flatters(reference) -> None:
    """What the other numbers of this prediction do not say: fine structure agrees less than the image as a whole."""
    spacing = tuple(reference["_spacing"])
    scores = evaluate(reference["pred"], reference["target"], voxel_size_um=spacing)
    assert scores.fine_pcc == fine_pcc(reference["pred"], reference["target"], spacing)
    assert scores.fine_pcc == pytest.approx(0.3262, abs=1e-3)
    assert scores.spectral_pcc == pytest.approx(0.8334, abs=1e-4)
    assert scores.resolution_um == pytest.approx(0.857, abs=1e-3)
