"""Where the user looks comes first, and can be seen before anything else is predicted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict import errors
from napari_mito_predict._widgets.common import image_layers
from napari_mito_predict._widgets.common.facts import PreviewFacts, facts_of
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict.prediction import Execution, memory
from napari_mito_predict.prediction.tiles import Span

SHAPE = (8, 240, 200)
PLACE = {"scale": (0.29, 0.11, 0.11), "translate": (3.0, -5.0, 7.0), "units": ("um",) * 3}
LABELS = ("z", "y", "x")


@pytest.fixture(autouse=True)
def thin(monkeypatch):
    """Strips of a few rows, so that small volumes have several."""
    monkeypatch.setattr(memory, "LARGEST_STRIP", {"cpu": 1})
    monkeypatch.setattr(memory, "FEWEST_ROWS", 1)


@pytest.fixture
def viewports(monkeypatch):
    """All looks that the engine was asked to predict alone."""
    asked, first_look = [], Execution.first_look

    def counted(self):
        asked.append(self.context.viewport)
        return first_look(self)

    monkeypatch.setattr(Execution, "first_look", counted)
    return asked


def open_layer(dock, viewer, qtbot, data, **place):
    """A layer of transmitted light, both models checked, and 60 x 40 pixels around the middle on screen."""
    layer = viewer.add_image(data, name="BF", **place)
    for box in dock.models._boxes.values():
        box.setChecked(box.accessibleName() in ("mito-z", "dna-z"))
    qtbot.waitUntil(lambda: "about" in dock.predict.cost.text(), timeout=60_000)
    look_at(viewer, layer, (0,) * (layer.ndim - 3) + (3, 120, 100))
    return layer


@pytest.fixture
def field(dock, viewer, qtbot):
    light = np.random.default_rng(0).random(SHAPE, np.float32)
    return open_layer(dock, viewer, qtbot, light, axis_labels=LABELS, **PLACE)


@pytest.fixture
def movie(dock, viewer, qtbot):
    light = np.random.default_rng(0).random((3, *SHAPE), np.float32)
    place = {"scale": (30.0, *PLACE["scale"]), "units": ("s", *PLACE["units"]), "axis_labels": ("t", *LABELS)}
    return open_layer(dock, viewer, qtbot, light, **place)


def look_at(viewer, layer, voxel):
    viewer.canvas.size = (200, 300)
    world = layer.data_to_world(voxel)
    viewer.dims.point = world
    viewer.scene.camera.center = tuple(world[-2:])
    viewer.scene.camera.zoom = 5 / 0.11


def previews(viewer):
    return [layer for layer in viewer.layers if isinstance(facts_of(layer), PreviewFacts)]


def shown(dock, viewer, qtbot):
    qtbot.waitUntil(lambda: "Preview:" in dock.predict.note.text(), timeout=60_000)
    return previews(viewer)


def settle(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.here._soon.isActive() and not dock.here._job.state.busy, timeout=60_000)


def test_the_visible_region_is_predicted_first(dock, viewer, qtbot, field, monkeypatch):
    blocks, run = [], Execution.blocks

    def watched(self):
        for block in run(self):
            blocks.append(block)
            yield block

    monkeypatch.setattr(Execution, "blocks", watched)
    dock.predict.predict.click()
    qtbot.waitUntil(lambda: dock.job.state is JobState.DONE, timeout=60_000)
    assert [block.target for block in blocks[:2]] == ["mitochondria", "dna"]
    for block in blocks[:2]:
        assert block.slices == (slice(3, 4), slice(100, 141), slice(70, 131))
    assert len(blocks) > 4


def test_the_volume_is_measured_before_predict_is_pressed(dock, viewer, qtbot, field, monkeypatch):
    monkeypatch.setattr("napari_mito_predict.prediction.prepare.measure", None)
    dock.predict.predict.click()
    qtbot.waitUntil(lambda: not dock.job.state.busy, timeout=60_000)
    assert dock.job.state is JobState.DONE


def test_what_cannot_be_measured_is_said_when_it_is_to_be_predicted(dock, viewer, qtbot):
    light = np.zeros((3, *SHAPE), np.float32)
    open_layer(dock, viewer, qtbot, light, axis_labels=("t", *LABELS))
    assert dock.predict.predict.isEnabled()
    assert dock.predict.failure.isHidden()


def test_a_preview_is_what_the_whole_prediction_will_be(dock, viewer, qtbot, field):
    before = list(viewer.layers)
    point, selected = viewer.dims.point, viewer.layers.selection.active
    dock.predict.preview.click()
    mito, dna = shown(dock, viewer, qtbot)
    assert [layer.name for layer in (mito, dna)] == [
        "preview: TMRM predicted (mito-z)",
        "preview: SYBR Gold predicted (dna-z)",
    ]
    assert [layer.colormap.name for layer in (mito, dna)] == ["magenta", "cyan"]
    assert tuple(mito.contrast_limits) == (-0.5, 5.0)
    assert mito.data.shape == (8, 41, 61)
    np.testing.assert_allclose(mito.data_to_world((0, 0, 0)), field.data_to_world((0, 100, 70)))
    assert dock.predict.note.text() == "Preview: 61 × 41 pixels, 8 planes"
    assert dock.predict.summary == "preview"
    assert (viewer.dims.point, viewer.layers.selection.active) == (point, selected)
    assert not any(image_layers.is_input(layer) or image_layers.is_prediction(layer) for layer in (mito, dna))

    preview = mito.data
    dock.predict.predict.click()
    qtbot.waitUntil(lambda: dock.job.state is JobState.DONE, timeout=60_000)
    assert previews(viewer) == []
    assert not dock.predict.preview.isChecked()
    made = [layer for layer in viewer.layers if layer not in before]
    np.testing.assert_allclose(made[0].data[:, 100:141, 70:131], preview, atol=1e-4)


def test_a_slider_within_the_stack_predicts_nothing_anew(dock, viewer, qtbot, field, viewports):
    dock.predict.preview.click()
    (mito, _) = shown(dock, viewer, qtbot)
    data = mito.data
    for z in range(8):
        viewer.dims.set_current_step(0, z)
    viewer.scene.camera.zoom *= 1.5
    qtbot.wait(300)
    settle(dock, qtbot)
    assert len(viewports) == 1
    assert previews(viewer)[0].data is data


def test_the_preview_follows_and_comes_back_from_the_cache(dock, viewer, qtbot, movie, viewports):
    dock.predict.preview.click()
    layers = shown(dock, viewer, qtbot)
    first = layers[0].data
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: layers[0].data is not first, timeout=60_000)
    settle(dock, qtbot)
    assert [viewport.t for viewport in viewports] == [0, 2]
    assert previews(viewer) == layers, "the same layers, with what the user changed in them"
    np.testing.assert_allclose(layers[0].data_to_world((0,) * 4), movie.data_to_world((2, 0, 100, 70)))
    viewer.dims.set_current_step(0, 0)
    assert np.shares_memory(layers[0].data, first), "at once"
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: len(viewports) == 3, timeout=60_000)
    viewer.dims.set_current_step(0, 0)
    assert dock.predict.note.text() == "Preview: 61 × 41 pixels, 8 planes"
    viewports.clear()
    look_at(viewer, movie, (0, 3, 60, 100))
    qtbot.waitUntil(lambda: any(viewport.y == Span(40, 81) for viewport in viewports), timeout=60_000)
    settle(dock, qtbot)
    np.testing.assert_allclose(layers[0].data_to_world((0,) * 4), movie.data_to_world((0, 0, 40, 70)))


def test_a_slider_that_is_dragged_predicts_where_it_stops(dock, viewer, qtbot, movie, viewports):
    dock.predict.preview.click()
    shown(dock, viewer, qtbot)
    viewer.dims.set_current_step(0, 1)
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: len(viewports) == 2, timeout=60_000)
    settle(dock, qtbot)
    assert [viewport.t for viewport in viewports] == [0, 2]


def test_newer_requests_cancel_older_ones(dock, viewer, qtbot, movie, monkeypatch):
    first_look, cancelled = Execution.first_look, []

    def slow(self):
        while self.context.viewport.t == 0 and not self.context.cancel():
            pass
        if self.context.viewport.t == 0:
            cancelled.append(self.context.viewport)
            raise errors.PredictionCancelled("Cancelled.")
        yield from first_look(self)

    monkeypatch.setattr(Execution, "first_look", slow)
    dock.predict.preview.click()
    qtbot.waitUntil(lambda: dock.here._job.state.busy, timeout=60_000)
    viewer.dims.set_current_step(0, 2)
    layers = shown(dock, viewer, qtbot)
    assert len(cancelled) == 1
    assert layers[0].translate[0] == 60.0


def test_switched_off_everything_is_as_it_was(dock, viewer, qtbot, field):
    before, limits = list(viewer.layers), tuple(field.contrast_limits)
    dock.predict.preview.click()
    shown(dock, viewer, qtbot)
    dock.predict.preview.click()
    assert list(viewer.layers) == before
    assert tuple(field.contrast_limits) == limits
    assert field.visible
    assert dock.predict.note.text() == ""
    assert dock.predict.summary in ("ready", "red light"), "noise has a red light once it was looked at"
    look_at(viewer, field, (3, 50, 50))
    qtbot.wait(300)
    assert list(viewer.layers) == before


def test_another_choice_of_models_is_another_preview(dock, viewer, qtbot, field):
    dock.predict.preview.click()
    shown(dock, viewer, qtbot)
    dock.models._boxes["dna-z"].setChecked(False)
    qtbot.waitUntil(lambda: previews(viewer) == [], timeout=60_000)
    qtbot.waitUntil(lambda: len(previews(viewer)) == 1, timeout=60_000)
    settle(dock, qtbot)


def test_a_layer_that_was_taken_away_stays_away(dock, viewer, qtbot, field, viewports):
    dock.predict.preview.click()
    viewer.layers.remove(shown(dock, viewer, qtbot)[1])
    look_at(viewer, field, (3, 60, 60))
    qtbot.waitUntil(lambda: len(viewports) == 2, timeout=60_000)
    settle(dock, qtbot)
    assert len(previews(viewer)) == 1


def test_a_region_that_cannot_be_predicted_says_why(dock, viewer, qtbot, movie, monkeypatch):
    first_look = Execution.first_look

    def broken(self):
        if self.context.viewport.t == 1:
            raise errors.ImageContentError("BF: time point 2 is blank.")
        yield from first_look(self)

    monkeypatch.setattr(Execution, "first_look", broken)
    dock.predict.preview.click()
    shown(dock, viewer, qtbot)
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(lambda: not dock.predict.failure.isHidden(), timeout=60_000)
    assert "time point 2" in dock.predict.failure.what.text()
    assert dock.predict.summary == "no preview"
    viewer.dims.set_current_step(0, 0)
    assert dock.predict.failure.isHidden()
    assert dock.predict.summary == "preview"


def test_a_layer_with_its_axes_in_another_order(dock, viewer, qtbot):
    light = np.random.default_rng(0).random((240, 200, 8), np.float32)
    z, y, x = PLACE["scale"]
    viewer.add_image(light, name="BF", scale=(y, x, z), units=("um",) * 3, axis_labels=("y", "x", "z"))
    viewer.dims.order = (2, 0, 1)
    for box in dock.models._boxes.values():
        box.setChecked(box.accessibleName() == "mito-z")
    qtbot.waitUntil(lambda: "about" in dock.predict.cost.text(), timeout=60_000)
    viewer.scene.camera.zoom = 8 / 0.11
    dock.predict.preview.click()
    (layer,) = shown(dock, viewer, qtbot)
    assert layer.data.shape[2] == 8
    assert layer.data.shape[0] < 240


def test_a_layer_that_is_turned(dock, viewer, qtbot, viewports):
    light, affine = np.random.default_rng(0).random(SHAPE, np.float32), np.diag([1, 2, 2, 1.0])
    field = open_layer(dock, viewer, qtbot, light, axis_labels=LABELS, rotate=30, affine=affine, **PLACE)
    viewer.scene.camera.zoom = 10 / 0.11
    dock.predict.preview.click()
    layer = shown(dock, viewer, qtbot)[0]
    first = np.array([0, viewports[0].y.start, viewports[0].x.start])
    assert first[1] > 0
    for voxel in np.ndindex(2, 2, 2):
        np.testing.assert_allclose(layer.data_to_world(voxel), field.data_to_world(first + voxel))


def test_of_a_large_field_of_view_the_middle_is_shown(dock, viewer, qtbot, field, monkeypatch):
    monkeypatch.setattr("napari_mito_predict.prediction.viewport._LARGEST", 40)
    viewer.scene.camera.zoom = 1 / 0.11
    dock.predict.preview.click()
    shown(dock, viewer, qtbot)
    assert dock.predict.note.text() == "Preview: middle 40 × 40 pixels, 8 planes"
