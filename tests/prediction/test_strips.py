"""A U-Net by strips, as the engine does it: the same answer as in one pass, also when memory runs out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_mito_predict.errors import PredictionCancelled
from napari_mito_predict.prediction import RunContext, memory, plan_prediction, predict, run
from napari_mito_predict.prediction.memory import choose_strips
from napari_mito_predict.prediction.tiles import strip_axis, voxels
from napari_mito_predict.prediction.unet.streaming import UNetStream

CPU = {"device": "cpu", "precision": "32"}
slow = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of a few rows, so that small volumes have several."""
    monkeypatch.setattr(memory, "LARGEST_STRIP", {"cpu": 1})
    monkeypatch.setattr(memory, "FEWEST_ROWS", 1)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """So little memory that volumes are divided into bands, too."""
    monkeypatch.setattr("napari_mito_predict.prediction.plan.free_memory", lambda device: 20_000_000)


def _whole(volume, model, **options):
    return predict(volume, model, tile="whole", **CPU, **options)["mitochondria"].data


@slow
@given(
    st.sampled_from([2, 3]),
    st.tuples(st.integers(2, 20), st.integers(4, 70), st.integers(4, 70)),
    st.tuples(*[st.sampled_from([0.8, 1.0, 1.0, 1.3])] * 3),
)
def test_strips_equal_the_whole(make_model, make_unet, noise, thin, ndim, shape, factors):
    sizes = tuple(f * s for f, s in zip(factors, (0.3, 0.1, 0.1), strict=True))
    axes = ("z",) if ndim == 3 else ()
    model = make_model(make_unet(ndim, 2, base_channels=2), third_axes=axes)
    volume = noise(*shape)
    plan = plan_prediction(volume, model, voxel_size_um=sizes, **CPU)
    (job,) = plan.jobs
    streamed = job.grid.streamed
    assert streamed is not None
    assert len(job.grid.axes[streamed].cores) > 1 or job.shape[streamed] <= 8
    whole = _whole(volume, model, voxel_size_um=sizes)
    assert np.abs(run(plan).predict()["mitochondria"].data - whole).max() <= 1e-4 * whole.std()


def test_bands_where_memory_is_short(make_model, make_unet, noise, little):
    model, volume = make_model(make_unet(3, 2)), noise(8, 300, 310)
    plan = plan_prediction(volume, model, **CPU)
    (grid,) = (job.grid for job in plan.jobs)
    assert grid.streamed == 2, "along the longest axis"
    assert len(grid.axes[1].cores) > 1
    whole = _whole(volume, model)
    assert np.abs(run(plan).predict()["mitochondria"].data - whole).max() <= 1e-4 * whole.std()


@pytest.mark.parametrize("failing", [1, 2, 5])
def test_memory_that_runs_out_within_a_strip(make_model, make_unet, noise, thin, monkeypatch, failing):
    """What is done is kept, the rest is done in tiles that read their own context; blocks stay final."""
    model, volume = make_model(make_unet(3, 2)), noise(8, 96, 40)
    whole, push, calls = _whole(volume, model), UNetStream.push, []

    def fails(stream, rows, *, last):
        calls.append(rows.shape[3])
        if len(calls) == failing:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return push(stream, rows, last=last)

    monkeypatch.setattr(UNetStream, "push", fails)
    plan = plan_prediction(volume, model, **CPU)
    execution = run(plan)
    found = execution.predict()["mitochondria"]
    assert np.abs(found.data - whole).max() <= 1e-4 * whole.std()
    assert [finding.code for finding in execution.findings].count("smaller-parts") == 1


def test_cancelling_works_inside_a_strip(make_model, make_unet, noise):
    asked = []
    plan = plan_prediction(noise(8, 32, 32), make_model(make_unet(3, 2)), **CPU)
    assert plan.total == 1
    with pytest.raises(PredictionCancelled):
        run(plan, RunContext(cancel=lambda: asked.append(1) or len(asked) > 10)).predict()
    assert len(asked) == 11


def test_blocks_come_while_strips_are_computed(make_model, make_unet, noise, thin):
    """Something to look at long before the end."""
    plan = plan_prediction(noise(8, 400, 16), make_model(make_unet(3, 2)), **CPU)
    first = next(run(plan).blocks())
    assert first.done < 0.3 * first.total


@settings(deadline=None)
@given(st.integers(1, 500), st.sampled_from([1, 2, 8, 16]), st.integers(1, 200))
def test_strips_partition_the_axis_and_are_of_one_size(size, stride, rows):
    axis = strip_axis(size, stride=stride, rows=rows, needed=40)
    assert axis.cores[0].start == 0
    assert axis.cores[-1].stop == axis.padded
    assert all(a.stop == b.start for a, b in zip(axis.cores, axis.cores[1:], strict=False))
    assert len({core.size for core in axis.cores[:-1]}) <= 1
    assert all(core.size % stride == 0 for core in axis.cores)
    assert axis.exact
    assert all(axis.window(i) == core for i, core in enumerate(axis.cores))


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 300), st.integers(1, 4000), st.integers(1, 4000)),
    st.sampled_from(["cpu", "mps", "cuda"]),
    st.sampled_from([2**20, 2**28, 2**31, 2**36]),
    st.booleans(),
)
def test_strips_fit_into_memory_where_they_can(shape, kind, free, flat):
    options = {
        "stride": (1, 8, 8) if flat else (8, 8, 8),
        "receptive_field": (1, 100, 100) if flat else (100, 100, 100),
        "kind": kind,
        "bytes_per_voxel": 400.0,
        "channels": 64,
    }
    grid = choose_strips(shape, free=free, **options)
    smallest = choose_strips(shape, free=0, **options)
    assert grid.held * 400 <= free or grid.largest_read == smallest.largest_read
    if kind == "cuda":
        assert voxels(next(iter(grid)).read) * 64 < 2**31, "cuDNN counts elements in 32 bits"
    assert grid.exact
    assert sum(voxels(tile.kept) for tile in grid) == voxels(tuple(axis.whole for axis in grid.axes))


def test_strips_are_small_enough_to_watch():
    options = {
        "stride": (8,) * 3,
        "receptive_field": (100,) * 3,
        "bytes_per_voxel": 400.0,
        "free": 2**36,
        "channels": 64,
    }
    assert choose_strips((32, 1024, 1024), kind="cpu", **options).core == (32, 64, 1024)
    assert choose_strips((32, 1834, 1834), kind="cpu", **options).core == (32, 64, 1840)
    assert choose_strips((32, 512, 1024), kind="cpu", **options).core == (32, 512, 64)
    assert choose_strips((32, 1024, 1024), kind="cuda", **options).core == (32, 256, 1024)
    assert len(choose_strips((16, 224, 224), kind="cpu", **options)) == 1
