"""A prediction that was saved and opened again is one still: never truth, never what is predicted from."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tifffile

from napari_mito_predict import load_model, predict
from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.image_layers import is_input, is_prediction

PATIENCE = 60_000


@pytest.fixture
def saved(czi, tmp_path):
    """Mitochondria predicted from the file, saved in a folder of its own."""
    predictions = predict(czi, load_model("mito-z"))
    path = tmp_path / "out" / "zellen_mitochondria.ome.tif"
    path.parent.mkdir()
    predictions["mitochondria"].save(path)
    return path


@pytest.mark.parametrize("copied", [False, True], ids=["with its record", "a copy without"])
@pytest.mark.parametrize("how", ["in the dock", "by napari"])
def test_it_is_offered_as_prediction_and_not_as_truth(ready, viewer, qtbot, saved, tmp_path, how, copied):
    path = saved
    if copied:
        path = tmp_path / "a copy.ome.tif"
        shutil.copy(saved, path)
    if how == "in the dock":
        ready.image.open_file(path)
    else:
        viewer.open(path, plugin="napari")
    qtbot.waitUntil(lambda: len(viewer.layers) == 4 and is_prediction(viewer.layers[3]), timeout=PATIENCE)
    made = viewer.layers[3]
    assert not is_input(made)
    facts = prediction_facts(made)
    assert facts.target == "mitochondria"
    assert facts.model == "mito-z"
    qtbot.waitUntil(lambda: ready.compare.prediction.layer == made, timeout=PATIENCE)
    combos = (ready.image.transmitted, *ready.image.truth.values(), ready.compare.truth)
    qtbot.waitUntil(lambda: not any(offers(combo, made) for combo in combos), timeout=PATIENCE)


def offers(combo, layer):
    return any(combo.itemData(i) == layer for i in range(combo.count()))


def test_its_truth_is_found_beside_it(ready, viewer, qtbot, saved):
    ready.image.open_file(saved)
    qtbot.waitUntil(lambda: ready.compare.stack is not None, timeout=PATIENCE)
    assert ready.compare.truth.layer.name == "TMRM"
    assert ready.image.transmitted.layer is None or ready.image.transmitted.layer.name.endswith("T-PMT")


def test_the_metadata_of_foreign_layers_are_left_alone(viewer, dock, qtbot, saved):
    (layer,) = viewer.open(saved, plugin="napari")
    before = dict(layer.metadata)
    qtbot.waitUntil(lambda: is_prediction(layer), timeout=PATIENCE)
    assert layer.metadata == before


def test_a_recording_opened_by_napari_stays_one(viewer, dock, qtbot, tmp_path):
    path = tmp_path / "TMRM.tif"
    tifffile.imwrite(path, np.zeros((4, 16, 16), np.uint16), photometric="minisblack")
    (layer,) = viewer.open(path, plugin="napari")
    qtbot.waitUntil(lambda: dock.image.recogniser.is_done and dock.compare.pair.recogniser.is_done, timeout=PATIENCE)
    assert not is_prediction(layer)
    assert is_input(layer)
