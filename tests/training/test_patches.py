"""Patches are pure functions of (seed, index), and input and truth stay together."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.training.augment import augment
from napari_mito_predict.training.config import Augment
from napari_mito_predict.training.pairs import Pair
from napari_mito_predict.training.patches import PatchSampler

EVERYTHING = Augment(flip=True, noise=0.5, blur=1.0, intensity=0.3)


def _pairs(count: int = 3, shape: tuple[int, ...] = (10, 40, 30)) -> list[Pair]:
    rng = np.random.default_rng(0)
    images = [rng.standard_normal(shape).astype(np.float16) for _ in range(count)]
    return [Pair(f"field{i}", image, np.stack([image, image * 2])) for i, image in enumerate(images)]


def test_a_batch_is_reproducible_and_made_of_its_patches() -> None:
    one, two = (PatchSampler(_pairs(), (8, 16, 16), 5, 0.5, EVERYTHING) for _ in range(2))
    given, truth = one.batch(7, 3)
    assert given.shape == (3, 1, 8, 16, 16)
    assert truth.shape == (3, 2, 8, 16, 16)
    assert given.dtype == truth.dtype == np.float32
    np.testing.assert_array_equal(given[1], two.patch(22)[0])
    assert not np.array_equal(given[0], given[1])
    assert not np.array_equal(given, PatchSampler(_pairs(), (8, 16, 16), 6, 0.5, EVERYTHING).batch(7, 3)[0])


def test_flips_move_input_and_truth_together() -> None:
    sampler = PatchSampler(_pairs(), (8, 16, 16), 0, 0.0, Augment(flip=True))
    for index in range(30):
        given, truth = sampler.patch(index)
        np.testing.assert_array_equal(truth, np.concatenate([given, given * 2]))


def test_third_axis_is_never_turned_round() -> None:
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None], (1, 8, 16, 16))
    for seed in range(20):
        given, _ = augment(ramp, ramp, Augment(flip=True), np.random.default_rng(seed))
        np.testing.assert_array_equal(given, ramp)


def test_intensity_changes_leave_the_truth_alone() -> None:
    given, truth = PatchSampler(_pairs(), (8, 16, 16), 0, 0.0, Augment()).patch(3)
    before = given.copy()
    changed, same = augment(given, truth, Augment(noise=0.5, blur=1, intensity=0.3), np.random.default_rng(1))
    np.testing.assert_array_equal(same, truth)
    np.testing.assert_array_equal(given, before)
    assert not np.array_equal(changed, given)


def test_all_places_and_fields_are_reached() -> None:
    pairs = _pairs(2, (4, 6, 6))
    sampler = PatchSampler(pairs, (4, 4, 4), 0, 0.0, Augment())
    corners = {float(sampler.patch(i)[0][0, 0, 0, 0]) for i in range(400)}
    assert len(corners) == 2 * 3 * 3


def test_foreground_prefers_contrasted_truth() -> None:
    image = np.zeros((8, 64, 64), np.float16)
    image[:, :8, :8] = np.random.default_rng(0).uniform(1, 2, (8, 8, 8))
    pairs = [Pair("field", image, image[None])]
    hits = [
        sum(PatchSampler(pairs, (8, 8, 8), 0, weight, Augment()).patch(i)[1].std() > 0 for i in range(200))
        for weight in (0.0, 0.9)
    ]
    assert hits[1] > 2 * hits[0]


def test_volumes_smaller_than_the_patch_are_mirrored() -> None:
    given, truth = PatchSampler(_pairs(1, (5, 12, 30)), (8, 16, 16), 0, 0.0, Augment()).patch(0)
    assert given.shape == (1, 8, 16, 16)
    np.testing.assert_array_equal(given[:, 5:8], given[:, 4:1:-1])
    assert truth.shape == (2, 8, 16, 16)


def test_dimension_mismatch_is_named() -> None:
    with pytest.raises(TrainingDataError, match="field0"):
        PatchSampler(_pairs(1), (16, 16), 0, 0.0, Augment())
