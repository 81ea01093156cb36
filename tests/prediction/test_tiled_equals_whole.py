"""The promise: the same answer whatever the tiling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_mito_predict.prediction import plan_prediction, predict, run

TOLERANCE = 1e-4
slow = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def compare(volume, model, tile, **options):
    whole = predict(volume, model, device="cpu", precision="32", tile="whole", **options)["mitochondria"].data
    tiled = predict(volume, model, device="cpu", precision="32", tile=tile, **options)["mitochondria"].data
    assert tiled.shape == whole.shape == volume.shape
    assert np.abs(tiled - whole).max() <= TOLERANCE * whole.std()
    return whole


@slow
@given(
    st.tuples(st.integers(1, 3), st.integers(4, 80), st.integers(4, 80)),
    st.tuples(st.just(1), st.integers(1, 64), st.integers(1, 64)),
    st.sampled_from([1, 2, 3]),
)
def test_2d(make_model, make_unet, noise, shape, tile, depth):
    model = make_model(make_unet(2, depth), third_axes=(), voxel_size_um=(None, 0.1, 0.1))
    compare(noise(*shape), model, tile)


@slow
@given(
    st.tuples(st.integers(2, 20), st.integers(4, 60), st.integers(4, 60)),
    st.tuples(st.integers(1, 64), st.integers(12, 40), st.integers(12, 40)),
)
def test_3d(make_model, make_unet, noise, shape, tile):
    compare(noise(*shape), make_model(make_unet(3, 2, base_channels=2)), tile)


def test_many_planes_are_tiled_too(make_model, make_unet, noise):
    model = make_model(make_unet(3, 1, base_channels=2))
    plan = plan_prediction(noise(150, 16, 12), model, tile=(64, 16, 16))
    assert plan.total == 2
    compare(noise(150, 16, 12), model, (64, 16, 16))


def test_an_odd_shape_comes_back_exactly(make_model, make_unet, noise):
    compare(noise(19, 317, 229), make_model(make_unet(3, 2, base_channels=2)), (64, 160, 128))


@slow
@given(
    st.tuples(st.integers(4, 16), st.integers(12, 50), st.integers(12, 50)),
    st.tuples(st.just(64), st.integers(8, 30), st.integers(8, 30)),
    st.tuples(*[st.sampled_from([0.5, 0.8, 1.3, 2.1])] * 3),
)
def test_resampled(make_model, make_unet, noise, shape, tile, factors):
    model = make_model(make_unet(3, 1))
    size = tuple(f * s for f, s in zip(factors, model.voxel_size_um, strict=True))
    compare(noise(*shape), model, tile, voxel_size_um=size)


def test_the_whole_is_one_pass_over_the_normalised_volume(make_model, make_unet, noise):
    import torch

    network, volume = make_unet(3, 2), noise(12, 32, 40)
    given_ = (volume - volume.mean(dtype=np.float64)) / volume.std(dtype=np.float64)
    with torch.inference_mode():
        expected = network(torch.from_numpy(given_.astype(np.float32))[None, None])[0, 0].numpy()
    found = compare(volume, make_model(network), (64, 16, 16))
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())


def test_sizes_between_strides_are_reflected(make_model, make_unet, noise):
    """The padded volume is reflected about its edge voxels, as numpy does it, and the padding is cropped."""
    network, volume = make_unet(2, 3), noise(1, 29, 3)
    model = make_model(network, third_axes=(), voxel_size_um=(None, 0.1, 0.1))
    padded = np.pad(volume, ((0, 0), (1, 2), (2, 3)), mode="reflect")
    import torch

    scaled = (padded - volume.mean(dtype=np.float64)) / volume.std(dtype=np.float64)
    with torch.inference_mode():
        expected = network(torch.from_numpy(scaled.astype(np.float32))[None])[0, :, 1:-2, 2:-3].numpy()
    found = predict(volume, model, device="cpu", precision="32")["mitochondria"].data
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())


def test_a_smaller_halo_is_blended_and_said_to_be_approximate(make_model, make_unet, noise):
    model, volume = make_model(make_unet(2, 2), third_axes=()), noise(1, 96, 96)
    whole = predict(volume, model, device="cpu", precision="32", tile="whole")["mitochondria"].data
    plan = plan_prediction(volume, model, device="cpu", precision="32", tile=(1, 24, 24), halo=8)
    assert [f.code for f in plan.findings if "approximate" in f.message] == ["approximate"]
    assert plan.record("mitochondria").parameters.tiling.startswith("approximate")
    error = np.abs(run(plan).predict()["mitochondria"].data - whole).max() / whole.std()
    assert TOLERANCE < error < 3
    exact = plan_prediction(volume, model, tile=(1, 24, 24), halo=1000)
    assert exact.record("mitochondria").parameters.tiling == "exact"


@pytest.mark.parametrize("halo", [0, 4, 8])
def test_blending_leaves_what_does_not_depend_on_context(make_model, make_fake, noise, halo):
    """An identity network: whatever the halo, blending must give back its input, without seams or holes."""
    volume = noise(5, 50, 61)
    model = make_model(make_fake(stride=4, field=41))
    plan = plan_prediction(volume, model, device="cpu", precision="32", tile=(64, 12, 16), halo=halo)
    assert plan.total > 9
    data = run(plan).predict()["mitochondria"].data
    np.testing.assert_allclose(data, (volume - volume.mean()) / volume.std(), atol=1e-5)


def test_mixed_precision_stays_close(make_model, make_unet, noise):
    model, volume = make_model(make_unet(3, 2)), noise(8, 40, 40)
    single = predict(volume, model, device="cpu", precision="32")["mitochondria"].data
    mixed = predict(volume, model, device="cpu", precision="bf16")["mitochondria"].data
    assert mixed.dtype == np.float32
    assert np.corrcoef(single.ravel(), mixed.ravel())[0, 1] > 0.999
