"""Third axes: which plane of the image becomes which plane of the prediction. Identity networks make it exact."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict.errors import (
    ChannelNotFoundError,
    ImageError,
    ModelError,
    ModelMismatchError,
    PredictionError,
    UnsupportedImageError,
)
from napari_mito_predict.image import from_array
from napari_mito_predict.prediction import plan_prediction, predict, run

CPU = {"device": "cpu", "precision": "32"}
SIZE = (0.3, 0.1, 0.1)


def zscore(volume, axes):
    volume = volume.astype(np.float64)
    return (volume - volume.mean(axes, keepdims=True)) / volume.std(axes, keepdims=True)


def image_of(data, axes="TZYX"):
    return from_array(data, axes=axes, voxel_size_um=SIZE, time_step_s=5.0)


@pytest.mark.parametrize(
    ("third_axes", "shape", "statistics"),
    [
        (("z",), (3, 6, 20, 24), (1, 2, 3)),  # each time point a stack
        (("t",), (3, 6, 20, 24), (0, 2, 3)),  # each plane a series
        (("z", "t"), (3, 6, 20, 24), (1, 2, 3)),  # z first
        (("z", "t"), (5, 1, 20, 24), (0, 2, 3)),
        (("t",), (5, 1, 20, 24), (0, 2, 3)),
        (("z",), (5, 1, 20, 24), (0, 2, 3)),  # with a warning
        (("t",), (1, 5, 20, 24), (1, 2, 3)),  # with a warning
        ((), (3, 6, 20, 24), (1, 2, 3)),
        ((), (3, 1, 20, 24), (1, 2, 3)),
        ((), (1, 1, 20, 24), (1, 2, 3)),
    ],
)
def test_images(make_model, make_fake, noise, third_axes, shape, statistics):
    data, image = noise(*shape), image_of(noise(*shape))
    model = make_model(make_fake(ndim=3 if third_axes else 2), third_axes=third_axes)
    plan = plan_prediction(image, model, channel=0, tile=(64, 12, 12), **CPU)
    found = run(plan).predict()["mitochondria"]
    expected = zscore(data, statistics)
    assert found.output.axes == ("TZYX" if shape[0] > 1 else "ZYX")
    assert found.voxel_size_um == SIZE
    assert found.time_step_s == 5.0
    np.testing.assert_allclose(found.data, expected if shape[0] > 1 else expected[0], atol=1e-5)
    for block in run(plan).blocks():
        covered = block.slices[0].start if shape[0] > 1 else 0
        assert block.t == covered


@pytest.mark.parametrize(
    ("third_axes", "shape", "axes", "statistics"),
    [
        (("z",), (6, 20, 24), "ZYX", (0, 1, 2)),
        (("t",), (6, 20, 24), "TYX", (0, 1, 2)),
        (("z", "t"), (6, 20, 24), "ZYX", (0, 1, 2)),
        ((), (6, 20, 24), "ZYX", (0, 1, 2)),
        ((), (20, 24), "YX", (0, 1)),
        (("z",), (2, 6, 20, 24), "TZYX", (1, 2, 3)),
        (("t",), (4, 2, 20, 24), "TZYX", (0, 2, 3)),
        (("z",), (1, 6, 20, 24), "TZYX", (1, 2, 3)),
    ],
)
def test_arrays(make_model, make_fake, noise, third_axes, shape, axes, statistics):
    data = noise(*shape)
    model = make_model(make_fake(ndim=3 if third_axes else 2), third_axes=third_axes)
    found = predict(data, model, tile=(64, 12, 12), **CPU)["mitochondria"]
    assert found.output.axes == axes
    assert found.data.shape == shape
    np.testing.assert_allclose(found.data, zscore(data, statistics), atol=1e-5)


def test_models_of_different_third_axes_in_one_call(make_model, make_fake, noise):
    data = noise(4, 6, 20, 24)
    models = [
        make_model(make_fake(), name="by-z", targets=("mitochondria",), third_axes=("z",)),
        make_model(make_fake(), name="by-t", targets=("dna",), third_axes=("t",)),
    ]
    found = predict(image_of(data), models, channel=0, **CPU)
    np.testing.assert_allclose(found["mitochondria"].data, zscore(data, (1, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(found["dna"].data, zscore(data, (0, 2, 3)), atol=1e-5)


def test_dask_arrays_are_read_volume_by_volume(make_model, make_fake, noise):
    import dask.array

    data = noise(2, 6, 20, 24)
    lazy = dask.array.from_array(data, chunks=(1, 6, 20, 24))
    found = predict(lazy, make_model(make_fake()), **CPU)["mitochondria"].data
    np.testing.assert_allclose(found, zscore(data, (1, 2, 3)), atol=1e-5)


@pytest.mark.parametrize("given", [(20, 24), (1, 20, 24), (1, 1, 20, 24)])
def test_a_single_plane_is_refused_by_3d_models(make_model, make_fake, noise, given):
    model = make_model(make_fake(), name="mito-z")
    with pytest.raises(ModelMismatchError, match=r"mito-z needs a z-stack, but .* is a single plane"):
        predict(noise(*given), model, **CPU)


@pytest.mark.parametrize("shape", [(5,), (2, 2, 2, 8, 8)])
def test_arrays_of_other_axes_are_refused(make_model, make_fake, noise, shape):
    with pytest.raises(ImageError, match="expected"):
        predict(noise(*shape), make_model(make_fake()), **CPU)


def test_colour_images_are_refused(make_model, make_fake):
    image = from_array(np.zeros((4, 16, 16, 3), np.uint8), axes="ZYXS")
    with pytest.raises(UnsupportedImageError):
        predict(image, make_model(make_fake()), channel=0, **CPU)


def test_only_y_and_x_are_resampled_for_a_time_model(make_model, make_fake, noise):
    model = make_model(make_fake(), third_axes=("t",), voxel_size_um=(None, 0.2, 0.2))
    plan = plan_prediction(image_of(noise(5, 1, 20, 24)), model, channel=0, **CPU)
    assert plan.jobs[0].shape == (5, 10, 12)
    assert run(plan).predict()["mitochondria"].data.shape == (5, 1, 20, 24)


def test_nearly_the_same_voxel_size_is_not_resampled(make_model, make_fake, noise):
    model = make_model(make_fake())
    same = plan_prediction(noise(6, 100, 100), model, voxel_size_um=(0.303, 0.1015, 0.0985), **CPU)
    assert same.jobs[0].shape == (6, 100, 100)
    other = plan_prediction(noise(6, 100, 100), model, voxel_size_um=(0.3, 0.1, 0.11), **CPU)
    assert other.jobs[0].shape == (6, 100, 110)


@pytest.mark.parametrize("tile", ["huge", (1, 2), (0, 8, 8), (1.5, 8, 8)])
def test_impossible_tiles_are_refused(make_model, make_fake, noise, tile):
    with pytest.raises(PredictionError, match="expected 'auto', 'whole'"):
        predict(noise(6, 16, 16), make_model(make_fake()), tile=tile, **CPU)


def test_models_have_to_be_told_apart(make_model, make_fake, noise):
    with pytest.raises(PredictionError, match="More than one model is called tiny"):
        predict(noise(6, 16, 16), [make_model(make_fake()), make_model(make_fake())], **CPU)
    with pytest.raises(PredictionError, match="No model"):
        predict(noise(6, 16, 16), [], **CPU)
    with pytest.raises(ModelError, match="no-such-model"):
        predict(noise(6, 16, 16), "no-such-model", **CPU)


def test_colour_images_are_refused_as_such(make_model, make_fake):
    """Before anybody is asked which of several transmitted-light channels to use."""
    image = from_array(np.zeros((2, 8, 8, 3), np.uint8), axes="CYXS", channel_names=["Bright", "Brightfield"])
    with pytest.raises(UnsupportedImageError, match="RGB"):
        predict(image, make_model(make_fake()), **CPU)


def test_without_a_transmitted_light_channel_the_user_is_asked(make_model, make_fake, noise):
    stained = from_array(noise(2, 4, 16, 16), axes="CZYX", channel_names=["DAPI", "EGFP"], voxel_size_um=SIZE)
    with pytest.raises(ChannelNotFoundError, match=r"DAPI.*EGFP.*index or name"):
        predict(stained, make_model(make_fake()), **CPU)
    assert "mitochondria" in predict(stained, make_model(make_fake()), channel="EGFP", **CPU)
