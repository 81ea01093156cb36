"""Agreement by frequency, against whole Fourier transforms and images whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal.windows import tukey

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation import evaluate, fsc_resolution, spectral_pcc
from napari_mito_predict.evaluation.spectrum import mean_spectral_scores


def _low_passed(image: np.ndarray, spacing: tuple[float, ...], highest: float) -> np.ndarray:
    axes = np.meshgrid(*(np.fft.fftfreq(n, d) for n, d in zip(image.shape, spacing, strict=True)), indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    return np.fft.ifftn(np.where(radius < highest, np.fft.fftn(image), 0)).real


def _by_definition(p: np.ndarray, t: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Term by term over the whole spectrum, shell by shell."""
    axes = np.meshgrid(*(np.fft.fftfreq(n, d) for n, d in zip(t.shape, spacing, strict=True)), indexing="ij")
    step = min(1 / (n * d) for n, d in zip(t.shape, spacing, strict=True))
    shell = np.floor(np.sqrt(sum(axis**2 for axis in axes)) / step + 1e-9).astype(int)
    last = round(0.5 / min(spacing) / step)
    power = np.abs(np.fft.fftn(t - t.mean())) ** 2
    mean_power = np.array([power[shell == i].mean() if (shell == i).any() else 0.0 for i in range(last)])
    weights = np.maximum(mean_power - np.median(mean_power[-max(1, int(last * 0.2)) :]), 0)
    window = np.ones(())
    for n in t.shape:
        window = np.multiply.outer(window, tukey(n, 0.1))
    fp, ft = np.fft.fftn((p - p.mean()) * window), np.fft.fftn((t - t.mean()) * window)
    weight = np.where(shell < last, weights[np.minimum(shell, last - 1)], 0)
    cross = (weight * fp * ft.conj()).sum().real
    return float(cross / np.sqrt((weight * np.abs(fp) ** 2).sum() * (weight * np.abs(ft) ** 2).sum()))


@pytest.mark.parametrize(
    ("shape", "spacing"), [((48, 64), (1.0, 1.0)), ((45, 31), (0.2, 0.3)), ((6, 40, 33), (0.3, 0.1, 0.1))]
)
def test_spectral_pcc_is_its_definition(shape, spacing) -> None:
    rng = np.random.default_rng(0)
    truth = 300 + _low_passed(rng.normal(size=shape), spacing, 0.25 / min(spacing)) + rng.normal(0, 0.1, shape)
    prediction = truth + rng.normal(0, 0.3, shape)
    assert spectral_pcc(prediction, truth, spacing) == pytest.approx(_by_definition(prediction, truth, spacing))


def test_noise_costs_less_than_in_the_pcc() -> None:
    rng = np.random.default_rng(0)
    clean = _low_passed(rng.normal(size=(64, 64)), (1, 1), 0.1)
    noisy = clean + rng.normal(0, 2 * clean.std(), clean.shape)
    assert np.corrcoef(clean.ravel(), noisy.ravel())[0, 1] < 0.5
    assert spectral_pcc(clean, noisy) > 0.8
    assert spectral_pcc(3 * clean + 7, noisy) == pytest.approx(spectral_pcc(clean, noisy))
    assert spectral_pcc(-clean, noisy) == pytest.approx(-spectral_pcc(clean, noisy))


@pytest.mark.parametrize("limit_um", [0.4, 0.8])
def test_resolution_is_where_the_agreement_ends(limit_um: float) -> None:
    spacing = (0.1, 0.1)
    rng = np.random.default_rng(0)
    common = _low_passed(rng.normal(size=(256, 256)), spacing, 1 / limit_um)
    other = rng.normal(size=common.shape)
    other -= _low_passed(other, spacing, 1 / limit_um)
    xy, z = fsc_resolution(common + other, common + np.roll(other, 77, axis=0), spacing)
    assert xy == pytest.approx(limit_um, rel=0.06)
    assert math.isnan(z)


def test_resolution_along_z_is_told_apart() -> None:
    """Of a stack whose two versions agree up to another frequency along z than in the plane."""
    spacing, shape = (0.2, 0.1, 0.1), (64, 96, 96)
    rng = np.random.default_rng(0)
    fz, fy, fx = np.meshgrid(*(np.fft.fftfreq(n, d) for n, d in zip(shape, spacing, strict=True)), indexing="ij")
    shared = (np.hypot(fy, fx) < 2.5) & (np.abs(fz) < 1)
    first, second, common = (np.fft.fftn(rng.normal(size=shape)) for _ in range(3))
    images = [np.fft.ifftn(np.where(shared, common, own)).real for own in (first, second)]
    xy, z = fsc_resolution(*images, spacing)
    assert xy == pytest.approx(1 / 2.5, rel=0.1)
    assert 0.6 < z < 1.1


def test_what_agrees_everywhere_or_nowhere_has_no_resolution() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(64, 64))
    assert math.isnan(fsc_resolution(image, image)[0])
    assert math.isnan(fsc_resolution(image, -image)[0])


def test_the_mean_is_over_stacks_where_z_is_known_and_over_planes_else() -> None:
    rng = np.random.default_rng(0)
    truth = _low_passed(rng.normal(size=(2, 6, 32, 32)), (1, 1, 1, 1), 0.2)
    prediction = truth + rng.normal(0, truth.std(), truth.shape)
    size = (0.3, 0.1, 0.1)
    stacks = [spectral_pcc(p, t, size) for p, t in zip(prediction, truth, strict=True)]
    planes = [spectral_pcc(prediction[index], truth[index]) for index in np.ndindex(2, 6)]
    assert evaluate(prediction, truth, voxel_size_um=size).spectral_pcc == pytest.approx(np.mean(stacks))
    unknown = evaluate(prediction, truth)
    assert unknown.spectral_pcc == pytest.approx(np.mean(planes))
    assert math.isnan(unknown.resolution_um)
    assert mean_spectral_scores(prediction, truth, (None, 0.1, 0.1)).pcc == pytest.approx(np.mean(planes))
    known = [fsc_resolution(p, t, size)[0] for p, t in zip(prediction, truth, strict=True)]
    assert evaluate(prediction, truth, voxel_size_um=size).resolution_um == pytest.approx(np.mean(known))


@pytest.mark.parametrize("planes", [1, 2, 3, 4])
def test_stacks_of_few_planes_are_taken_plane_by_plane(planes: int) -> None:
    """The window leaves nothing of the first and last plane, and two planes would have no spectrum at all."""
    rng = np.random.default_rng(0)
    truth = _low_passed(rng.normal(size=(planes, 48, 48)), (1, 1, 1), 0.2)
    prediction = truth + rng.normal(0, truth.std(), truth.shape)
    size = (0.3, 0.1, 0.1)
    scores = mean_spectral_scores(prediction, truth, size)
    assert scores.pcc == pytest.approx(np.mean([spectral_pcc(*pair) for pair in zip(prediction, truth, strict=True)]))
    known = [fsc_resolution(p, t, size[1:])[0] for p, t in zip(prediction, truth, strict=True)]
    assert scores.resolution_xy == pytest.approx(np.mean(known))
    assert math.isnan(scores.resolution_z)


def test_there_is_no_mean_resolution_of_the_best_planes_only() -> None:
    rng = np.random.default_rng(0)
    truth = _low_passed(rng.normal(size=(2, 64, 64)), (1, 1, 1), 0.2)
    prediction = truth + rng.normal(0, truth.std(), truth.shape)
    assert math.isfinite(mean_spectral_scores(prediction, truth, (None, 0.1, 0.1)).resolution_xy)
    prediction[1] = -truth[1]
    assert math.isnan(mean_spectral_scores(prediction, truth, (None, 0.1, 0.1)).resolution_xy)


def test_what_has_no_spectrum_has_no_scores() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(32, 32))
    assert math.isnan(spectral_pcc(image, np.ones_like(image)))
    broken = np.where(image > 2, np.nan, image)
    assert math.isnan(spectral_pcc(broken, image))
    scores = evaluate(broken, image)
    assert math.isnan(scores.spectral_pcc)
    assert math.isfinite(scores.fine_pcc)
    assert math.isnan(evaluate(image, image + 1, mask=image > 0).spectral_pcc)
    with pytest.raises(EvaluationError, match="shape"):
        spectral_pcc(image[0], image[0])
