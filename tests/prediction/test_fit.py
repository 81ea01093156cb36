from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict.image import Level, from_array
from napari_mito_predict.models import Agreement, ModelTest
from napari_mito_predict.prediction import check_fit, plan_prediction, predict


def image_of(t=1, z=32, size=(0.3, 0.1, 0.1), step=5.0, simulated=False):
    image = from_array(
        np.zeros((t, z, 8, 8), np.uint8),
        axes="TZYX",
        voxel_size_um=size,
        time_step_s=step,
        channel_names=["BF"],
        name="cells",
    )
    image.simulated = simulated
    return image


@pytest.fixture
def codes(make_model, make_fake):
    def of(image, **card):
        found = check_fit(image, make_model(make_fake(), name="mito-z", **card), channel=0, depth_stride=16)
        return {finding.code: finding for finding in found}

    return of


def test_nothing_to_say_about_a_perfect_fit(codes):
    assert codes(image_of()) == {}


def test_simulated_models_are_never_green_on_real_images(codes):
    found = codes(image_of(), simulated=True)
    assert list(found) == ["simulated-model"]
    assert "not validated on real" in found["simulated-model"].message
    assert found["simulated-model"].level is Level.WARNING
    assert codes(image_of(simulated=True), simulated=True) == {}


def test_a_model_that_is_no_better_than_without_a_network_says_so(codes):
    test = ModelTest(
        target="mitochondria",
        on="test fields",
        model=Agreement(pcc=0.41, fine_pcc=0.2),
        baselines={"local contrast": Agreement(pcc=0.43, fine_pcc=0.1)},
    )
    found = codes(image_of(), tests=(test,))
    assert list(found) == ["baseline-not-beaten"]
    finding = found["baseline-not-beaten"]
    assert finding.level is Level.WARNING
    assert "mitochondria, PCC 0.41 against 0.43 of the local contrast" in finding.message
    assert finding.values == {"mitochondria, pcc": 0.41, "mitochondria, pcc, local contrast": 0.43}
    assert codes(image_of(), tests=(test.model_copy(update={"model": Agreement(pcc=0.44, fine_pcc=0.2)}),)) == {}


@pytest.mark.parametrize(
    ("size", "code", "level", "words"),
    [
        ((0.3, 0.105, 0.1), "different-voxel-size", Level.INFO, "by 1.05 along y"),
        ((0.3, 0.12, 0.12), "different-voxel-size", Level.WARNING, "by 1.20 along y, x"),
        ((0.3, 0.25, 0.25), "very-different-voxel-size", Level.SEVERE, "32 x 8 x 8 to 32 x 20 x 20"),
        ((1.0, 0.1, 0.1), "very-different-voxel-size", Level.SEVERE, "by 3.33 along z"),
        ((0.3, 0.04, 0.04), "very-different-voxel-size", Level.WARNING, "another magnification"),
        ((None, 0.1, 0.1), "voxel-size-unknown", Level.WARNING, "along z is unknown"),
        ((None, None, None), "voxel-size-unknown", Level.WARNING, "0.3 x 0.1 x 0.1 um"),
    ],
)
def test_voxel_size(codes, size, code, level, words):
    found = codes(image_of(size=size))
    assert list(found) == [code]
    assert found[code].level is level
    assert words in found[code].message


def test_z_does_not_matter_where_it_is_not_used(codes):
    assert codes(image_of(z=1, t=32, size=(None, 0.1, 0.1)), third_axes=("t",), voxel_size_um=(None, 0.1, 0.1)) == {}


@pytest.mark.parametrize(
    ("t", "z", "axes", "code", "level"),
    [
        (1, 1, ("z",), "single-plane", Level.ERROR),
        (1, 1, ("z", "t"), "single-plane", Level.ERROR),
        (32, 1, ("z",), "frames-as-planes", Level.SEVERE),
        (1, 32, ("t",), "planes-as-frames", Level.WARNING),
        (1, 6, ("z",), "thin-stack", Level.WARNING),
        (6, 1, ("t",), "thin-stack", Level.WARNING),
    ],
)
def test_third_axis(codes, t, z, axes, code, level):
    found = codes(image_of(t=t, z=z), third_axes=axes)
    assert list(found) == [code]
    assert found[code].level is level


@pytest.mark.parametrize(
    ("modality", "code", "level"),
    [
        ("confocal transmitted light", "other-modality", Level.WARNING),
        ("phase contrast", "other-modality", Level.SEVERE),
        ("transmitted light", "model-light-unknown", Level.WARNING),
    ],
)
def test_light(codes, modality, code, level):
    found = codes(image_of(), modality=modality)
    assert list(found) == [code]
    assert found[code].level is level
    assert codes(image_of(simulated=True), modality="transmitted light", simulated=True) == {}


@pytest.mark.parametrize(
    ("has", "code", "level"),
    [
        (0.33, None, None),
        (None, "z-step-unknown", Level.WARNING),
        (0.4, "different-z-step", Level.WARNING),
        (0.1, "different-z-step", Level.SEVERE),
    ],
)
def test_z_step_of_a_model_that_does_not_know_its_pixels(codes, has, code, level):
    card = {"voxel_size_um": (None, None, None), "step": {"z": 0.3}}
    found = codes(image_of(size=(has, 0.1, 0.1)), **card)
    assert found.pop("model-sampling-unknown").level is Level.WARNING
    assert {each.code: each.level for each in found.values()} == ({code: level} if code else {})


@pytest.mark.parametrize(
    ("pixel", "level"),
    [(0.105, Level.INFO), (0.13, Level.WARNING), (0.04, Level.SEVERE), (0.21, Level.SEVERE)],
)
def test_without_resampling_it_is_said_what_that_means(make_model, make_fake, pixel, level):
    image = from_array(np.zeros((32, 20, 20), np.uint8), axes="ZYX", voxel_size_um=(0.3, pixel, pixel))
    plan = plan_prediction(image, make_model(make_fake()), device="cpu", resample=False)
    (found,) = [finding for finding in plan.findings if "voxel" in finding.message.casefold()]
    assert (found.code, found.level) == ("not-resampled", level)
    assert f"off by {pixel / 0.1:.2f} along y, x" in found.message
    assert plan.jobs[0].shape == (32, 20, 20)


@pytest.mark.parametrize(
    ("step", "expected"), [(5.5, []), (30.0, ["different-time-step"]), (None, ["time-step-unknown"])]
)
def test_time_step(codes, step, expected):
    assert list(codes(image_of(t=32, z=1, step=step), third_axes=("t",), step={"t": 5.0})) == expected


def test_what_a_plan_says_is_said_once(make_model, make_fake):
    image = from_array(np.zeros((3, 32, 8, 8), np.uint8), axes="TZYX")
    plan = plan_prediction(image, make_model(make_fake()), channel=0, device="cpu")
    said = [finding.code for finding in plan.findings]
    assert sorted(said) == sorted(set(said))
    assert "voxel-size-unknown" in said


def test_findings_on_the_way_are_said_once_and_recorded(make_model, make_fake, noise):
    volume = noise(3, 8, 16, 16)
    volume[:, 2] = 7  # a blank plane at every time point
    found = predict(volume, make_model(make_fake()), device="cpu", precision="32")["mitochondria"]
    assert sum("blank" in note for note in found.record.notes) == 1
