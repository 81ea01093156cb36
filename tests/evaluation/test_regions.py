"""Foreground, planes and time points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from napari_mito_predict.errors import EvaluationError
from napari_mito_predict.evaluation import Scaling, evaluate, evaluate_planes, evaluate_time_points, foreground, pcc


def _images(shape: tuple[int, ...] = (3, 4, 12, 13)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.gamma(2, 500, shape)
    return truth + rng.normal(0, 300, shape), truth


def test_foreground_is_otsu_of_the_clipped_truth(sample) -> None:
    _, truth = sample
    mask, threshold = foreground(truth)
    assert threshold == pytest.approx(threshold_otsu(np.clip(truth, *np.percentile(truth, (0.1, 99.9)))))
    np.testing.assert_array_equal(mask, truth > threshold)
    hot = truth.astype(float)
    hot[0, 0, 0], hot[0, 0, 1] = 1e9, np.nan
    moved, other = foreground(hot)
    assert other == pytest.approx(threshold, rel=0.05)
    assert not moved[0, 0, 1]


@pytest.mark.parametrize("value", [7.0, np.nan])
def test_nothing_is_foreground_of_nothing(value: float) -> None:
    with pytest.raises(EvaluationError, match="foreground"):
        foreground(np.full((3, 4, 4), value))


def test_planes_and_time_points_use_the_scaling_of_the_whole() -> None:
    a, b = _images()
    scaling = Scaling.measure(a, b)
    planes = evaluate_planes(a, b)
    assert [(part.t, part.z) for part in planes] == [(t, z) for t in range(3) for z in range(4)]
    assert planes[5].scores == evaluate(a[1, 1], b[1, 1], scaling=scaling)
    assert planes[5].scores.pcc == pytest.approx(pcc(a[1, 1], b[1, 1]))
    times = evaluate_time_points(a, b)
    assert [(part.t, part.z) for part in times] == [(0, None), (1, None), (2, None)]
    assert times[2].scores == evaluate(a[2], b[2], scaling=scaling)
    assert evaluate_planes(a[0], b[0])[3].z == 3


def test_a_plane_without_finite_voxels_scores_nothing() -> None:
    a, b = _images()
    a[1, 2] = np.nan
    empty = evaluate_planes(a, b)[6].scores
    assert empty.voxels == 0
    assert math.isnan(empty.pcc)
    mask = np.ones(a.shape, bool)
    mask[0] = False
    assert [part.scores.voxels for part in evaluate_time_points(a, b, mask=mask)] == [0, 3 * 156, 4 * 156]


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"\(12, 13\)"):
        evaluate_planes(np.eye(12, 13), np.eye(12, 13))
