"""A run says whether its series flickers, by what it computed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_mito_predict.evaluation import flicker
from napari_mito_predict.image import Level, from_array
from napari_mito_predict.models.record import PredictionRecord
from napari_mito_predict.prediction import RunContext, plan_prediction, run
from napari_mito_predict.prediction import flicker as watched
from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.viewport import Viewport

CPU = {"device": "cpu", "precision": "32"}


@pytest.fixture
def still() -> np.ndarray:
    """(T, Z, Y, X), all time points alike."""
    stack = gaussian_filter(np.random.default_rng(0).standard_normal((6, 30, 40)), 2)
    return np.repeat((stack / stack.std())[None], 5, axis=0)


@pytest.fixture
def flickering(still) -> np.ndarray:
    return still + gaussian_filter(np.random.default_rng(1).standard_normal(still.shape), (0, 2, 2, 2)) * 2


def flicker_of(execution):
    return [finding for finding in execution.findings if finding.code == "flicker"]


@pytest.mark.parametrize("third_axes", [("z",), ("t",), ()])
@pytest.mark.parametrize("tile", ["auto", (4, 12, 16)])
def test_the_finding_has_the_numbers_of_the_planes(make_model, make_unet, flickering, third_axes, tile):
    """Whatever the layout and the tiles; the statement is that of the whole series."""
    model = make_model(make_unet(3 if third_axes else 2, 1, base_channels=2), third_axes=third_axes)
    plan = plan_prediction(flickering, model, tile=tile, **CPU)
    execution = run(plan)
    data = execution.predict()["mitochondria"].data
    (found,) = flicker_of(execution)
    planes = [1, 3, 4]
    expected = flicker(data[:, planes], flickering[:, planes])
    assert found.values == pytest.approx({"prediction": expected.prediction, "light": expected.light}, rel=1e-5)
    assert found.model == "tiny"
    assert f"{100 * expected.prediction:.0f} %" in found.message
    assert found.level is (Level.WARNING if expected.beyond_light else Level.INFO)


def test_it_is_recorded_and_told(make_model, make_unet, flickering):
    told = []
    plan = plan_prediction(flickering, make_model(make_unet(3, 1, base_channels=2)), **CPU)
    record = run(plan, RunContext(on_finding=told.append)).predict()["mitochondria"].record
    assert "flicker" in [finding.code for finding in told]
    again = PredictionRecord.model_validate_json(record.to_json())
    (found,) = [finding for finding in again.findings if finding.code == "flicker"]
    assert found.values["prediction"] > 0.1
    assert found.fix


def test_a_still_series_is_not_mentioned(make_model, make_unet, still):
    execution = run(plan_prediction(still, make_model(make_unet(3, 1, base_channels=2)), **CPU))
    execution.predict()
    assert not flicker_of(execution)


@pytest.mark.parametrize("part", [np.s_[:2], np.s_[0]], ids=["two time points", "a stack"])
def test_no_flicker_without_three_time_points(make_model, make_unet, flickering, part):
    execution = run(plan_prediction(flickering[part], make_model(make_unet(3, 1, base_channels=2)), **CPU))
    execution.predict()
    assert not flicker_of(execution)


def test_smoothing_lowers_it_and_is_not_advised_twice(make_model, make_unet, flickering, monkeypatch):
    monkeypatch.setattr(watched, "_NOTICED", 0.0)
    model = make_model(make_unet(3, 1, base_channels=2))
    found = []
    for frames in (1, 3):
        execution = run(plan_prediction(flickering, model, smooth_time=frames, **CPU))
        execution.predict()
        found += flicker_of(execution)
    plain, smooth = found
    assert smooth.values["prediction"] < 0.7 * plain.values["prediction"]
    assert plain.fix
    assert not smooth.fix


def test_it_is_about_the_worst_target_of_each_model(make_model, make_unet, make_fake, flickering):
    both = make_model(make_unet(3, 1, base_channels=2, out_channels=2), name="both", targets=("mitochondria", "dna"))
    other = make_model(make_fake(), name="other", targets=("dna",))
    execution = run(plan_prediction(flickering, [both, other], **CPU))
    execution.predict()
    assert sorted(finding.model for finding in flicker_of(execution)) == ["both", "other"]


def test_of_what_is_looked_at_first_nothing_counts_twice(make_model, make_unet, flickering):
    plan = plan_prediction(flickering, make_model(make_unet(3, 1, base_channels=2)), tile=(8, 12, 16), **CPU)
    viewport = Viewport(t=2, z=3, y=Span(2, 9), x=Span(3, 9))
    values = []
    for context in (RunContext(), RunContext(viewport=viewport)):
        execution = run(plan, context)
        for _ in execution.blocks():
            pass
        values.append(dict(flicker_of(execution)[0].values))
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_large_planes_are_measured_in_the_middle(make_model, make_fake, flickering, monkeypatch):
    monkeypatch.setattr(watched, "_WINDOW", 16)
    execution = run(plan_prediction(flickering, make_model(make_fake()), tile=(8, 8, 8), **CPU))
    data = execution.predict()["mitochondria"].data
    middle = np.s_[:, [1, 3, 4], 7:23, 12:28]
    expected = flicker(data[middle], flickering[middle])
    assert flicker_of(execution)[0].values == pytest.approx(
        {"prediction": expected.prediction, "light": expected.light}, rel=1e-5
    )


def test_the_voxel_size_counts(make_model, make_fake, flickering):
    image = from_array(flickering, axes="TZYX", voxel_size_um=(0.3, 0.05, 0.05))
    execution = run(plan_prediction(image, make_model(make_fake(), voxel_size_um=(None, 0.05, 0.05)), channel=0, **CPU))
    data = execution.predict()["mitochondria"].data[:, [1, 3, 4]]
    expected = flicker(data, voxel_size_um=(0.3, 0.05, 0.05)).prediction
    assert flicker_of(execution)[0].values["prediction"] == pytest.approx(expected, rel=1e-5)
