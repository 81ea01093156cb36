"""A shift between truth and prediction is told, with what correcting it would change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mito_predict.evaluation import check_shift


def _image(shape: tuple[int, ...]) -> np.ndarray:
    points = (np.random.default_rng(0).random(shape) > 0.995).astype(np.float32)
    return gaussian_filter(points, (1.0,) * (len(shape) - 2) + (2.0, 2.0))


def test_a_shift_is_told_in_voxels_and_micrometres() -> None:
    image = _image((12, 96, 96))
    noise = np.random.default_rng(1).normal(0, image.std(), image.shape)
    truth = np.roll(image, (1, 5, -4), (0, 1, 2)) + noise
    found = check_shift(image[None], truth[None], (0.5, 0.1, None))
    assert found.shifted
    assert found.voxels == (1, 5, -4)
    assert found.um == pytest.approx((0.5, 0.5, None))
    assert found.pcc_after > found.pcc_before + 0.3
    back = np.roll(truth, (-1, -5, 4), (0, 1, 2))[:-1, :-5, 4:]
    assert found.pcc_after == pytest.approx(np.corrcoef(image[:-1, :-5, 4:].ravel(), back.ravel())[0, 1], abs=1e-5)


def test_no_shift_changes_nothing() -> None:
    image = _image((8, 96, 96))
    found = check_shift(image[None], image[None])
    assert (found.voxels, found.shifted, found.significant) == ((0, 0, 0), False, True)
    assert found.pcc_before == found.pcc_after == pytest.approx(1)
    assert found.um == (None, None, None)


def test_a_time_series_is_searched_in_y_and_x() -> None:
    image = _image((10, 96, 96))
    found = check_shift(image[:, None], np.roll(image, (3, 6), (1, 2))[:, None])
    assert found.voxels == (0, 3, 6)
    stacks = np.stack([image, image])
    assert check_shift(stacks, np.roll(stacks, (0, 2, 3, 0), (0, 1, 2, 3))).voxels == (2, 3, 0)
    plane = image[:1, None]
    assert check_shift(plane, np.roll(plane, 4, 3)).voxels == (0, 0, 4)


def test_missing_values_do_no_harm() -> None:
    image = _image((8, 96, 96))
    truth = np.roll(image, 5, 1)
    truth[3, 10:12] = np.nan
    assert check_shift(image[None], truth[None]).voxels == (0, 5, 0)
