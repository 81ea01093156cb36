from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from napari_mito_predict.evaluation import pcc
from napari_mito_predict.simulation import Conditions, SimulatedImage, simulate_series, simulate_stack

pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")

SEED, SHAPE = 3, (16, 64, 64)  # of the fixture `stack`


def test_stack_has_the_announced_layout(stack: SimulatedImage) -> None:
    assert stack.data.shape == (3, 1, *SHAPE)
    assert stack.data.dtype == np.uint16
    assert stack.channel_names == ("ESID-T1", "TMRM-T1", "SYBR Gold-T2")
    assert stack.voxel_size_um == (0.15, 0.11, 0.11)
    assert stack.time_step_s is None
    assert stack.truth.nucleus.shape == SHAPE
    assert stack.truth.nucleoids.shape == (1, *SHAPE)


def test_same_seed_same_pixels(stack: SimulatedImage, quiet: Conditions) -> None:
    again = simulate_stack(SEED, quiet, SHAPE)
    np.testing.assert_array_equal(again.data, stack.data)


def test_other_seed_other_cell(stack: SimulatedImage, quiet: Conditions) -> None:
    other = simulate_stack(SEED + 1, quiet, SHAPE)
    assert abs(pcc(other.truth.mitochondria, stack.truth.mitochondria)) < 0.5


def test_same_cell_under_other_optics_and_light(stack: SimulatedImage, quiet: Conditions) -> None:
    other = simulate_stack(SEED, dataclasses.replace(quiet, photons=100.0, wavelength_um=0.64, flip_z=True), SHAPE)
    np.testing.assert_array_equal(other.truth.mitochondria, stack.truth.mitochondria)
    np.testing.assert_array_equal(other.truth.nucleus, stack.truth.nucleus)


def test_same_cell_on_another_grid(stack: SimulatedImage, quiet: Conditions) -> None:
    coarse = dataclasses.replace(quiet, voxel_size_um=(0.30, 0.11, 0.11))
    other = simulate_stack(SEED, coarse, (8, *SHAPE[1:]))
    assert pcc(other.truth.mitochondria[0], stack.truth.mitochondria[0, ::2]) > 0.95
    assert np.abs(other.truth.nucleus - stack.truth.nucleus[::2]).max() < 1e-3


def test_transmitted_light_has_the_contrast_of_a_thin_cell(stack: SimulatedImage, quiet: Conditions) -> None:
    light = stack.data[0] / quiet.tl_counts
    assert 0.8 < light.mean() < 1.2
    assert 0.01 < light.std() < 0.2


def test_flipping_z_reverses_the_contrast(stack: SimulatedImage, quiet: Conditions) -> None:
    flipped = simulate_stack(SEED, dataclasses.replace(quiet, flip_z=True), SHAPE)
    assert pcc(flipped.data[0], stack.data[0]) < -0.8


def test_less_contrast_in_refractive_index_is_less_contrast_in_the_image(
    stack: SimulatedImage, quiet: Conditions
) -> None:
    faint = simulate_stack(SEED, dataclasses.replace(quiet, ri_contrast=0.5), SHAPE)
    assert faint.data[0].std() == pytest.approx(stack.data[0].std() / 2, rel=0.15)


def test_truth_is_the_noise_free_image(stack: SimulatedImage) -> None:
    assert pcc(stack.data[1], stack.truth.mitochondria) > 0.9
    assert pcc(stack.data[2], stack.truth.dna) > 0.9
    assert np.all(stack.truth.nucleoids <= stack.truth.dna + 1e-4)


def test_focus_offset_moves_the_stack_through_the_cell(stack: SimulatedImage, quiet: Conditions) -> None:
    four_planes_up = simulate_stack(SEED, dataclasses.replace(quiet, focus_offset_um=0.6), SHAPE)
    assert np.abs(four_planes_up.truth.nucleus[:-4] - stack.truth.nucleus[4:]).max() < 1e-3


def test_nucleus_can_be_out_of_view(stack: SimulatedImage, quiet: Conditions) -> None:
    without = simulate_stack(SEED, dataclasses.replace(quiet, nucleus_in_view=False), SHAPE)
    assert stack.truth.nucleus.max() > 0.9
    assert without.truth.nucleus.max() < 0.01


def test_a_neighbour_fills_what_the_cell_leaves_free(quiet: Conditions) -> None:
    wide = dataclasses.replace(quiet, voxel_size_um=(0.25, 0.2, 0.2))
    alone = simulate_stack(1, wide, (8, 64, 64)).truth
    both = simulate_stack(1, dataclasses.replace(wide, neighbour=True), (8, 64, 64)).truth
    assert both.cell.sum() > 1.05 * alone.cell.sum()
    assert np.all(both.cell >= alone.cell)


def test_series_moves_but_does_not_flicker() -> None:
    series = simulate_series(SEED, Conditions.matched(), frames=4, step_s=10.0, shape_yx=(64, 64))
    assert series.data.shape == (3, 4, 1, 64, 64)
    assert series.time_step_s == 10.0
    assert series.truth.nucleus.shape == (1, 64, 64)
    means = series.data.mean(axis=(2, 3, 4))
    np.testing.assert_allclose(means / means[:, :1], 1, atol=0.03)
    assert pcc(series.truth.mitochondria[0], series.truth.mitochondria[3]) < 0.99
    assert _pcc_where_it_moved_to(series.truth.mitochondria[0, 0], series.truth.mitochondria[1, 0]) > 0.9


def _pcc_where_it_moved_to(first: np.ndarray, second: np.ndarray, most: int = 8) -> float:
    """A field this small moves nearly as one piece: by so many pixels that the two agree best."""
    inner = (slice(most, -most),) * 2
    shifts = itertools.product(range(-most, most + 1), repeat=2)
    return max(pcc(first[inner], np.roll(second, shift, (0, 1))[inner]) for shift in shifts)


def test_randomised_conditions_cover_their_ranges() -> None:
    drawn = [Conditions.randomised(np.random.default_rng(seed)) for seed in range(300)]
    assert 0.4 < np.mean([c.flip_z for c in drawn]) < 0.6
    assert 0.4 < np.mean([c.voxel_size_um == (0.15, 0.11, 0.11) for c in drawn]) < 0.6
    photons = [c.photons for c in drawn]
    assert 80 <= min(photons) < 120
    assert 1800 < max(photons) <= 2500
    assert len({(c.voxel_size_um, c.pinhole_um) for c in drawn}) <= 10, "each costs a confocal transfer function"
