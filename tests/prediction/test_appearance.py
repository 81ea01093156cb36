"""What an image looks like to a network: the same numbers for the same image, other ones for another."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest
import torch

from napari_mito_predict.models.training_images import PERCENTS, from_bytes, to_bytes
from napari_mito_predict.networks import Network, build_network
from napari_mito_predict.prediction import appearance
from napari_mito_predict.prediction.appearance import (
    MOST_TILES,
    Look,
    cut,
    distance,
    look_at,
    reference_of,
    tile_features,
    tile_places,
    tile_size,
)
from napari_mito_predict.prediction.intensities import relative_contrast

TINY = {
    "unet": {"ndim": 3, "depth": 2, "base_channels": 2},
    "gvtnet": {"ndim": 3, "depth": 3, "base_channels": 2},
    "unext2": {"in_stack_depth": 5, "stem_depth": 5, "widths": (8, 16), "depths": (1, 1), "out_channels": 1},
    "fcmae": {"in_stack_depth": 5, "stem_depth": 5, "widths": (8, 16), "depths": (1, 1), "out_channels": 1},
}


def network_of(kind: str, **arguments: object) -> Network:
    torch.manual_seed(0)
    return build_network(kind, TINY[kind] | arguments).eval().requires_grad_(False)


@pytest.mark.parametrize("kind", TINY)
def test_features_are_those_of_the_encoder(kind: str) -> None:
    network = network_of(kind)
    volume = np.random.default_rng(0).normal(size=tile_size(network)).astype(np.float32)
    (features,) = tile_features(network, [volume])
    assert features.shape == (network.feature_count,) == (sum(network.encoder_widths),)
    assert np.isfinite(features).all()
    given = torch.from_numpy(volume)[None, None]
    levels = network.encoder_features(given)
    assert tuple(level.shape[1] for level in levels) == network.encoder_widths
    np.testing.assert_allclose(features[0], np.log(float(levels[0][0, 0].abs().mean()) + 0.01), rtol=1e-4)
    assert not np.allclose(tile_features(network, [volume[..., ::2].repeat(2, -1)]), features, atol=0.01)


def test_planes_have_features_too() -> None:
    network = network_of("unet", ndim=2)
    assert tile_size(network) == (1, 128, 128)
    look = look_at(np.random.default_rng(0).normal(size=(40, 50)), 0.2, network)
    assert look.features.shape == (1, network.feature_count)


def test_many_channels_are_averaged() -> None:
    network = network_of("unet", ndim=2, depth=2, base_channels=100)
    assert sum(network.encoder_widths) == 300
    assert tile_features(network, [np.ones((1, 8, 8), np.float32)]).shape == (1, 256)


@pytest.mark.parametrize("shape", [(32, 256, 256), (1, 1, 1), (16, 48, 48), (5, 2000, 60), (300, 50, 900)])
def test_tiles_are_spread_evenly_and_inside(shape: tuple[int, int, int]) -> None:
    network = network_of("unet")
    size = tile_size(network)
    places = tile_places(shape, network)
    assert 1 <= len(set(places)) == len(places) <= MOST_TILES
    for box in places:
        assert tuple(span.size for span in box) == size
        assert all(span.stop <= max(voxels, tile) for span, voxels, tile in zip(box, shape, size, strict=True))
    # As far from one end as from the other.
    for axis, voxels in enumerate(shape):
        starts = [box[axis].start for box in places]
        assert abs(min(starts) + max(starts) - max(voxels - size[axis], 0)) <= 1


def test_a_turned_image_is_seen_at_the_same_places() -> None:
    network = network_of("unet")
    volume = np.arange(20 * 96 * 96, dtype=np.float32).reshape(20, 96, 96)
    turned = np.rot90(volume, axes=(1, 2))

    def seen(image: np.ndarray) -> list[float]:
        return sorted(float(cut(image, box).sum()) for box in tile_places((20, 96, 96), network))

    np.testing.assert_allclose(seen(turned), seen(volume))


def test_a_small_volume_is_mirrored() -> None:
    network = network_of("unet")
    volume = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    (box,) = tile_places((2, 3, 4), network)
    padding = [(0, tile - voxels) for tile, voxels in zip(tile_size(network), volume.shape, strict=True)]
    np.testing.assert_array_equal(cut(volume, box), np.pad(volume, padding, mode="reflect"))


def made_up(field: str, features: np.ndarray) -> Look:
    return Look(field, np.arange(len(PERCENTS), dtype=np.float32), 0.1, features.astype(np.float32))


def test_distances_are_those_of_mahalanobis() -> None:
    rng = np.random.default_rng(0)
    spread = np.array([[1.0, 0.0], [3.0, 0.5]])
    training = [made_up("a", rng.normal(size=(4000, 2)) @ spread.T + 5)]
    reference = reference_of(training, [made_up("b", rng.normal(size=(500, 2)) @ spread.T + 5)])
    assert reference is not None
    np.testing.assert_allclose(reference.mean, 5, atol=0.15)
    np.testing.assert_allclose(reference.covariance, spread @ spread.T, atol=0.5)
    # The squared distance of two normal features has the mean 2.
    np.testing.assert_allclose(np.square(reference.distances).mean(), 2, atol=0.3)
    assert np.all(np.diff(reference.distances) >= 0)
    point = np.array([[8.0, 5.0]])
    wanted = np.linalg.norm(np.linalg.solve(spread, [3.0, 0.0]))
    np.testing.assert_allclose(distance(reference, point), [wanted], rtol=0.1)


def test_shrinkage_is_that_of_ledoit_and_wolf() -> None:
    """Beside the definition, sample by sample."""
    x = np.random.default_rng(1).normal(size=(8, 20)) * np.linspace(1, 3, 20)
    centred = x - x.mean(axis=0)
    sample = centred.T @ centred / 8
    scale = np.trace(sample) / 20
    dispersion = np.square(sample - scale * np.eye(20)).sum()
    scatter = sum(np.square(np.outer(row, row) - sample).sum() for row in centred) / 64
    share = min(scatter, dispersion) / dispersion
    assert 0 < share < 1
    _, found = appearance._distribution(x)
    np.testing.assert_allclose(found, share * scale * np.eye(20) + (1 - share) * sample)


def test_without_held_out_fields_each_is_compared_with_the_others() -> None:
    rng = np.random.default_rng(2)
    fields = ("a", "a", "b", "c", "odd")
    looks = [made_up(field, rng.normal(size=(5, 3)) + 20 * (field == "odd")) for field in fields]
    reference = reference_of(looks)
    assert reference is not None
    assert len(reference.distances) == 25
    assert (reference.distances[-5:] > 5 * reference.distances[-6]).all()


@pytest.mark.parametrize(
    "looks",
    [
        [made_up("a", np.zeros((3, 0)))],
        [made_up("a", np.eye(4)[:3]), made_up("b", np.eye(4))],
        [made_up("a", np.random.default_rng(0).normal(size=(8, 4)))],
        [made_up("a", np.ones((8, 4))), made_up("b", np.ones((8, 4)))],
    ],
    ids=["no features", "few tiles", "one field", "all alike"],
)
def test_what_tells_nothing_of_features_still_tells_of_intensities(looks: list[Look], tmp_path) -> None:
    reference = reference_of(looks)
    assert reference is not None
    assert len(reference.distances) == len(reference.mean) == 0
    assert len(distance(reference, looks[0].features)) == 0
    read = from_bytes(to_bytes(reference), tmp_path)
    for field in dataclasses.fields(reference):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(reference, field.name))


def test_nothing_is_known_of_no_image() -> None:
    assert reference_of([]) is None


def test_contrast_is_relative() -> None:
    values = np.array([90.0, 110.0])
    np.testing.assert_allclose([relative_contrast(values), relative_contrast(values * 300)], 0.1)
    np.testing.assert_allclose(relative_contrast(values - 100), 1e6)
    assert relative_contrast(np.zeros(5)) == 0


def test_a_sample_is_spread_over_all() -> None:
    assert appearance.sample_of(range(10), 3) == [0, 4, 9]
    assert appearance.sample_of(range(2), 3) == [0, 1]
    assert appearance.sample_of([], 3) == []


def test_blur_is_farther_than_another_image_of_the_same_kind() -> None:
    network = network_of("unet")
    rng = np.random.default_rng(3)
    looks = [look_at(rng.normal(size=(16, 64, 64)), 0.1, network, str(field)) for field in range(6)]
    reference = reference_of(looks[:4], looks[4:])
    assert reference is not None
    noise = rng.normal(size=(17, 65, 65))
    averaged = sum(noise[z : z + 16, y : y + 64, x : x + 64] for z, y, x in product((0, 1), repeat=3)) / 8**0.5
    assert np.median(distance(reference, look_at(averaged, 0.1, network).features)) > 2 * reference.distances[-1]
