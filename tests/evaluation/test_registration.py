"""Shifts that are there are found, shifts that are not are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from napari_mito_predict.evaluation import edges, find_shift, move


def _image(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = (rng.random(shape) > 0.995).astype(np.float32)
    image = gaussian_filter(points, 2.0)
    return image / image.std()


@pytest.mark.parametrize("moved", [(0, 5, -4), (1, 0, 2), (0, 0, -9)])
def test_a_known_shift_in_noise_is_found(moved: tuple[int, ...]) -> None:
    image = _image(0, (16, 128, 128))
    truth = np.roll(image, moved, (0, 1, 2)) + np.random.default_rng(1).normal(0, 1.5, image.shape)
    found = find_shift(image, truth)
    assert found.shifted
    np.testing.assert_allclose(found.voxels, moved, atol=0.5)
    assert found.correlation > found.unshifted
    assert find_shift(image, move(truth, found.voxels)).voxels == pytest.approx((0, 0, 0), abs=0.5)


def test_parts_of_a_voxel_are_told() -> None:
    image = _image(0, (96, 96))
    found = find_shift(image, shift(image, (2.3, -1.6), mode="grid-wrap"))
    np.testing.assert_allclose(found.voxels, (2.3, -1.6), atol=0.25)


def test_no_shift_and_no_relation_are_told_apart() -> None:
    image = _image(0, (16, 96, 96))
    aligned = find_shift(image, image + np.random.default_rng(1).normal(0, 2, image.shape))
    assert aligned.significant
    assert not aligned.shifted
    flags = [find_shift(image, _image(seed, image.shape)) for seed in range(2, 12)]
    assert not any(found.shifted for found in flags)


@pytest.mark.parametrize(("weight", "shifted"), [(1.005, False), (1.2, True)])
def test_a_match_hardly_better_elsewhere_is_no_shift(weight: float, shifted: bool) -> None:
    """A structure and its double: which of the two matches better is chance where they are nearly alike."""
    image = _image(0, (128, 128))
    found = find_shift(image, image + weight * np.roll(image, 9, 1))
    assert found.significant
    assert found.voxels == pytest.approx((0, 9), abs=0.5)
    assert found.correlation > found.unshifted
    assert found.shifted is shifted


def test_nobody_looks_for_a_shift_in_time() -> None:
    image = _image(0, (16, 96, 96))
    found = find_shift(image, np.roll(image, (2, 3, 0), (0, 1, 2)), along_third=False)
    assert found.voxels[0] == 0


def test_a_constant_image_has_no_shift() -> None:
    assert not find_shift(_image(0, (64, 64)), np.zeros((64, 64))).shifted


def test_edges_are_alike_where_contrast_is_inverted() -> None:
    image = _image(0, (96, 96))
    np.testing.assert_allclose(edges(image), edges(-image), atol=1e-6)
