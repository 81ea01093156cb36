"""Where somebody looks is predicted first, and as it will be in the end."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict.image import from_array
from napari_mito_predict.prediction import RunContext, memory, plan_prediction, run
from napari_mito_predict.prediction.known_statistics import KnownStatistics
from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.viewport import Viewport

CPU = {"device": "cpu", "precision": "32"}


@pytest.fixture(autouse=True)
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of a few rows, so that small volumes have several."""
    monkeypatch.setattr(memory, "LARGEST_STRIP", {"cpu": 1})
    monkeypatch.setattr(memory, "FEWEST_ROWS", 1)


def _plan(make_model, make_unet, data, axes="ZYX", **options):
    image = from_array(data, axes=axes, voxel_size_um=(0.3, 0.1, 0.1), time_step_s=30.0)
    models = [
        make_model(make_unet(3, 2, base_channels=2, seed=i), name=n, targets=(n,), **options)
        for i, n in enumerate("ab")
    ]
    return plan_prediction(image, models, channel=0, **CPU)


@pytest.mark.parametrize("known", [None, KnownStatistics()], ids=["to-be-measured", "known"])
def test_the_field_of_view_comes_first_and_is_final(make_model, make_unet, noise, known):
    plan = _plan(make_model, make_unet, noise(8, 200, 180))
    viewport = Viewport(0, 3, Span(90, 120), Span(60, 110))
    if known is not None:
        run(plan, RunContext(viewport=viewport, known=known)).measure()
    first, *others = run(plan, RunContext(viewport=viewport, known=known)).blocks()
    assert first.target == "a"
    assert others[0].target == "b", "both targets, before all the rest"
    assert first.slices == (slice(3, 4), slice(90, 120), slice(60, 110))
    assert first.done == 1
    whole = np.full((8, 200, 180), np.nan)
    for block in others:
        if block.target == "a":
            whole[block.slices] = block.data
    assert np.isfinite(whole).all()
    assert np.abs(first.data - whole[first.slices]).max() <= 1e-4 * whole.std()
    assert others[-1].done == others[-1].total


def test_no_more_than_the_look(make_model, make_unet, noise):
    plan = _plan(make_model, make_unet, noise(8, 200, 180))
    blocks = list(run(plan, RunContext(viewport=Viewport(0, 3, Span(90, 120), Span(60, 110)))).first_look())
    assert [block.target for block in blocks] == ["a", "b"]
    assert blocks[0].slices == (slice(0, 8), slice(90, 120), slice(60, 110)), "planes that are read anyway come along"
    expected = run(plan).predict()["a"].data[blocks[0].slices]
    assert np.abs(blocks[0].data - expected).max() <= 1e-4 * expected.std()


def test_a_small_image_is_done_at_once(make_model, make_unet, noise, monkeypatch):
    monkeypatch.setattr(memory, "FEWEST_ROWS", 64)
    plan = _plan(make_model, make_unet, noise(8, 40, 40))
    viewport = Viewport(0, 3, Span(10, 30), Span(10, 30))
    assert len(list(run(plan, RunContext(viewport=viewport)).blocks())) == 2
    assert [block.data.shape for block in run(plan, RunContext(viewport=viewport)).first_look()] == [(8, 40, 40)] * 2


def test_the_time_point_that_is_looked_at_comes_first(make_model, make_unet, noise):
    plan = _plan(make_model, make_unet, noise(3, 8, 100, 90), "TZYX")
    times = [block.t for block in run(plan, RunContext(viewport=Viewport(1, 3, Span(40, 60), Span(40, 60)))).blocks()]
    assert times[:2] == [1, 1]
    assert list(dict.fromkeys(times)) == [1, 0, 2]


def test_of_a_long_series_only_the_frames_around(make_model, make_unet, noise):
    plan = _plan(make_model, make_unet, noise(200, 90, 80), "TYX", third_axes=("t",))
    first = next(run(plan, RunContext(viewport=Viewport(101, 0, Span(40, 60), Span(40, 60)))).blocks())
    assert first.slices == (slice(101, 102), slice(0, 1), slice(40, 60), slice(40, 60))


def test_no_other_time_point_is_read_for_a_look(make_model, make_unet, noise, monkeypatch):
    plan, known = _plan(make_model, make_unet, noise(3, 8, 100, 90), "TZYX"), KnownStatistics()
    reads, read = [], type(plan.subject.image).read
    monkeypatch.setattr(
        type(plan.subject.image), "read", lambda self, t, *a, **k: reads.append(t) or read(self, t, *a, **k)
    )
    viewport = Viewport(1, 3, Span(40, 60), Span(40, 60))
    run(plan, RunContext(viewport=viewport, known=known)).measure()
    assert len(list(run(plan, RunContext(viewport=viewport, known=known)).first_look())) == 2
    assert reads == [1, 1]


def test_all_kinds_of_preparation_are_measured_ahead(make_model, make_unet, noise, monkeypatch):
    models = [
        make_model(make_unet(3, 2, base_channels=2), name=name, targets=(name,), clip=clip)
        for name, clip in (("a", None), ("b", (1.0, 99.0)))
    ]
    plan, known = plan_prediction(noise(8, 60, 60), models, **CPU), KnownStatistics()
    viewport = Viewport(0, 3, Span(0, 60), Span(0, 60))
    run(plan, RunContext(viewport=viewport, known=known)).measure()
    monkeypatch.setattr("napari_mito_predict.prediction.prepare.measure", None)
    assert {block.target for block in run(plan, RunContext(viewport=viewport, known=known)).blocks()} == {"a", "b"}


def test_a_look_beside_the_image_changes_nothing(make_model, make_unet, noise):
    plan = _plan(make_model, make_unet, noise(8, 100, 90))
    (one, *_), (other, *_) = (
        run(plan, RunContext(viewport=Viewport(0, 3, Span(-50, -20), Span(10, 40)))).blocks(),
        run(plan).blocks(),
    )
    assert one.slices == other.slices


def test_of_a_large_field_of_view_the_middle_is_taken(make_model, make_unet, noise):
    plan = _plan(make_model, make_unet, noise(8, 900, 800))
    first = next(run(plan, RunContext(viewport=Viewport(0, 3, Span(-10, 2000), Span(0, 800)))).first_look())
    assert first.slices == (slice(0, 8), slice(322, 578), slice(272, 528))


def test_measuring_is_done_once(make_model, make_unet, noise, monkeypatch):
    plan, known = _plan(make_model, make_unet, noise(8, 60, 60)), KnownStatistics()
    viewport = Viewport(0, 3, Span(0, 60), Span(0, 60))
    run(plan, RunContext(viewport=viewport, known=known)).measure()
    monkeypatch.setattr("napari_mito_predict.prediction.prepare.measure", None)
    assert len(list(run(plan, RunContext(viewport=viewport, known=known)).blocks())) > 2
