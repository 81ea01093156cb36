"""Large fields: several cells, simulated in blocks that nobody can tell afterwards."""

from __future__ import annotations

import dataclasses
import itertools
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_mito_predict.evaluation import pcc
from napari_mito_predict.simulation import Conditions, SimulatedImage, blocks, simulate_series, simulate_stack
from napari_mito_predict.simulation.blocks import BlockImager, add_block
from napari_mito_predict.simulation.conditions import N_MEDIUM
from napari_mito_predict.simulation.culture import draw_culture
from napari_mito_predict.simulation.optics import (
    fluorescence,
    fluorescence_kernel,
    scattering_potential,
    transmitted_kernel,
    transmitted_light,
)
from napari_mito_predict.simulation.tiled_texture import TiledTexture
from napari_mito_predict.simulation.wide import is_wide

if TYPE_CHECKING:
    from napari_mito_predict.simulation.cell import Cell
    from napari_mito_predict.simulation.shapes import Array

SEED, SHAPE = 3, (6, 216, 216)
FIELD_UM = (0.0, 0.0), (101.0, 101.0)


@pytest.fixture(scope="module")
def conditions() -> Conditions:
    """A field of 65 um, and light so bright that noise does not hide a seam."""
    wide = Conditions.matched(voxel_size_um=(0.3, 0.3, 0.3))
    return dataclasses.replace(wide, photons=1e9, tl_read_noise=0.0, stripe=0.0)


@pytest.fixture(scope="module")
def whole(conditions: Conditions) -> SimulatedImage:
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    return simulate_stack(SEED, conditions, SHAPE)


@pytest.fixture(scope="module")
def traced(conditions: Conditions, whole: SimulatedImage) -> tuple[SimulatedImage, int]:
    """The same field in 16 blocks, and the most bytes that numpy held meanwhile; torch's are not counted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "LARGEST", 60)
        tracemalloc.start()
        image = simulate_stack(SEED, conditions, SHAPE)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return image, peak


@pytest.fixture(scope="module")
def in_blocks(traced: tuple[SimulatedImage, int]) -> SimulatedImage:
    return traced[0]


@pytest.fixture(scope="module")
def culture() -> list[Cell]:
    return draw_culture(np.random.default_rng(1), FIELD_UM)


def test_blocks_give_the_image_of_the_whole(whole: SimulatedImage, in_blocks: SimulatedImage) -> None:
    for name in ("mitochondria", "dna", "nucleoids", "cell", "nucleus"):
        expected, found = getattr(whole.truth, name), getattr(in_blocks.truth, name)
        np.testing.assert_allclose(found, expected, atol=2e-3 * expected.max(), err_msg=name)
    np.testing.assert_allclose(in_blocks.data[0].astype(int), whole.data[0].astype(int), atol=6)


def test_no_seam_where_blocks_meet(in_blocks: SimulatedImage, conditions: Conditions) -> None:
    margin = int(np.ceil(2.5 / conditions.voxel_size_um[1]))
    size = SHAPE[1] + 2 * margin
    seams = [round(size * part / 4) - margin for part in (1, 2, 3)]
    steps = np.abs(np.diff(in_blocks.data[0, 0].astype(float), axis=2)).mean(axis=(0, 1))
    others = np.delete(steps, [seam - 1 for seam in seams])
    assert all(steps[seam - 1] < others.mean() + 4 * others.std() for seam in seams)


def test_memory_goes_with_the_result_not_with_the_padded_grid(traced: tuple[SimulatedImage, int]) -> None:
    image, peak = traced
    truth = sum(getattr(image.truth, field.name).nbytes for field in dataclasses.fields(image.truth))
    one_block = 4 * (SHAPE[0] + 8) * 60**2
    assert peak < 2 * (truth + image.data.nbytes) + 80 * one_block, "in one piece it is 2.5 times as much"


def test_small_fields_are_simulated_in_one_piece() -> None:
    assert not is_wide((32, 256, 256), Conditions())
    drawn = [Conditions.randomised(np.random.default_rng(seed)) for seed in range(30)]
    assert not any(is_wide((32, 256, 256), one) for one in drawn)
    assert is_wide((32, 1834, 1834), Conditions.matched(None, "airyscan", (0.15, 0.055, 0.055)))
    assert is_wide((64, 512, 512), Conditions.matched(None, "confocal", (0.1, 0.2, 0.2)))


def _in_blocks(imager: BlockImager, volume: Array) -> Array:
    total = np.zeros_like(volume)
    for rows, columns in blocks.blocks((volume.shape[1], volume.shape[2])):
        image = imager.image(volume[:, rows, columns])
        add_block(total, image, (rows.start - imager.margin, columns.start - imager.margin))
    return total


def test_block_optics_agree_with_one_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    monkeypatch.setattr(blocks, "LARGEST", 60)
    microscope, size = Conditions(), (160, 150)
    volume = np.zeros((24, *size), np.float32)
    volume[6:18, 50:110, 50:100] = np.random.default_rng(0).random((12, 60, 50))
    expected = fluorescence(volume, 0.58, microscope)
    found = _in_blocks(BlockImager(fluorescence_kernel(24, 0.58, microscope), size), volume)
    np.testing.assert_allclose(found, expected, atol=2e-3 * expected.max())

    index = N_MEDIUM + 0.02 * volume
    contrast = np.log(transmitted_light(index, microscope))
    potential = scattering_potential(index, microscope)
    found = _in_blocks(BlockImager(transmitted_kernel(24, microscope), size), potential)
    assert pcc(found, contrast) > 0.9999
    np.testing.assert_allclose(found, contrast, atol=0.02 * np.abs(contrast).max())


def test_one_plane_is_the_plane_of_the_stack() -> None:
    rng = np.random.default_rng(0)
    kernel, volume = rng.random((10, 7, 7), np.float32), rng.random((10, 30, 40), np.float32)
    stack = BlockImager(kernel, (30, 40)).image(volume)
    plane = BlockImager(kernel, (30, 40), plane=3).image(volume)
    np.testing.assert_allclose(plane, stack[3:4], rtol=1e-4)


def test_texture_is_the_same_wherever_it_is_cut() -> None:
    def weave() -> TiledTexture:
        return TiledTexture(np.random.default_rng(0), (0.35, 0.3, 0.3), (0.15, 0.11, 0.11), 12)

    large = weave().region((-30, 100), (200, 180))
    part = weave().region((40, 150), (50, 60))
    np.testing.assert_allclose(part, large[:, 70:120, 50:110], atol=1e-5)
    assert large.std() == pytest.approx(1, abs=0.05)


def test_a_culture_has_several_cells_of_usual_size(culture: list[Cell]) -> None:
    assert 4 <= len(culture) <= 16
    centres = [cell.outline.centre[1:] for cell in culture]
    assert all(np.hypot(*(a - b)) >= 19 for a, b in itertools.combinations(centres, 2))
    assert any(cell.outline.neighbours for cell in culture), "some touch"
    y, x = np.meshgrid(np.arange(0, 101, 0.5), np.arange(0, 101, 0.5), indexing="ij")
    covered = np.maximum.reduce([cell.outline.height(y, x) for cell in culture]) > 0.5
    assert 0.3 < covered.mean() < 1


def test_organelles_stay_in_their_own_cell(culture: list[Cell]) -> None:
    for one, other in itertools.permutations(culture, 2):
        z, y, x = one.mitochondria.points.T
        assert not np.any(other.outline.nucleus(z, y, x) > 0.5)


def test_same_culture_at_another_sampling(whole: SimulatedImage, conditions: Conditions) -> None:
    coarse = simulate_stack(SEED, dataclasses.replace(conditions, voxel_size_um=(0.3, 0.6, 0.6)), (6, 108, 108))
    assert pcc(coarse.truth.cell, whole.truth.cell[:, ::2, ::2]) > 0.98


def test_wide_series_moves_but_does_not_flicker(
    whole: SimulatedImage, conditions: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "LARGEST", 120)
    done: list[int] = []
    series = simulate_series(SEED, conditions, 3, 15.0, (108, 216), on_frame=done.append)
    assert done == [1, 2, 3]
    assert series.data.shape == (3, 3, 1, 108, 216)
    assert series.time_step_s == 15.0
    assert series.truth.nucleus.shape == (1, 108, 216)
    means = series.data.mean(axis=(2, 3, 4))
    np.testing.assert_allclose(means / means[:, :1], 1, atol=0.03)
    assert 0.5 < pcc(series.truth.mitochondria[0], series.truth.mitochondria[1]) < 0.99
