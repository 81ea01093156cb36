from __future__ import annotations

import subprocess
import sys
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mito_predict.prediction import choose_device
from napari_mito_predict.prediction.memory import bytes_per_voxel, choose_tiles, free_memory, is_out_of_memory


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("HIP out of memory. Tried to allocate"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("Invalid buffer size: 24.00 GB"), True),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes. Error code 12"),
            True,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (MemoryError("Unable to allocate 8 GiB"), True),
        (RuntimeError("expected scalar type Float but found Half"), False),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_recognised(error, expected):
    assert is_out_of_memory(error) is expected


def test_there_is_memory():
    assert free_memory(choose_device("cpu")) > 2**20


@pytest.mark.parametrize(("depth", "width"), [(1, 4), (3, 8)])
def test_the_bytes_of_a_unet_are_those_of_its_top_level(make_unet, depth, width):
    """At the last double convolution of the top level: skip and upsampled features, their concatenation, the result."""
    found = bytes_per_voxel(make_unet(3, depth, width), ndim=3, stride=(2**depth,) * 3)
    assert 4 * width * 4 <= found <= 8 * width * 4


def test_measuring_is_quick_to_start():
    """Nothing that takes seconds to import, in which a viewer would stand still."""
    code = (
        "import sys, torch; from napari_mito_predict.networks.unet import UNet;"
        "from napari_mito_predict.prediction.memory import bytes_per_voxel;"
        "bytes_per_voxel(UNet(3, 1, 2).eval(), ndim=3, stride=(2, 2, 2)); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(st.integers(1, 300), st.integers(1, 3000), st.integers(1, 3000)),
    st.sampled_from(["cpu", "cuda", "mps"]),
    st.floats(8, 40).map(lambda exponent: int(2**exponent)),
    st.booleans(),
)
def test_tiles_fit_into_memory_where_they_can(shape, kind, free, flat):
    options = {"stride": (1 if flat else 8, 8, 8), "receptive_field": (1 if flat else 100, 100, 100)}
    grid = choose_tiles(shape, kind=kind, bytes_per_voxel=400.0, free=free, **options)
    largest = prod(grid.largest_read)
    smallest = choose_tiles(shape, kind=kind, bytes_per_voxel=400.0, free=0, **options)
    assert largest * 400 <= free or largest == prod(smallest.largest_read)


def test_tiles_are_small_enough_to_watch():
    options = {"stride": (8, 8, 8), "receptive_field": (100, 100, 100), "bytes_per_voxel": 400.0, "free": 2**50}
    assert len(choose_tiles((32, 1024, 1024), kind="cpu", **options)) == 9
    assert len(choose_tiles((32, 1024, 1024), kind="cuda", **options)) == 1
    assert choose_tiles((200, 1024, 1024), kind="cpu", **options).core[1] <= 256
