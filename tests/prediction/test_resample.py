from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_mito_predict.prediction.blocks import plan_blocks
from napari_mito_predict.prediction.resample import AxisResampling, Resampling
from napari_mito_predict.prediction.tiles import plan_tiles

sizes = st.tuples(st.integers(1, 12), st.integers(1, 30), st.integers(1, 30))


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, st.integers(0, 2**32 - 1), st.data())
def test_any_block_equals_that_part_of_the_whole(source, target, seed, data):
    volume = np.random.default_rng(seed).normal(size=source).astype(np.float32)
    resampling = Resampling.between(source, target)
    whole = resampling.whole(volume)
    assert whole.shape == target
    grid = plan_tiles(
        source, stride=(1, 2, 2), receptive_field=(1, 4, 4), core=data.draw(st.tuples(*[st.integers(1, 30)] * 3))
    )
    covered = np.zeros(target, int)
    for block in plan_blocks(grid, resampling):
        window = volume[tuple(span.slice for span in block.source)]
        part = resampling.block(window, block.source, block.box)
        here = tuple(span.slice for span in block.box)
        np.testing.assert_allclose(part, whole[here], atol=1e-5)
        covered[here] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("target", [(9, 20, 31), (5, 33, 31), (9, 2, 3)])
@pytest.mark.parametrize("threads", [2, 7])
def test_threads_change_nothing(target, threads):
    volume = np.random.default_rng(0).normal(size=(9, 20, 31)).astype(np.float32)
    resampling = Resampling.between(volume.shape, target)
    np.testing.assert_allclose(resampling.whole(volume, threads=threads), resampling.whole(volume), atol=1e-5)


def test_blocks_wait_for_all_tiles_that_touch_what_they_need():
    resampling = Resampling.between((1, 32, 32), (1, 40, 40))
    grid = plan_tiles((1, 32, 32), stride=(1, 4, 4), receptive_field=(1, 9, 9), core=(1, 16, 16))
    blocks = plan_blocks(grid, resampling)
    assert len(blocks) == 4
    assert all(len(block.tiles) == 4 for block in blocks)  # interpolation looks over the seams
    same = plan_blocks(grid, Resampling.between((1, 32, 32), (1, 32, 32)))
    assert [len(block.tiles) for block in same] == [1, 1, 1, 1]


@pytest.mark.parametrize("target", [(9, 20, 31), (9, 45, 31), (18, 40, 62)])
def test_finer_grids_are_those_of_scipy_with_half_pixel_centres(target):
    volume = np.random.default_rng(0).normal(size=(9, 20, 31)).astype(np.float32)
    zoom = [t / s for t, s in zip(target, volume.shape, strict=True)]
    expected = ndimage.zoom(volume, zoom, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(Resampling.between(volume.shape, target).whole(volume), expected, atol=1e-5)


def test_coarser_grids_do_not_alias():
    stripes = np.zeros((1, 64, 64), np.float32)
    stripes[:, :, ::2] = 1  # finer than the coarse grid can show: it has to become grey
    coarse = Resampling.between(stripes.shape, (1, 64, 21)).whole(stripes)
    assert np.abs(coarse[:, :, 2:-2] - 0.5).max() < 0.15


@pytest.mark.parametrize("target", [(4, 10, 14), (16, 40, 56), (8, 13, 50)])
def test_a_ramp_stays_where_it_is(target):
    y = (np.arange(20) + 0.5) / 20
    volume = np.broadcast_to(y[None, :, None], (8, 20, 28)).astype(np.float64)
    result = Resampling.between(volume.shape, target).whole(volume)
    expected = (np.arange(target[1]) + 0.5) / target[1]
    np.testing.assert_allclose(result[0, 3:-3, 0], expected[3:-3], atol=1e-3)


@settings(deadline=None)
@given(st.integers(1, 100), st.integers(1, 100))
def test_boundaries_partition_the_target(source, target):
    axis = AxisResampling(source, target)
    edges = [axis.boundary(i) for i in range(source + 1)]
    assert edges[0] == 0
    assert edges[-1] == target
    assert edges == sorted(edges)


def test_same_grid_gives_a_copy():
    volume = np.zeros((2, 3, 4), np.float32)
    result = Resampling.between(volume.shape, volume.shape).whole(volume)
    result += 1
    assert volume.max() == 0
