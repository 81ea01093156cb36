"""Patches are pure functions of (seed, index), and input and truth stay together."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.training.augment import augment
from napari_mito_predict.training.config_parts import Augment
from napari_mito_predict.training.pairs import Pair
from napari_mito_predict.training.patches import PatchSampler, prefetched

EVERYTHING = Augment(flip=True, noise=0.5, blur=1.0, intensity=0.3, gamma=0.3, zoom=0.2, rotate=True)


def _pairs(count: int = 3, shape: tuple[int, ...] = (10, 40, 30)) -> list[Pair]:
    rng = np.random.default_rng(0)
    images = [rng.standard_normal(shape).astype(np.float16) for _ in range(count)]
    return [Pair(f"field{i}", image, np.stack([image, image * 2])) for i, image in enumerate(images)]


def test_a_batch_is_reproducible_and_made_of_its_patches() -> None:
    one, two = (PatchSampler(_pairs(), (8, 16, 16), 5, 0.5, EVERYTHING) for _ in range(2))
    given, truth, fields = one.batch(range(21, 24))
    assert given.shape == (3, 1, 8, 16, 16)
    assert truth.shape == (3, 2, 8, 16, 16)
    assert given.dtype == truth.dtype == np.float32
    np.testing.assert_array_equal(given[1], two.patch(22).input)
    assert fields == tuple(two.patch(i).field for i in (21, 22, 23))
    assert not np.array_equal(given[0], given[1])
    assert not np.array_equal(given, PatchSampler(_pairs(), (8, 16, 16), 6, 0.5, EVERYTHING).batch(range(21, 24)).input)


def test_flips_move_input_and_truth_together() -> None:
    sampler = PatchSampler(_pairs(), (8, 16, 16), 0, 0.0, Augment(flip=True))
    for index in range(30):
        given, truth, _ = sampler.patch(index)
        np.testing.assert_array_equal(truth, np.concatenate([given, given * 2]))


def test_third_axis_is_never_turned_round() -> None:
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None], (1, 8, 16, 16))
    for seed in range(20):
        given, _ = augment(ramp, ramp, Augment(flip=True), np.random.default_rng(seed))
        np.testing.assert_array_equal(given, ramp)


def test_third_axis_is_turned_round_on_request() -> None:
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None], (1, 8, 16, 16))
    turned = [augment(ramp, ramp, Augment(flip_third=True), np.random.default_rng(i))[1][0, 0, 0, 0] for i in range(20)]
    assert set(turned) == {0, 7}


def test_bright_truth_is_cut_to_the_ceiling() -> None:
    sampler = PatchSampler(_pairs(), (8, 16, 16), 0, 0.0, Augment(), ceiling=1.5)
    assert sampler.patch(0).truth.max() == 1.5


def test_every_field_is_drawn_equally_often_however_many_volumes_it_has() -> None:
    one, *_ = _pairs(1)
    pairs = [Pair("long", one.input, one.truth)] * 9 + [Pair("short", one.input, one.truth)]
    sampler = PatchSampler(pairs, (8, 16, 16), 0, 0.0, Augment())
    drawn = [sampler.patch(i).field for i in range(400)]
    assert 150 < drawn.count("short") < 250


def test_prefetched_batches_are_the_same_and_the_thread_ends() -> None:
    sampler = PatchSampler(_pairs(), (8, 16, 16), 0, 0.0, EVERYTHING)
    numbers = [range(0, 2), range(2, 4), range(4, 6)]
    for found, wanted in zip(prefetched(sampler.batch, numbers), numbers, strict=True):
        np.testing.assert_array_equal(found.input, sampler.batch(wanted).input)
    stopped = prefetched(sampler.batch, numbers)
    next(stopped)
    stopped.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("patches")]


def test_intensity_changes_leave_the_truth_alone() -> None:
    given, truth, _ = PatchSampler(_pairs(), (8, 16, 16), 0, 0.0, Augment()).patch(3)
    before = given.copy()
    changed, same = augment(given, truth, Augment(noise=0.5, blur=1, intensity=0.3), np.random.default_rng(1))
    np.testing.assert_array_equal(same, truth)
    np.testing.assert_array_equal(given, before)
    assert not np.array_equal(changed, given)


@pytest.mark.parametrize("exponent_range", [0.5, 1.0])
def test_gamma_bends_brightness_and_keeps_its_order_mean_and_contrast(exponent_range: float) -> None:
    given, truth, _ = PatchSampler(_pairs(), (8, 16, 16), 0, 0.0, Augment()).patch(3)
    for seed in range(8):
        bent, same = augment(given, truth, Augment(gamma=exponent_range), np.random.default_rng(seed))
        np.testing.assert_array_equal(same, truth)
        np.testing.assert_array_equal(np.argsort(bent, axis=None)[[0, -1]], np.argsort(given, axis=None)[[0, -1]])
        assert (np.diff(bent.ravel()[np.argsort(given, axis=None)]) > -1e-5).all()
        assert bent.mean() == pytest.approx(given.mean(), abs=1e-5)
        assert bent.std() == pytest.approx(given.std(), rel=1e-4)
        assert np.corrcoef(bent.ravel(), given.ravel())[0, 1] < 1 - 1e-6


def test_gamma_leaves_a_flat_patch_alone() -> None:
    flat = np.full((1, 8, 8), 3.0, np.float32)
    bent, _ = augment(flat, flat, Augment(gamma=1.0), np.random.default_rng(0))
    np.testing.assert_array_equal(bent, flat)


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
    given, truth, _ = PatchSampler(_pairs(1, (5, 12, 30)), (8, 16, 16), 0, 0.0, Augment()).patch(0)
    assert given.shape == (1, 8, 16, 16)
    np.testing.assert_array_equal(given[:, 5:8], given[:, 4:1:-1])
    assert truth.shape == (2, 8, 16, 16)


def test_dimension_mismatch_is_named() -> None:
    with pytest.raises(TrainingDataError, match="field0"):
        PatchSampler(_pairs(1), (16, 16), 0, 0.0, Augment())
