"""Networks that take a fixed number of planes, in the engine: the same answer whatever the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_mito_predict.errors import ModelMismatchError
from napari_mito_predict.image import from_array, open_image
from napari_mito_predict.models import Architecture
from napari_mito_predict.networks import build_network
from napari_mito_predict.prediction import RunContext, plan_prediction, predict, predict_to_zarr, run
from napari_mito_predict.prediction.memory import bytes_per_voxel
from napari_mito_predict.prediction.tiling import Tiling

CPU = {"device": "cpu", "precision": "32"}
ARGUMENTS = {"widths": [4, 8], "depths": [1, 1], "decoder_blocks": 1, "head_expansion": 1, "out_channels": 2}
TOLERANCE = 1e-5


@pytest.fixture
def make_sliding(make_model):
    def make(kind="unext2", third_axes=("z",), **changed):
        arguments = ARGUMENTS | {"in_stack_depth": 5, "stem_depth": 5} | changed
        torch.manual_seed(1)
        network = build_network(kind, arguments).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.2 * torch.randn(parameter.shape))
        size = (0.2, 0.1, 0.1) if third_axes else (None, 0.1, 0.1)
        model = make_model(network, targets=("nuclei", "membrane"), third_axes=third_axes, voxel_size_um=size)
        card = model.card.model_copy(update={"architecture": Architecture(kind=kind, arguments=arguments)})
        return type(model)(card, network)

    return make


def _given(volume):
    """As the engine normalises it."""
    values = volume.astype(np.float64)
    return torch.from_numpy(((values - values.mean()) / values.std()).astype(np.float32))[None, None]


@pytest.mark.parametrize("kind", ["unext2", "fcmae"])
@pytest.mark.parametrize("tile", ["auto", "whole"])
def test_a_stack_is_predicted_in_one_piece(make_sliding, noise, kind, tile):
    model, volume = make_sliding(kind), noise(9, 40, 48)
    with torch.inference_mode():
        expected = model.network(_given(volume))[0].numpy()
    plan = plan_prediction(volume, model, tile=tile, **CPU)
    assert plan.total == 1
    assert not [finding for finding in plan.findings if finding.code.startswith("in-parts")]
    found = run(plan, RunContext()).predict()
    for target, wanted in zip(("nuclei", "membrane"), expected, strict=True):
        np.testing.assert_allclose(found[target].data, wanted, atol=TOLERANCE)
        assert found[target].record.parameters.tiling == "exact"


def test_the_same_on_a_device(make_sliding, noise):
    model, volume = make_sliding(), noise(9, 37, 43)
    plan = plan_prediction(volume, model, **CPU)
    in_memory = run(plan, RunContext(keep_on_device=False)).predict()
    on_device = run(plan, RunContext(keep_on_device=True)).predict()
    for target, expected in in_memory.items():
        np.testing.assert_allclose(on_device[target].data, expected.data, atol=TOLERANCE)


def test_parts_of_a_stack_that_hold_whole_planes_change_nothing(make_sliding, noise):
    model, volume = make_sliding(), noise(140, 16, 16)
    plan = plan_prediction(volume, model, tile=(64, 16, 16), **CPU)
    assert plan.total == 2
    assert not [finding for finding in plan.findings if finding.code.startswith("in-parts")]
    whole = predict(volume, model, tile="whole", **CPU)
    np.testing.assert_allclose(run(plan, RunContext()).predict()["nuclei"].data, whole["nuclei"].data, atol=TOLERANCE)


def test_parts_of_planes_are_said_to_be(make_sliding, noise):
    plan = plan_prediction(noise(6, 300, 300), make_sliding(), tile=(6, 64, 64), **CPU)
    assert [finding.code for finding in plan.findings if finding.code.startswith("in-parts")] == ["in-parts-tiny"]
    record = run(plan, RunContext()).predict()["membrane"].record
    assert "looks at the whole image" in record.parameters.tiling


def test_the_mean_over_orientations(make_sliding, noise):
    model, volume = make_sliding(), noise(6, 24, 32)
    given = _given(volume)
    views = []
    with torch.inference_mode():
        for turned in (given, given.transpose(-1, -2)):
            for axes in ((), (-1,), (-2,), (-1, -2)):
                view = model.network(turned.flip(axes)).flip(axes)
                views.append(view if turned is given else view.transpose(-1, -2))
    expected = torch.stack(views).mean(0)[0].numpy()
    found = predict(volume, model, tta=True, **CPU)
    np.testing.assert_allclose(found["nuclei"].data, expected[0], atol=TOLERANCE)
    np.testing.assert_allclose(found["membrane"].data, expected[1], atol=TOLERANCE)


def test_half_precision_differs_by_less_than_it_costs(make_sliding, noise):
    model, volume = make_sliding(), noise(7, 48, 48)
    exact = predict(volume, model, **CPU)["nuclei"].data
    rounded = predict(volume, model, device="cpu", precision="bf16")["nuclei"].data
    assert np.corrcoef(exact.ravel(), rounded.ravel())[0, 1] > 0.999


def test_single_planes_are_taken_one_by_one(make_sliding, noise):
    model = make_sliding("fcmae", third_axes=(), in_stack_depth=1, stem_depth=1, stem_size=2)
    volume = noise(3, 32, 40)
    found = predict(volume, model, **CPU)
    with torch.inference_mode():
        expected = model.network(_given(volume)[0].transpose(0, 1))[:, 0].numpy()
    np.testing.assert_allclose(found["nuclei"].data, expected, atol=TOLERANCE)


def test_a_time_series_on_disk_equals_that_in_memory(make_sliding, noise, tmp_path):
    pytest.importorskip("zarr", minversion="3", exc_type=ImportError)
    model = make_sliding()
    image = from_array(noise(2, 7, 24, 28), axes="TZYX", voxel_size_um=(0.2, 0.1, 0.1), channel_names=["Phase3D"])
    plan = plan_prediction(image, model, channel=0, **CPU)
    (written,) = predict_to_zarr(plan, tmp_path / "out.ome.zarr")
    stored = open_image(written)
    for target, expected in run(plan, RunContext()).predict().items():
        index = next(channel.index for channel in stored.channels if channel.name.startswith(target.upper()))
        for time in range(2):
            np.testing.assert_allclose(stored.read(time, index), expected.data[time], atol=TOLERANCE)


@pytest.mark.parametrize(("planes", "size_um", "said"), [(4, 0.2, "has 4."), (6, 0.1, "has 6, which are 3 at its")])
def test_too_few_planes_are_refused_by_name(make_sliding, noise, planes, size_um, said):
    image = from_array(noise(planes, 32, 32), axes="ZYX", voxel_size_um=(size_um, 0.1, 0.1), channel_names=["Phase3D"])
    with pytest.raises(ModelMismatchError, match=f"tiny needs at least 5 Z steps, but .* {said}"):
        plan_prediction(image, make_sliding(), channel=0, **CPU)


def test_memory_is_that_of_a_window_and_of_the_answer(make_sliding):
    """Features are not those of all planes: a long stack would be divided for nothing, which changes the answer."""
    model = make_sliding(widths=[16, 32])
    network = model.network
    needed = {n: n * bytes_per_voxel(network, ndim=3, stride=network.stride, planes=n) for n in (5, 60)}
    per_plane = (needed[60] - needed[5]) / 55
    assert per_plane == 4 * (1 + 2), "what is given, and two answers"
    plan = plan_prediction(np.random.default_rng(0).random((60, 16, 16)), model, **CPU)
    tiling = Tiling("auto", None, plan.device, 10**9)
    assert tiling.network_bytes(model, plan.jobs[0].grid) == pytest.approx(needed[60] * 256, rel=0.1)
