"""How far predictions scatter: over the orientations of an image, and over several models, against numpy's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_mito_predict.errors import PredictionError
from napari_mito_predict.image import from_array, open_image
from napari_mito_predict.models.record import Quantity
from napari_mito_predict.prediction import RunContext, memory, plan_prediction, predict, predict_to_zarr, run
from napari_mito_predict.prediction.moments import Moments
from napari_mito_predict.prediction.normalize import measure, normalise
from napari_mito_predict.prediction.orientations import ORIENTATIONS
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.viewport import Viewport

CPU = {"device": "cpu", "precision": "32"}
TOLERANCE = 1e-4
slow = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def thin(monkeypatch):
    """Strips of a few rows, so that small volumes have several."""
    monkeypatch.setattr(memory, "LARGEST_STRIP", {"cpu": 1})
    monkeypatch.setattr(memory, "FEWEST_ROWS", 1)


def singly(array, predicted):
    """What `predicted` makes of each orientation of `array` (..., Y, X), turned back."""
    return [o.inverse.array(predicted(np.ascontiguousarray(o.array(array)))) for o in ORIENTATIONS]


def check(found, results):
    """Against numpy's standard deviation, in float64."""
    expected = np.std(np.asarray(results, np.float64), axis=0)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(results).max()
    assert expected.max() > 20 * TOLERANCE * np.abs(results).max(), "there is something to see"


def check_model(given_, model, key="mitochondria", **options):
    """The deviation of one output of a model, and that its mean is the one without it."""
    found = predict(given_, model, uncertainty=True, **CPU, **options)
    plain = predict(given_, model, tta=True, **CPU, **options)
    np.testing.assert_array_equal(found[key].data, plain[key].data)
    results = singly(given_, lambda turned: predict(turned, model, tile="whole", **CPU)[key].data)
    check(found[f"{key}/uncertainty"].data, results)


@slow
@given(
    st.tuples(st.integers(2, 6), st.integers(9, 30), st.integers(9, 30)),
    st.sampled_from(["auto", "whole", (64, 12, 20)]),
)
def test_stacks_of_any_shape_and_tiling(make_model, make_unet, noise, shape, tile):
    check_model(noise(*shape), make_model(make_unet(3, 1)), tile=tile)


def test_single_planes(make_model, make_unet, noise):
    check_model(noise(23, 35), make_model(make_unet(2, 2), third_axes=(), voxel_size_um=(None, 0.1, 0.1)))


@pytest.mark.parametrize("third_axes", [("z",), ("t",)])
def test_time_series(make_model, make_unet, noise, third_axes):
    check_model(noise(3, 2, 15, 22), make_model(make_unet(3, 1), third_axes=third_axes))


def test_networks_that_look_at_the_whole_field(make_model, make_gvtnet, noise):
    model = make_model(make_gvtnet(2, 2, base_channels=2, attention="linear"), third_axes=())
    check_model(noise(1, 40, 52), model, tile=(1, 32, 32))


def test_several_targets(make_model, make_unet, noise):
    both = make_model(make_unet(3, 1, out_channels=2), name="both", targets=("mitochondria", "dna"))
    found = predict(noise(4, 20, 24), both, uncertainty=True, **CPU)
    assert list(found) == ["mitochondria", "dna", "mitochondria/uncertainty", "dna/uncertainty"]
    check_model(noise(4, 20, 24), both, key="dna")


def test_resampled_as_the_prediction_is(make_model, make_unet, noise):
    """It is that of the model's own grid, interpolated: never less than that of the interpolated predictions."""
    network = make_unet(3, 2, base_channels=2)
    model, volume = make_model(network, voxel_size_um=(0.3, 0.1, 0.2)), noise(6, 30, 33)
    size = (0.4, 0.13, 0.11)
    found = predict(volume, model, voxel_size_um=size, uncertainty=True, **CPU)["mitochondria/uncertainty"].data
    resampled = Resampling.between(volume.shape, (8, 39, 18)).whole(volume)
    normalised = normalise(resampled, measure(resampled, model.card.input.normalisation))

    def predicted(oriented):
        missing = [-size % 4 for size in oriented.shape]
        padding = [(n // 2, n - n // 2) for n in missing]
        padded = torch.from_numpy(np.pad(oriented, padding, mode="reflect"))
        with torch.inference_mode():
            output = network(padded[None, None])[0, 0].numpy()
        return output[tuple(slice(a, a + n) for (a, _), n in zip(padding, oriented.shape, strict=True))]

    results = singly(normalised, predicted)
    back = Resampling.between((8, 39, 18), volume.shape)
    expected = back.whole(np.std(results, axis=0, dtype=np.float64))
    assert np.abs(found - expected).max() <= TOLERANCE * expected.max()
    of_interpolated = np.std([back.whole(np.ascontiguousarray(each)) for each in results], axis=0)
    assert (found >= of_interpolated - TOLERANCE).all()


def test_small_differences_of_large_values_keep_their_digits(make_model, make_fake, noise):
    job = plan_prediction(noise(2, 9, 9), make_model(make_fake()), uncertainty=True, **CPU).jobs[0]
    moments = Moments.zero(job, lambda shape: np.zeros(shape, np.float32))
    values = 1000 + 0.01 * np.random.default_rng(0).standard_normal((8, 1, 2, 9, 9)).astype(np.float32)
    for view, value in zip(job.views, values.astype(np.float32), strict=True):
        moments.add(view, (slice(None),) * 3, value)
    expected = np.std(values.astype(np.float32), axis=0, dtype=np.float64)
    found = np.sqrt(moments.squares / 8)
    assert np.abs(found / expected - 1).max() < 0.05
    naive = np.sqrt(np.maximum((values**2).sum(0) / 8 - (values.sum(0) / 8) ** 2, 0))
    assert np.abs(naive / expected - 1).max() > 1, "a plain sum of squares would not do"


@pytest.mark.parametrize("leaves", [False, True])
def test_in_the_memory_of_a_device(make_model, make_unet, noise, thin, monkeypatch, leaves):
    """And where that runs out half-way, so that the rest is summed up in main memory."""
    model, volume = make_model(make_unet(3, 1)), noise(4, 40, 33)
    plan = plan_prediction(volume, model, uncertainty=True, voxel_size_um=(0.3, 0.12, 0.1), **CPU)
    expected = run(plan, RunContext(keep_on_device=False)).predict()
    if leaves:
        summed = Moments.add
        calls = []

        def add(self, view, place, values):
            calls.append(view)
            if len(calls) == 30:
                raise torch.OutOfMemoryError
            summed(self, view, place, values)

        monkeypatch.setattr(Moments, "add", add)
    found = run(plan, RunContext(keep_on_device=True)).predict()
    assert list(found) == list(expected)
    for key, prediction in expected.items():
        np.testing.assert_allclose(found[key].data, prediction.data, atol=1e-4)
    assert not leaves or len(calls) > 30


def test_blocks_of_what_is_looked_at_and_of_the_rest(make_model, make_unet, noise, thin):
    image = from_array(noise(8, 121, 140), axes="ZYX", voxel_size_um=(0.3, 0.1, 0.1))
    plan = plan_prediction(image, make_model(make_unet(3, 2, base_channels=2)), channel=0, uncertainty=True, **CPU)
    viewport = Viewport(0, 3, Span(10, 30), Span(90, 125))
    whole = {key: np.full(output.shape, np.nan) for key, output in plan.outputs.items()}
    first, second, *others = run(plan, RunContext(viewport=viewport)).blocks()
    assert [first.target, second.target] == ["mitochondria", "mitochondria/uncertainty"]
    for block in others:
        assert np.isnan(whole[block.target][block.slices]).all(), "no block is painted twice"
        whole[block.target][block.slices] = block.data
    for block in (first, second):
        assert block.slices == (slice(3, 4), slice(10, 30), slice(90, 125))
        np.testing.assert_allclose(block.data, whole[block.target][block.slices], atol=1e-3)
    assert np.isfinite(whole["mitochondria/uncertainty"]).all()


@pytest.mark.parametrize("third_axes", [("z",), ("t",)])
def test_how_far_models_disagree(make_model, make_unet, noise, third_axes, tmp_path):
    """Of several volumes, and models whose grids and blocks differ; streamed to a disk as well."""
    one = make_model(make_unet(3, 1), name="one", third_axes=third_axes)
    other = make_model(make_unet(3, 2, seed=1), name="other", third_axes=third_axes, voxel_size_um=(0.3, 0.13, 0.1))
    image = from_array(noise(2, 3, 21, 18), axes="TZYX", voxel_size_um=(0.3, 0.1, 0.1), time_step_s=1)
    plan = plan_prediction(image, [one, other], channel=0, uncertainty=True, **CPU)
    found = run(plan).predict()
    assert list(found)[-1] == "mitochondria/disagreement"
    check(found["mitochondria/disagreement"].data, [found[f"mitochondria/{name}"].data for name in ("one", "other")])
    record = found["mitochondria/disagreement"].record
    assert [member.model.name for member in record.members] == ["one", "other"]
    assert record.quantity is Quantity.DISAGREEMENT
    pytest.importorskip("zarr")
    paths = {key: tmp_path / f"{i}.ome.zarr" for i, key in enumerate(plan.outputs)}
    written = open_image(predict_to_zarr(plan, paths)[-1])
    (channel,) = written.channels
    assert channel.prediction is not None
    assert channel.prediction.model == "one+other"
    np.testing.assert_array_equal(written.read(1, 0), found["mitochondria/disagreement"].data[1])


def test_what_is_looked_at_first_does_not_count_twice_in_a_disagreement(make_model, make_unet, noise, thin):
    models = [make_model(make_unet(3, 1, seed=seed), name=f"model-{seed}") for seed in (0, 1)]
    image = from_array(noise(6, 90, 60), axes="ZYX", voxel_size_um=(0.3, 0.1, 0.1))
    plan = plan_prediction(image, models, channel=0, uncertainty=True, **CPU)
    viewport = Viewport(0, 3, Span(10, 20), Span(10, 20))
    blocks = list(run(plan, RunContext(viewport=viewport)).blocks())
    (block,) = [each for each in blocks if each.target == "mitochondria/disagreement"]
    found = run(plan).predict()
    np.testing.assert_array_equal(block.data, found["mitochondria/disagreement"].data)


def test_models_of_stacks_and_of_series_are_not_compared(make_model, make_unet, noise):
    models = [make_model(make_unet(3, 1), name=axis, third_axes=(axis,)) for axis in "zt"]
    plan = plan_prediction(noise(3, 4, 12, 12), models, uncertainty=True, **CPU)
    assert "mitochondria/disagreement" not in plan.outputs
    assert "no-disagreement" in {finding.code for finding in plan.findings}


def test_what_it_says_of_itself(make_model, make_unet, noise, tmp_path):
    image = from_array(noise(4, 16, 16), axes="ZYX", voxel_size_um=(0.3, 0.1, 0.1), name="cells")
    model = make_model(make_unet(3, 1), simulated=True)
    found = predict(image, model, channel=0, uncertainty=True, **CPU)["mitochondria/uncertainty"]
    assert found.output.title == "MITOCHONDRIA uncertainty (tiny)"
    assert found.output.disclaimer
    assert found.record.quantity is Quantity.UNCERTAINTY
    assert "not the error" in found.record.values
    path = found.save(tmp_path / "a.ome.tif")
    copied = path.rename(tmp_path / "copied.ome.tif")  # without its record
    for each in (from_array(found.data, axes="ZYX", channel_names=[found.output.title]), open_image(copied)):
        assert each.channels[0].prediction is not None
        assert each.channels[0].prediction.model == "tiny"
    measured = from_array(found.data, axes="ZYX", channel_names=["localisation uncertainty (nm)"])
    assert measured.channels[0].prediction is None


def test_the_estimate_counts_what_it_holds(make_model, make_unet, noise):
    model, volume = make_model(make_unet(3, 2)), noise(8, 60, 60)
    plain, deviating = (plan_prediction(volume, model, tta=True, uncertainty=u, **CPU) for u in (False, True))
    assert deviating.total == plain.total
    assert deviating.estimate_bytes - plain.estimate_bytes == 2 * 4 * volume.size, "in the run, and as a result"
    other = make_model(make_unet(3, 2, seed=1), name="other")
    both = [plan_prediction(volume, [model, other], tta=True, uncertainty=u, **CPU) for u in (False, True)]
    held = 4 + 4 * 3 + 2 * 2 * 4
    assert both[1].estimate_bytes - both[0].estimate_bytes == held * volume.size


def test_blended_tiles_are_refused(make_model, make_fake, noise):
    model = make_model(make_fake(stride=4, field=41))
    with pytest.raises(PredictionError, match="without a halo"):
        plan_prediction(noise(5, 50, 61), model, tile=(64, 12, 16), halo=8, uncertainty=True, **CPU)


def test_a_model_of_the_name_of_an_output_is_refused(make_model, make_unet, noise):
    models = [make_model(make_unet(3, 1), name=name) for name in ("disagreement", "other")]
    with pytest.raises(PredictionError, match="another name"):
        plan_prediction(noise(4, 12, 12), models, uncertainty=True, **CPU)
