"""Turned and stretched patches show what is there, input and truth alike."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from napari_mito_predict.training.config_parts import Augment
from napari_mito_predict.training.pairs import Pair
from napari_mito_predict.training.patches import PatchSampler
from napari_mito_predict.training.warp import Warp


def _smooth(shape: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (np.sin(y / 7) + np.cos(x / 9) + y * x / 500).astype(np.float32)


@given(
    angle=st.floats(-math.pi, math.pi),
    factor=st.floats(0.6, 1.6),
    centre=st.tuples(st.floats(20, 40), st.floats(25, 55)),
)
@settings(max_examples=40, deadline=None)
def test_a_point_shows_what_the_map_says(angle: float, factor: float, centre: tuple[float, float]) -> None:
    image = _smooth((61, 81))
    size = (12, 15)
    warped = Warp(angle, factor)(image, centre, size)
    for row, column in ((0, 0), (11, 3), (5, 14)):
        y, x = (row - 5.5) / factor, (column - 7) / factor
        there = (
            centre[0] + y * math.cos(angle) - x * math.sin(angle),
            centre[1] + y * math.sin(angle) + x * math.cos(angle),
        )
        expected = map_coordinates(image, [[there[0]], [there[1]]], order=1, mode="mirror")[0]
        assert warped[row, column] == pytest.approx(expected, abs=2e-3)


@given(
    angle=st.floats(-math.pi, math.pi),
    factor=st.floats(0.5, 2),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 99),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
)
@settings(max_examples=100, deadline=None)
def test_a_part_of_the_plane_is_enough(
    angle: float, factor: float, height: int, width: int, seed: int, interpolation: str
) -> None:
    """What is cut out of `source` is what is cut out of the whole plane; beyond its edges it is mirrored."""
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((height + 20, width + 10)).astype(np.float32)
    centre = (rng.uniform(0, image.shape[0] - 1), rng.uniform(0, image.shape[1] - 1))
    size = (int(rng.integers(1, 24)), int(rng.integers(1, 24)))
    warp = Warp(angle, factor)
    rows, columns = warp.source(centre, size, image.shape)
    inside = 0 < rows.start and rows.stop < image.shape[0] and 0 < columns.start and columns.stop < image.shape[1]
    part = image[rows, columns]
    found = warp(part, (centre[0] - rows.start, centre[1] - columns.start), size, interpolation)
    assert found.shape == size
    if inside:
        np.testing.assert_allclose(found, warp(image, centre, size, interpolation), atol=2e-3)
    if interpolation == "bilinear":
        assert image.min() - 1e-3 <= found.min() <= found.max() <= image.max() + 1e-3


def test_no_turn_and_no_change_of_size_is_a_crop() -> None:
    image = np.random.default_rng(0).standard_normal((2, 30, 40)).astype(np.float32)
    for interpolation in ("bilinear", "bicubic"):
        warped = Warp(0.0, 1.0)(image, (14.5, 19.5), (10, 20), interpolation)
        np.testing.assert_allclose(warped, image[:, 10:20, 10:30], atol=1e-4)


def test_a_quarter_turn_is_numpys() -> None:
    image = np.random.default_rng(0).standard_normal((31, 31)).astype(np.float32)
    turned = Warp(math.pi / 2, 1.0)(image, (15.0, 15.0), (31, 31))
    np.testing.assert_allclose(turned, np.rot90(image, -1), atol=1e-4)


@pytest.mark.parametrize("shape", [(64, 72), (5, 64, 72), (6, 20, 20)])
def test_input_and_truth_stay_together_and_the_third_axis_stays(shape: tuple[int, ...]) -> None:
    """Volumes smaller than the patch included, and planes of a stack are warped alike."""
    plane = _smooth(shape[-2:])
    volume = np.broadcast_to(plane, shape) + np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1)) * (
        len(shape) == 3
    )
    volume = volume.astype(np.float16)
    patch = (4, 32, 32)[-len(shape) :]
    sampler = PatchSampler([Pair("field", volume, volume[None] * 2)], patch, 0, 0.0, Augment(rotate=True, zoom=0.3))
    for index in range(10):
        light, truth, _ = sampler.patch(index)
        assert light.shape == truth.shape == (1, *patch)
        np.testing.assert_allclose(truth, 2 * light, atol=0.15)
        if len(shape) == 3:
            np.testing.assert_allclose(np.diff(light, axis=1), 1, atol=0.02)


def test_a_warped_patch_shows_its_surroundings_not_a_mirror() -> None:
    image = np.zeros((96, 96), np.float16)
    image[:, 64:] = 1
    sampler = PatchSampler([Pair("field", image, image[None])], (32, 32), 0, 0.0, Augment(rotate=True))
    values = [sampler.patch(index).truth.mean() for index in range(200)]
    assert np.mean(values) == pytest.approx(1 / 3, abs=0.12)


def test_zoom_makes_things_larger_and_smaller() -> None:
    disc = (np.hypot(*np.mgrid[-48:49, -48:49]) < 12).astype(np.float32)
    areas = []
    for seed in range(20):
        warp = Warp.draw(Augment(zoom=0.3), np.random.default_rng(seed))
        assert warp is not None
        assert warp.angle == 0
        areas.append(warp(disc, (48, 48), (65, 65)).sum() / disc.sum())
        assert areas[-1] == pytest.approx(warp.factor**2, rel=0.03)
    assert min(areas) < 0.75
    assert max(areas) > 1.3


def test_nothing_is_drawn_where_nothing_is_asked_for() -> None:
    assert Warp.draw(Augment(flip=True), np.random.default_rng(0)) is None
