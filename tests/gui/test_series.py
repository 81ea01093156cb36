"""A time series, from the file to both predictions with one click, by the models that come with the package."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mito_predict._widgets.common import image_layers

FRAMES, SIDE = 16, 96


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Simulated cells, one plane every 30 s."""
    pytest.importorskip("waveorder", reason="the simulator's optics: pip install napari-mito-predict[simulate]")
    pytest.importorskip("pylibCZIrw.czi", reason="pip install napari-mito-predict[simulate]")
    from napari_mito_predict.simulation import Conditions, simulate_series, write_czi

    path = tmp_path_factory.mktemp("series") / "living cell.czi"
    write_czi(path, simulate_series(1, Conditions.matched(), FRAMES, 30.0, (SIDE, SIDE)))
    return path


def test_a_series_is_predicted_with_one_click(viewer, dock, series, qtbot):
    dock.image.open_file(series)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3 and "about" in dock.predict.cost.text(), timeout=60_000)
    checked = [box.accessibleName() for box in dock.models._boxes.values() if box.isChecked()]
    assert checked == ["mito-t", "dna-t"], "nobody had to choose"
    light, _tmrm, sybr = viewer.layers
    dock.predict.predict.click()
    qtbot.waitUntil(lambda: not dock.job.state.busy, timeout=60_000)
    made = [layer for layer in viewer.layers if image_layers.is_prediction(layer)]
    assert [layer.name for layer in made] == ["TMRM predicted (mito-t)", "SYBR Gold predicted (dna-t)"]
    for layer in made:
        assert layer.data.shape == light.data.shape
        assert np.isfinite(layer.data).all()
        assert layer.axis_labels == light.axis_labels
        np.testing.assert_allclose(layer.scale, light.scale)
    assert np.corrcoef(np.ravel(made[1].data), np.ravel(np.asarray(sybr.data)))[0, 1] > 0.3, "it is a prediction"
