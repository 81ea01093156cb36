"""Networks that look at the whole field: tiles give what the whole gives, or it is said that they do not."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from napari_mito_predict.errors import PredictionCancelled
from napari_mito_predict.prediction import RunContext, plan_prediction, predict, run
from napari_mito_predict.prediction.memory import choose_tiles

CPU = {"device": "cpu", "precision": "32"}
TOLERANCE = 1e-4
slow = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate]
)
operators = st.sampled_from([{}, {"heads": 2}, {"up": "v2"}, {"down": "v2", "up": "v1"}])


def compare(volume, model, tile):
    whole = predict(volume, model, tile="whole", **CPU)["mitochondria"].data
    plan = plan_prediction(volume, model, tile=tile, **CPU)
    seen = []
    execution = run(plan, RunContext(on_progress=lambda done, total, message: seen.append((done, total))))
    tiled = execution.predict()["mitochondria"]
    assert np.abs(tiled.data - whole).max() <= TOLERANCE * whole.std()
    assert tiled.record.parameters.tiling == "exact"
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {total for _, total in seen} == {plan.total}
    assert seen[-1][0] == plan.total
    return plan


@slow
@given(
    st.tuples(st.integers(2, 14), st.integers(4, 60), st.integers(4, 60)),
    st.tuples(st.integers(1, 64), st.integers(6, 40), st.integers(6, 40)),
    st.sampled_from([1, 2, 3]),
    operators,
)
def test_tiles_equal_the_whole_in_3d(make_model, make_gvtnet, noise, shape, tile, depth, arguments):
    compare(noise(*shape), make_model(make_gvtnet(3, depth, **arguments)), tile)


@slow
@given(
    st.tuples(st.integers(1, 5), st.integers(4, 90), st.integers(4, 90)),
    st.tuples(st.integers(1, 4), st.integers(9, 50), st.integers(9, 50)),
    st.sampled_from([1, 2, 3]),
    operators,
)
@example((2, 10, 9), (1, 1, 1), 2, {"up": "v1"})  # tiles of one cell of the stride grid
def test_tiles_equal_the_whole_in_2d(make_model, make_gvtnet, noise, shape, tile, depth, arguments):
    """Each plane attends to itself alone, however many planes a tile has."""
    model = make_model(make_gvtnet(2, depth, **arguments), third_axes=(), voxel_size_um=(None, 0.1, 0.1))
    compare(noise(*shape), model, tile)


def test_many_planes_are_tiled_too(make_model, make_gvtnet, noise):
    plan = compare(noise(190, 10, 12), make_model(make_gvtnet(3, 2)), (64, 16, 16))
    assert plan.total == 2 * 2


def test_progress_counts_every_pass(make_model, make_gvtnet, noise):
    model = make_model(make_gvtnet(3, 3, up="v1"))
    assert plan_prediction(noise(8, 80, 80), model, tile="whole", **CPU).total == 1
    assert plan_prediction(noise(8, 80, 80), model, **CPU).total == 1
    assert plan_prediction(noise(8, 120, 120), model, tile=(64, 40, 40), **CPU).total == (1 + 3) * 9


def test_half_precision_differs_by_less_than_it_costs(make_model, make_gvtnet, noise):
    volume, network = noise(6, 64, 56), make_gvtnet(3, 3, 8)
    network.bottom.output.weight.data.mul_(10)  # attention matters
    model = make_model(network)
    exact = predict(volume, model, tile="whole", **CPU)["mitochondria"].data
    whole, tiled = (
        predict(volume, model, device="cpu", precision="bf16", tile=tile)["mitochondria"].data
        for tile in ("whole", (64, 40, 40))
    )
    assert (tiled - whole).std() < (whole - exact).std() < 0.1 * exact.std()


def test_the_field_matters_at_all(make_model, make_gvtnet, noise):
    """Without what the rest of the field holds, a tile would come out differently: the comparison means something."""
    network, volume = make_gvtnet(3, 2), torch.randn(1, 1, 8, 16, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole, part = network(volume), network(volume[..., :64])
    assert float((whole[..., :16] - part[..., :16]).abs().max() / whole.std()) > 100 * TOLERANCE


def short_of_memory(network, voxels, sizes):
    """`network`, whose first layer runs out of memory above so many voxels, in this and every copy of it."""

    def check(_, inputs):
        sizes.append(inputs[0].numel())
        if inputs[0].numel() > voxels:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    network = copy.deepcopy(network)
    network.first.register_forward_pre_hook(check)
    return network


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("tile", ["whole", (64, 48, 48)])
def test_the_answer_survives_running_out_of_memory(make_model, make_gvtnet, noise, ndim, tile):
    volume, network, sizes, seen = noise(6, 96, 80), make_gvtnet(ndim, 2, up="v2"), [], []
    axes = ("z",) if ndim == 3 else ()
    whole = predict(volume, make_model(network, third_axes=axes), tile="whole", **CPU)["mitochondria"].data
    model = make_model(network, third_axes=axes)
    plan = plan_prediction(volume, model, tile=tile, **CPU)
    object.__setattr__(model, "network", short_of_memory(network, 6 * 44 * 44, sizes))
    execution = run(plan, RunContext(on_progress=lambda done, total, message: seen.append((done, total))))
    found = execution.predict()["mitochondria"]
    assert max(sizes) > 6 * 44 * 44
    assert np.abs(found.data - whole).max() <= TOLERANCE * whole.std()
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    assert found.record.parameters.tiling == "exact"
    assert [f.code for f in execution.findings].count("smaller-parts") == 1


def test_cancelling_works_while_looking_around(make_model, make_gvtnet, noise):
    asked, seen = [], []
    plan = plan_prediction(noise(4, 80, 80), make_model(make_gvtnet(3, 2)), tile=(64, 32, 32), **CPU)

    def cancel():
        asked.append(1)
        return bool(seen) and seen[-1] >= 2

    with pytest.raises(PredictionCancelled):
        run(plan, RunContext(on_progress=lambda done, total, message: seen.append(done), cancel=cancel)).predict()
    assert max(seen) == 2 < plan.total / 2


def test_softmax_in_parts_is_said_to_be_approximate(make_model, make_gvtnet, noise):
    volume, model = noise(4, 80, 80), make_model(make_gvtnet(3, 2, attention="softmax"), name="soft")
    plan = plan_prediction(volume, model, **CPU)
    assert plan.total == 1
    assert plan.record("mitochondria").parameters.tiling == "exact"
    assert not [f for f in plan.findings if f.code.startswith("in-parts")]
    whole = run(plan).predict()["mitochondria"].data
    parts = plan_prediction(volume, model, tile=(64, 32, 32), **CPU)
    (said,) = [f for f in parts.findings if f.code == "in-parts-soft"]
    assert said.level == "warning"
    record = parts.record("mitochondria")
    assert record.parameters.tiling.startswith("approximate")
    assert any("soft looks at the whole image" in note for note in record.notes)
    error = np.abs(run(parts).predict()["mitochondria"].data - whole).max() / whole.std()
    assert TOLERANCE < error < 3


def test_softmax_that_runs_out_of_memory_is_said_to_be_approximate(make_model, make_gvtnet, noise):
    network = make_gvtnet(3, 1, attention="softmax")
    model = make_model(network)
    plan = plan_prediction(noise(4, 64, 64), model, **CPU)
    object.__setattr__(model, "network", short_of_memory(network, 4 * 48 * 64, []))
    execution = run(plan)
    found = execution.predict()["mitochondria"]
    assert found.record.parameters.tiling.startswith("approximate")
    assert "in-parts-tiny" in [f.code for f in execution.findings]


def test_a_smaller_halo_takes_its_averages_with_the_full_one(make_model, make_gvtnet, noise):
    volume, network = noise(1, 96, 96), make_gvtnet(2, 3)
    model = make_model(network, third_axes=())
    whole = predict(volume, model, tile="whole", **CPU)["mitochondria"].data
    plan = plan_prediction(volume, model, tile=(1, 32, 32), halo=16, **CPU)
    assert plan.record("mitochondria").parameters.tiling.startswith("approximate")
    error = np.abs(run(plan).predict()["mitochondria"].data - whole).max() / whole.std()
    assert error < 3


def test_tiles_are_chosen_whole_where_memory_allows():
    options = {"stride": (8, 8, 8), "receptive_field": (90, 90, 90), "kind": "cpu", "bytes_per_voxel": 400.0}
    shape, voxels = (30, 1000, 1500), 32 * 1000 * 1504
    assert len(choose_tiles(shape, free=2 * 400 * voxels, whole=True, **options)) == 1
    assert len(choose_tiles(shape, free=2 * 400 * voxels, **options)) > 1
    assert len(choose_tiles(shape, free=2 * 400 * voxels - 1, whole=True, **options)) > 1
