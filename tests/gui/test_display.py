"""What a finished prediction looks like, and results that do not fit into memory."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict._widgets.common.image_layers import is_prediction
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.predict.work import display_limits
from napari_mito_predict.models import Target
from napari_mito_predict.prediction import plan

PATIENCE = 60_000
CARD = Target(name="dna", stain="SYBR Gold", colormap="cyan", contrast_limits=(-0.5, 5.0))


def predicted(dock, qtbot):
    dock.predict.predict.click()
    qtbot.waitUntil(lambda: not dock.job.state.busy, timeout=PATIENCE)
    return [layer for layer in dock.viewer.layers if is_prediction(layer)]


def test_bright_results_are_shown_in_full():
    values = np.linspace(-2, 40, 10_000, dtype=np.float32).reshape(10, 10, 100)
    low, high = display_limits(values, CARD)
    assert (low, high) == (pytest.approx(-1.79, abs=0.02), pytest.approx(39.96, abs=0.02))


def test_a_prediction_of_nothing_does_not_glow():
    values = np.random.default_rng(0).normal(0, 0.01, (4, 32, 32)).astype(np.float32)
    assert display_limits(values, CARD) == CARD.contrast_limits


def test_contrast_follows_the_data_when_all_is_known(ready, qtbot):
    for layer in predicted(ready, qtbot):
        expected = display_limits(np.asarray(layer.data), CARD)
        assert tuple(layer.contrast_limits) == pytest.approx(expected)
        assert layer.contrast_limits_range[0] < layer.contrast_limits[0]
        assert layer.contrast_limits_range[1] > layer.contrast_limits[1]


def test_contrast_that_the_user_chose_stays(ready, qtbot, monkeypatch):
    ready.job.yielded.connect(lambda _: [set_contrast(layer) for layer in ready.viewer.layers if is_prediction(layer)])

    def set_contrast(layer):
        layer.contrast_limits = (0.0, 1.0)

    for layer in predicted(ready, qtbot):
        assert tuple(layer.contrast_limits) == (0.0, 1.0)


def test_results_larger_than_memory_are_refused_before_anything_is_made(ready, viewer, qtbot, monkeypatch):
    monkeypatch.setattr(plan, "free_memory", lambda device: 1000)
    assert predicted(ready, qtbot) == []
    assert ready.job.state is JobState.FAILED
    assert "OME-Zarr" in ready.predict.failure.what.text()
    assert len(viewer.layers) == 3
