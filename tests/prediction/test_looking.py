"""The traffic light of an image and a model: what is found in metadata and in pixels, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import napari_mito_predict as nmp
from napari_mito_predict.errors import DoubtfulPredictionError, ImageContentError, PredictionCancelled
from napari_mito_predict.image import Finding, Level, from_array
from napari_mito_predict.prediction import look, plan_prediction, predict
from napari_mito_predict.prediction.appearance import look_at, reference_of
from napari_mito_predict.prediction.intensities import relative_contrast
from napari_mito_predict.prediction.normalize import measure, normalise

VOXEL_UM = (0.3, 0.1, 0.1)


@cache
def cells(seed=0, shape=(16, 64, 64)):
    """Dark blobs with bright rims on a bright background, with noise; uint16."""
    random = np.random.default_rng(seed)
    points = np.zeros(shape, np.float32)
    points[tuple(random.integers(0, size, 60) for size in shape)] = 1
    blobs = ndimage.gaussian_filter(points, (1, 2, 2), mode="wrap")
    blobs /= blobs.max()
    wide = ndimage.gaussian_filter(points, (2, 5, 5), mode="wrap")
    light = 2000 * (1 - 0.5 * blobs + 0.1 * wide / wide.max())
    return random.poisson(light).astype(np.uint16)


@pytest.fixture(scope="module")
def model(make_model, make_unet):
    """A small U-Net with random weights, and what the images look like that it "was trained on"."""
    made = make_model(make_unet(), name="blobs", clip=(0.1, 99.9))

    def seen(seed):
        volume = cells(seed)
        normalised = normalise(volume, measure(volume, made.card.input.normalisation))
        return look_at(normalised, relative_contrast(volume), made.network, str(seed))

    return replace(made, training_images=reference_of([seen(i) for i in range(1, 9)], [seen(i) for i in range(9, 15)]))


def image_of(volume, axes="ZYX", voxel_um=VOXEL_UM):
    return from_array(volume, axes=axes, voxel_size_um=voxel_um, channel_names=["BF"], name="cells")


def light_of(model, volume, **changes):
    return nmp.traffic_lights(image_of(volume, **changes), model)[model.name]


def codes(light):
    return {finding.code for finding in light.reasons}


@pytest.mark.parametrize(
    "changed",
    [
        lambda v: v,
        lambda v: np.rot90(v, axes=(1, 2)),
        lambda v: v[:, 8:, 8:],
        lambda v: (v >> 4).astype(np.uint8),
        lambda v: v.astype(np.float64) * 1e-3,
        lambda v: np.pad(v, ((0, 0), (0, 64), (0, 0))),
    ],
    ids=["same", "turned", "crop", "8-bit", "float", "half-blank"],
)
def test_an_image_like_those_trained_on_is_green(model, changed):
    light = light_of(model, changed(cells()))
    assert (light.colour, light.reasons) == ("green", ())


@pytest.mark.parametrize(
    ("changed", "colour", "code"),
    [
        (lambda v: 4000 - v, "red", "contrast-inverted"),
        (lambda v: np.random.default_rng(1).poisson(2000, v.shape), "red", "nothing-but-noise"),
        (lambda v: v + 50_000, "red", "little-contrast"),
        (lambda v: np.minimum(v, 1800), "amber", "intensities-unusual"),
        (lambda v: v[[0, 9, 3, 12, 5, 14, 2, 8, 11, 1, 6, 13, 4, 10, 15, 7]], "red", "planes-out-of-order"),
        (lambda v: v * 0, "red", "no-contrast"),
        (lambda v: np.where(v == v.max(), np.nan, v), "red", "not-finite"),
        (lambda v: (np.minimum(v, 2000) - v.min()) * (4095 / (2000 - v.min())), "amber", "saturated"),
    ],
    ids=["inverted", "noise", "pale", "cut-off", "shuffled", "black", "nan", "saturated"],
)
def test_an_image_unlike_them_is_not(model, changed, colour, code):
    changed_volume = changed(cells().astype(np.float64))
    if code == "saturated":
        changed_volume = changed_volume.astype(np.uint16)
    light = light_of(model, changed_volume)
    assert light.colour == colour
    assert code in codes(light)
    assert all(finding.fix for finding in light.reasons), "each reason says what to do"


@pytest.mark.parametrize(("factor", "colour", "code"), [(0.1, "red", "unfamiliar"), (0.7, "amber", "unfamiliar")])
def test_features_far_from_those_of_training_are_unfamiliar(model, factor, colour, code):
    """As far as the held-out tiles are near."""
    known = model.training_images
    ratio = _median_distance(model) / np.percentile(known.distances, 95)
    nearer = replace(known, distances=known.distances * np.float32(factor * ratio))
    light = light_of(replace(model, training_images=nearer), cells())
    assert (light.colour, codes(light)) == (colour, {code})
    (reason,) = light.reasons
    assert reason.values["ratio"] == pytest.approx(1 / factor, rel=0.2), "not of all its tiles"
    assert f"{reason.values['ratio']:.1f} times" in reason.message


def _median_distance(model):
    from napari_mito_predict.prediction.appearance import distance

    volume = cells()
    normalised = normalise(volume, measure(volume, model.card.input.normalisation))
    return np.median(distance(model.training_images, look_at(normalised, 1.0, model.network).features))


def test_a_model_that_does_not_know_its_images_is_never_green(model):
    light = light_of(replace(model, training_images=None), cells())
    assert (light.colour, codes(light)) == ("amber", {"not-compared"})
    features = replace(
        model.training_images,
        mean=np.zeros(0, np.float32),
        covariance=np.zeros((0, 0), np.float32),
        distances=np.zeros(0, np.float32),
    )
    light = light_of(replace(model, training_images=features), cells())
    assert (light.colour, codes(light)) == ("amber", {"not-compared"})


def test_another_voxel_size_is_amber_with_numbers_and_resampled(model):
    light = light_of(model, cells(), voxel_um=(0.3, 0.13, 0.13))
    assert light.colour == "amber"
    (reason,) = [finding for finding in light.reasons if finding.code == "different-voxel-size"]
    assert "resampled by 1.30 along y, x" in reason.message


def test_a_stack_for_a_model_of_time_series(model, make_model):
    series = make_model(model.network, name="series", third_axes=("t",), voxel_size_um=(None, 0.1, 0.1))
    lights = nmp.traffic_lights(image_of(cells()), [model, series])
    assert lights["blobs"].colour == "green"
    assert "planes-as-frames" in codes(lights["series"])
    assert "16 Z steps" in lights["series"].advice


def test_what_is_impossible_is_red_and_keeps_nobody_from_the_others(model, make_model, make_unet):
    flat = make_model(make_unet(ndim=2), name="flat", third_axes=(), voxel_size_um=(None, 0.1, 0.1))
    lights = nmp.traffic_lights(image_of(cells()[0], axes="YX"), [model, flat])
    assert (lights["blobs"].colour, codes(lights["blobs"])) == ("red", {"single-plane"})
    assert (lights["flat"].colour, codes(lights["flat"])) == ("amber", {"not-compared"})


def test_each_kind_of_image_is_looked_at(model):
    for given in (np.stack([cells(), cells(1), cells(2)]), cells(), cells()[:, :20, :9]):
        light = nmp.traffic_lights(given, model, voxel_size_um=VOXEL_UM)["blobs"]
        assert (light.colour == "green") == (given.shape[-1] == 64), light.advice
    series = image_of(cells(), axes="TYX")
    assert codes(nmp.traffic_lights(series, model)["blobs"]) >= {"frames-as-planes"}


def test_a_plan_is_looked_at_once_and_stays_as_it_is(model):
    plan = plan_prediction(image_of(4000 - cells()), model, device="cpu")
    looked = look(plan)
    assert (plan.looked, looked.looked) == (False, True)
    assert plan.findings == ()
    assert {finding.code for finding in looked.findings} >= {"contrast-inverted"}
    assert {finding.model for finding in looked.findings} == {"blobs"}
    assert look(looked) is looked
    with pytest.raises(PredictionCancelled):
        look(plan, lambda: True)
    with pytest.raises(DoubtfulPredictionError, match=r"blobs: red\. .*What is bright .* take the original"):
        looked.check_lights()


@pytest.mark.parametrize(("volume", "colour"), [(cells(), "green"), (4000 - cells(), "red")], ids=["green", "red"])
def test_the_record_says_the_light(model, volume, colour):
    record = predict(image_of(volume), model, device="cpu")["mitochondria"].record
    assert record.light == colour
    unseen = predict(image_of(volume), model, device="cpu", look=False)["mitochondria"].record
    assert (unseen.light, unseen.findings) == ("", ()), "green only for those who looked"


def test_what_the_engine_refuses_is_refused_in_its_words(model):
    volume = cells().astype(np.float32)
    volume[3, 4, 5] = np.nan
    with pytest.raises(ImageContentError, match="not numbers"):
        predict(image_of(volume), model, device="cpu")


def test_a_bundled_model_on_the_sample_and_on_the_same_pixels_of_anybody():
    sample = nmp.open_image(Path(nmp.__file__).parent / "_sample" / "simulated_cell.czi")
    light = sample.read(0, sample.channel().index)
    mito_z = nmp.load_model("mito-z")
    assert nmp.traffic_lights(sample, mito_z)["mito-z"].reasons == ()
    recorded = from_array(light, axes="ZYX", voxel_size_um=sample.voxel_size_um)
    found = nmp.traffic_lights(recorded, mito_z)["mito-z"]
    assert (found.colour, codes(found)) == ("amber", {"simulated-model"})


def test_the_light_is_the_worst_of_the_reasons():
    from napari_mito_predict.prediction.traffic_light import traffic_light

    findings = [
        Finding(Level.INFO, "a", ""),
        Finding(Level.WARNING, "b", ""),
        Finding(Level.SEVERE, "c", "", model="x"),
    ]
    assert [reason.code for reason in traffic_light("x", findings).reasons] == ["c", "b"]
    assert traffic_light("x", findings).colour == "red"
    assert traffic_light("y", findings).colour == "amber"
    assert traffic_light("y", findings[:1]).colour == "green"
