"""Test-time augmentation: the mean over eight orientations, against whole volumes flipped and turned by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_mito_predict.errors import PredictionCancelled, PredictionError
from napari_mito_predict.image import from_array
from napari_mito_predict.models.record import PredictionRecord
from napari_mito_predict.prediction import RunContext, memory, plan_prediction, predict, predict_to_zarr, run, runners
from napari_mito_predict.prediction.normalize import measure, normalise
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.unet import FoldedUNet
from napari_mito_predict.prediction.viewport import Viewport

CPU = {"device": "cpu", "precision": "32"}
TOLERANCE = 1e-4
slow = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of a few rows, so that small volumes have several."""
    monkeypatch.setattr(memory, "LARGEST_STRIP", {"cpu": 1})
    monkeypatch.setattr(memory, "FEWEST_ROWS", 1)


def mean_over_orientations(array, predicted):
    """Mean of what `predicted` makes of all flips and quarter turns of `array` (..., Y, X), each turned back."""
    plane = (-2, -1)
    results = []
    for turns in range(4):
        turned = np.rot90(array, turns, plane)
        results.append(np.rot90(predicted(turned), -turns, plane))
        flipped = turned[..., ::-1]
        results.append(np.rot90(predicted(flipped)[..., ::-1], -turns, plane))
    return np.mean(results, axis=0, dtype=np.float64)


def by_hand(array, model, **options):
    """The mean for one target; each orientation is predicted in one piece."""

    def predicted(oriented):
        found = predict(np.ascontiguousarray(oriented), model, tile="whole", **CPU, **options)
        return found["mitochondria"].data

    return mean_over_orientations(array, predicted)


def check(found, expected):
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()
    assert expected.std() > 20 * TOLERANCE * np.abs(expected).max(), "there is something to see"


@slow
@given(
    st.tuples(st.integers(2, 9), st.integers(5, 40), st.integers(5, 40)),
    st.sampled_from(["auto", "whole", (64, 12, 20)]),
)
def test_stacks_of_any_shape_and_tiling(make_model, make_unet, noise, shape, tile):
    model, volume = make_model(make_unet(3, 2, base_channels=2)), noise(*shape)
    found = predict(volume, model, tile=tile, tta=True, **CPU)["mitochondria"].data
    check(found, by_hand(volume, model))


def test_strip_by_strip(make_model, make_unet, noise, thin):
    model, volume = make_model(make_unet(3, 2, base_channels=2)), noise(7, 61, 42)
    plan = plan_prediction(volume, model, tta=True, **CPU)
    blocks = list(run(plan).blocks())
    assert len(blocks) > 3
    assert blocks[-1].done == blocks[-1].total == plan.total
    found = np.full(volume.shape, np.nan, np.float32)
    for block in blocks:
        assert np.isnan(found[block.slices]).all(), "no block is painted twice"
        found[block.slices] = block.data
    check(found, by_hand(volume, model))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_planes_of_any_numbers(make_model, make_unet, noise, dtype):
    model = make_model(make_unet(2, 2), third_axes=(), voxel_size_um=(None, 0.1, 0.1), clip=(1.0, 99.0))
    plane = (noise(35, 22) * 20 + 100).astype(dtype)
    check(predict(plane, model, tta=True, **CPU)["mitochondria"].data, by_hand(plane, model))


@pytest.mark.parametrize("third_axes", [("z",), ("t",)])
def test_time_series(make_model, make_unet, noise, third_axes):
    model, series = make_model(make_unet(3, 1), third_axes=third_axes), noise(3, 4, 22, 31)
    check(predict(series, model, tta=True, **CPU)["mitochondria"].data, by_hand(series, model))


@pytest.mark.parametrize("tile", ["auto", (64, 12, 20)])
def test_the_volume_at_the_voxel_size_of_the_model_is_turned(make_model, make_unet, noise, thin, tile):
    """A model of another sampling along y than along x gets each orientation at that sampling."""
    network = make_unet(3, 2, base_channels=2)
    model, volume = make_model(network, voxel_size_um=(0.3, 0.1, 0.2)), noise(6, 30, 33)
    size = (0.4, 0.13, 0.11)
    found = predict(volume, model, voxel_size_um=size, tile=tile, tta=True, **CPU)["mitochondria"].data
    resampled = Resampling.between(volume.shape, (8, 39, 18)).whole(volume)
    normalised = normalise(resampled, measure(resampled, model.card.input.normalisation))

    def predicted(oriented):
        missing = [-size % 4 for size in oriented.shape]
        padding = [(n // 2, n - n // 2) for n in missing]
        given_ = torch.from_numpy(np.pad(oriented, padding, mode="reflect"))
        with torch.inference_mode():
            output = network(given_[None, None])[0, 0].numpy()
        inside = tuple(slice(before, before + n) for (before, _), n in zip(padding, oriented.shape, strict=True))
        return output[inside]

    mean = mean_over_orientations(normalised, predicted).astype(np.float32)
    check(found, Resampling.between(mean.shape, volume.shape).whole(mean))


@slow
@given(st.tuples(*[st.sampled_from([0.7, 1.0, 1.6])] * 3))
def test_resampled(make_model, make_unet, noise, factors):
    """The image may be sampled differently along y and x: a turned image is sampled the other way round."""
    model, volume = make_model(make_unet(3, 1)), noise(5, 30, 23)
    z, y, x = (f * s for f, s in zip(factors, model.voxel_size_um, strict=True))
    found = predict(volume, model, voxel_size_um=(z, y, x), tta=True, **CPU)["mitochondria"].data

    def predicted(oriented):
        size = (z, y, x) if oriented.shape == volume.shape else (z, x, y)
        result = predict(np.ascontiguousarray(oriented), model, voxel_size_um=size, tile="whole", **CPU)
        return result["mitochondria"].data

    check(found, mean_over_orientations(volume, predicted))


def test_several_models_and_targets(make_model, make_unet, noise):
    both = make_model(make_unet(3, 1, out_channels=2), name="both", targets=("mitochondria", "dna"))
    one = make_model(make_unet(3, 2, seed=1), name="one", clip=(1.0, 99.0))
    volume = noise(5, 26, 31)
    found = predict(volume, [both, one], tta=True, **CPU)
    assert list(found) == ["mitochondria/both", "dna", "mitochondria/one"]
    for key, prediction in found.items():

        def predicted(oriented, key=key):
            return predict(np.ascontiguousarray(oriented), [both, one], tile="whole", **CPU)[key].data

        check(prediction.data, mean_over_orientations(volume, predicted))


def test_a_network_of_another_stride_along_y_than_along_x(make_model, make_fake, noise):
    fake = make_fake(ndim=3, stride=1)
    fake.stride = (1, 8, 2)
    seen = []

    def ramp(window):
        seen.append(tuple(window.shape[2:]))
        return window * torch.linspace(0, 1, window.shape[-2])[:, None]

    fake.on_call = ramp
    model, volume = make_model(fake), noise(2, 11, 9)
    found = predict(volume, model, tile="whole", tta=True, **CPU)["mitochondria"].data
    assert set(seen[-8:]) == {(2, 16, 10), (2, 16, 12)}
    check(found, by_hand(volume, model))


@pytest.mark.parametrize("attention", ["linear", "softmax"])
def test_networks_that_look_at_the_whole_field(make_model, make_gvtnet, noise, attention):
    model, volume = make_model(make_gvtnet(3, 2, base_channels=2, attention=attention)), noise(4, 30, 41)
    plan = plan_prediction(volume, model, tta=True, **CPU)
    check(run(plan).predict()["mitochondria"].data, by_hand(volume, model))
    assert not any(finding.code.startswith("in-parts") for finding in plan.findings)


def test_tiles_of_such_networks_take_their_averages_in_each_orientation(make_model, make_gvtnet, noise):
    model, volume = make_model(make_gvtnet(2, 2, base_channels=2, attention="linear"), third_axes=()), noise(1, 60, 90)
    plan = plan_prediction(volume, model, tile=(1, 32, 32), tta=True, **CPU)
    upright = plan_prediction(volume, model, tile=(1, 32, 32), **CPU)
    assert plan.total == 8 * upright.total > 8 * 6, "several passes"
    check(run(plan).predict()["mitochondria"].data, by_hand(volume, model))


def test_a_smaller_halo_is_blended_in_each_orientation(make_model, make_fake, noise):
    volume = noise(5, 50, 61)
    plan = plan_prediction(
        volume, make_model(make_fake(stride=4, field=41)), tile=(64, 12, 16), halo=8, tta=True, **CPU
    )
    data = run(plan).predict()["mitochondria"].data
    np.testing.assert_allclose(data, (volume - volume.mean()) / volume.std(), atol=1e-5)


def test_pieces_where_memory_ran_out(make_model, make_fake, noise):
    fake = make_fake(stride=2, field=5)

    def full(window):
        if window.numel() > 2000:
            raise torch.OutOfMemoryError

    fake.on_call = full
    volume = noise(4, 41, 30)
    data = predict(volume, make_model(fake), tile="whole", tta=True, **CPU)["mitochondria"].data
    np.testing.assert_allclose(data, (volume - volume.mean()) / volume.std(), atol=1e-5)


def test_what_is_looked_at_comes_first_and_is_final(make_model, make_unet, noise, thin):
    image = from_array(noise(8, 121, 140), axes="ZYX", voxel_size_um=(0.3, 0.12, 0.1))
    plan = plan_prediction(image, make_model(make_unet(3, 2, base_channels=2)), channel=0, tta=True, **CPU)
    viewport = Viewport(0, 3, Span(10, 30), Span(90, 125))
    first, *others = run(plan, RunContext(viewport=viewport)).blocks()
    assert first.slices == (slice(3, 4), slice(10, 30), slice(90, 125))
    assert first.done == 8
    whole = np.full((8, 121, 140), np.nan)
    for block in others:
        whole[block.slices] = block.data
    assert np.abs(first.data - whole[first.slices]).max() <= TOLERANCE * whole.std()
    assert others[-1].done == others[-1].total == plan.total + 8
    (look,) = run(plan, RunContext(viewport=viewport)).first_look()
    assert np.abs(look.data - whole[look.slices]).max() <= TOLERANCE * whole.std()


def test_statistics_are_measured_once(make_model, make_unet, noise, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "napari_mito_predict.prediction.prepare.measure", lambda *a, **k: calls.append(1) or measure(*a, **k)
    )
    predict(noise(4, 20, 24), make_model(make_unet(3, 1)), tta=True, **CPU)
    assert len(calls) == 1


def test_one_network_serves_all_orientations(make_model, make_unet, noise, monkeypatch):
    made = []

    class Counted(FoldedUNet):
        def __init__(self, *arguments):
            made.append(self)
            super().__init__(*arguments)

    monkeypatch.setattr(runners, "FoldedUNet", Counted)
    predict(noise(4, 20, 24), make_model(make_unet(3, 1)), tta=True, **CPU)
    assert len(made) == 1


def test_the_estimate_counts_the_work_and_no_more_memory(make_model, make_unet, noise):
    model, volume = make_model(make_unet(3, 2)), noise(8, 60, 60)
    once, all_ = (plan_prediction(volume, model, tta=tta, **CPU) for tta in (False, True))
    assert (once.orientations, all_.orientations) == (1, 8)
    assert all_.total == 8 * once.total
    assert all_.estimate_bytes == once.estimate_bytes, "the mean is summed up in the result"


def test_it_stops_between_orientations(make_model, make_unet, noise):
    done = [0]
    plan = plan_prediction(noise(4, 20, 24), make_model(make_unet(3, 1)), tta=True, **CPU)
    with pytest.raises(PredictionCancelled):
        run(
            plan,
            RunContext(on_progress=lambda count, total, message: done.append(count), cancel=lambda: max(done) >= 3),
        ).predict()
    assert max(done) == 3


def test_errors_name_the_place_in_the_image(make_model, make_fake, noise):
    """Not that in the volume as it was turned when it happened."""
    fake = make_fake(stride=1, field=1)

    def broken(window):
        if bool((window > 3).any()):
            return window * torch.inf
        return None

    fake.on_call = broken
    volume = np.full((2, 30, 50), 1.0, np.float32)
    volume[:, ::2] = 2
    volume[0, 3, 47] = 1000  # in the tile of the first rows and the last columns, whatever the orientation
    with pytest.raises(PredictionError, match="begins at z 0, y 0, x 40"):
        predict(volume, make_model(fake), tile=(64, 10, 10), tta=True, **CPU)


def test_what_is_written_is_the_same_and_says_so(make_model, make_unet, noise, tmp_path):
    zarr = pytest.importorskip("zarr")
    image = from_array(noise(4, 30, 22), axes="ZYX", voxel_size_um=(0.3, 0.1, 0.1), name="cells")
    plan = plan_prediction(image, make_model(make_unet(3, 1)), channel=0, tta=True, **CPU)
    (path,) = predict_to_zarr(plan, {"mitochondria": tmp_path / "a.ome.zarr"})
    found = predict(image, make_model(make_unet(3, 1)), channel=0, tta=True, **CPU)["mitochondria"]
    np.testing.assert_array_equal(zarr.open(path)["0"][:].squeeze(), found.data)
    assert found.record.parameters.orientations == 8
    assert found.record.to_dict()["parameters"]["orientations"] == 8


def test_records_of_before_are_of_one_orientation():
    record = PredictionRecord.model_validate({"schema_version": 2, "parameters": {"tiling": "exact"}})
    assert record.parameters.orientations == 1
