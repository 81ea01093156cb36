from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mito_predict.networks.unet import UNet
from napari_mito_predict.prediction.tiles import (
    MIN_DEPTH,
    Span,
    halo_needed,
    plan_tiles,
    reflect,
    round_up,
    tile_axis,
    voxels,
)

strides = st.sampled_from([1, 2, 3, 4, 8, 16])
axis_tilings = st.builds(
    tile_axis,
    st.integers(1, 300),
    stride=strides,
    core=st.integers(1, 320),
    needed=st.integers(0, 60),
    halo=st.none() | st.integers(0, 70),
    smallest=st.sampled_from([1, 10, 64]),
)


@settings(deadline=None)
@given(axis_tilings)
def test_cores_partition_the_padded_axis_on_the_stride_grid(axis):
    assert axis.padded % axis.stride == 0
    assert 0 <= axis.padded - axis.size < axis.stride
    assert Span(0, axis.padded) == Span(axis.cores[0].start, axis.cores[-1].stop)
    assert all(a.stop == b.start and a.size > 0 for a, b in zip(axis.cores, axis.cores[1:], strict=False))
    for i, core in enumerate(axis.cores):
        assert core.start % axis.stride == 0
        window = axis.window(i)
        assert window.start % axis.stride == 0
        assert window.size % axis.stride == 0
        assert window.start == 0 or core.start - window.start == axis.halo
        assert window.stop == axis.padded or window.stop - core.stop == axis.halo


@settings(deadline=None)
@given(st.integers(1, 500), strides, st.integers(1, 200), st.sampled_from([1, 64, 100]))
def test_cores_are_no_larger_than_asked_for_and_no_smaller_than_allowed(size, stride, core, smallest):
    axis = tile_axis(size, stride=stride, core=core, needed=8, smallest=smallest)
    if smallest == 1:
        assert max(c.size for c in axis.cores) <= round_up(core, stride)
    if len(axis.cores) > 1:
        assert min(c.size for c in axis.cores) >= smallest
    assert max(c.size for c in axis.cores) - min(c.size for c in axis.cores) <= stride


@settings(max_examples=50, deadline=None)
@given(axis_tilings)
def test_weights_are_positive_and_add_up_to_one_everywhere(axis):
    total = np.zeros(axis.padded)
    for i in range(len(axis.cores)):
        weights = np.array(axis.weights(i))
        assert weights.min() > 0
        total[axis.kept(i).slice] += weights
    np.testing.assert_allclose(total, 1, rtol=1e-12)


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(0, 50), st.integers(0, 50))
def test_reflection_is_that_of_numpy(size, before, after):
    expected = np.pad(np.arange(size), (before, after), mode="reflect")
    assert [reflect(p, size) for p in range(-before, size + after)] == expected.tolist()
    assert reflect(np.arange(-before, size + after), size).tolist() == expected.tolist(), "all at once"


shapes = st.tuples(st.integers(1, 200), st.integers(1, 120), st.integers(1, 120))


@settings(deadline=None)
@given(shapes, st.sampled_from([2, 4, 8]), st.tuples(*[st.integers(1, 130)] * 3), st.sampled_from([1, 20, 48, 100]))
def test_tiles_cover_every_voxel_once_and_keep_what_they_read(shape, stride, core, field):
    grid = plan_tiles(shape, stride=(stride,) * 3, receptive_field=(field,) * 3, core=core)
    count = np.zeros([axis.padded for axis in grid.axes], np.uint8)
    tiles = list(grid)
    assert len(tiles) == len(grid)
    for tile in tiles:
        assert all(r.start <= k.start and k.stop <= r.stop for r, k in zip(tile.read, tile.kept, strict=True))
        count[tuple(span.slice for span in tile.kept)] += 1
    assert (count == 1).all()
    if field > 1 and len(grid.axes[0].cores) > 1:
        assert min(c.size for c in grid.axes[0].cores) >= MIN_DEPTH


@settings(max_examples=50, deadline=None)
@given(shapes, st.sampled_from([2, 8]), st.sampled_from([20, 48]), st.integers(1, 7))
def test_split_tiles_keep_the_same_read_less_and_end(shape, stride, field, depth):
    grid = plan_tiles(shape, stride=(stride,) * 3, receptive_field=(field,) * 3, core=shape)
    (tile,) = grid
    pieces = [tile]
    for _ in range(depth):
        pieces = [part for piece in pieces for part in (grid.split(piece) or (piece,))]
    count = np.zeros([axis.padded for axis in grid.axes], np.uint8)
    for piece in pieces:
        assert voxels(piece.read) <= voxels(tile.read)
        count[tuple(span.slice for span in piece.kept)] += 1
        for axis, read, kept in zip(grid.axes, piece.read, piece.kept, strict=True):
            assert read.start % stride == read.stop % stride == 0
            assert read.start == 0 or kept.start - read.start >= axis.needed
            assert read.stop == axis.padded or read.stop - kept.stop >= axis.needed
    assert (count == 1).all()


def test_the_third_axis_is_not_split_below_64_planes():
    grid = plan_tiles((100, 8, 8), stride=(4,) * 3, receptive_field=(9,) * 3, core=(8, 4, 4))
    assert len(grid.axes[0].cores) == 1
    smallest = [tile for tile in grid if grid.split(tile) is None]
    assert len(smallest) == len(grid) == 4
    tall = plan_tiles((128, 4, 4), stride=(4,) * 3, receptive_field=(9,) * 3, core=(128, 4, 4))
    halves = tall.split(next(iter(tall)))
    assert halves is not None
    assert [half.kept[0].size for half in halves] == [64, 64]


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4, 5])
def test_the_halo_reaches_as_far_as_the_network_looks_beyond_a_stride_cell(depth):
    from napari_mito_predict.networks.unet import _dependency

    network = UNet(ndim=2, depth=depth, base_channels=1)
    stride = network.stride[0]
    reach = [_dependency(voxel, depth, 2) for voxel in range(stride)]
    beyond = max(max(-low, high - (stride - 1)) for low, high in reach)
    halo = halo_needed(network.receptive_field[0], stride)
    assert beyond <= halo < beyond + stride
