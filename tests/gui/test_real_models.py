"""The dock with and without the installed models of real cells, on single planes."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QSize

from napari_mito_predict.image import write_ome_tiff


@pytest.fixture
def only_bundled(use_models, tmp_path, monkeypatch):
    """No models of the user: the two of these tests stand before the bundled ones, and are never chosen."""
    monkeypatch.setenv("MITO_PREDICT_MODELS", str(tmp_path / "none"))


@pytest.fixture
def open_plane(only_bundled, dock, tmp_path, qtbot, arrange):
    """Open a single plane whose light has a name and pixels have a size, and wait until it is planned or refused."""

    def open_(light, pixel_um=0.1):
        arrange([dock], QSize(1200, 1100))
        path = tmp_path / "plane.ome.tif"
        plane = np.random.default_rng(0).integers(0, 255, (48, 52), np.uint8)
        write_ome_tiff(path, plane, axes="YX", channel_names=[light], voxel_size_um=(None, pixel_um, pixel_um))
        dock.image.open_file(path)
        qtbot.waitUntil(lambda: dock.image.input is not None, timeout=60_000)
        qtbot.waitUntil(lambda: bool(dock._planned_for) and not dock.planning.state.busy, timeout=60_000)
        return dock

    return open_


def test_a_plane_of_bright_field_has_the_model_of_real_cells_ticked(real_models, open_plane, label_texts):
    dock = open_plane("BF")
    assert dock.models.checked == ("mito-2d",)
    texts = label_texts(dock.models)
    assert "real" in texts
    assert "simulated" in texts
    assert any("real: H9c2, bright-field, one microscope" in text for text in texts)
    assert any("pixels of about 0.1 µm" in text for text in texts)


def test_other_light_keeps_todays_choice_and_says_why(real_models, open_plane, label_texts, qtbot):
    dock = open_plane("DIC")
    assert "mito-2d" not in dock.models.checked
    assert any("mito-2d is for single planes, but not chosen by itself" in text for text in label_texts(dock.models))
    box = dock.models._boxes["mito-2d"]
    assert box.isEnabled()
    for other in dock.models._boxes.values():
        if other.isChecked():
            other.click()
    box.click()

    def said() -> bool:
        texts = label_texts(dock.models)
        chosen_by_hand = not any("not chosen by itself" in text for text in texts)
        return chosen_by_hand and any("the light of 'DIC' is DIC" in text for text in texts)

    qtbot.waitUntil(said, timeout=60_000)


def test_what_was_said_of_an_image_goes_with_it(real_models, open_plane, label_texts, viewer, qtbot):
    dock = open_plane("DIC")
    assert any("not chosen by itself" in text for text in label_texts(dock.models))
    viewer.layers.clear()
    qtbot.waitUntil(lambda: dock.image.input is None, timeout=60_000)
    qtbot.waitUntil(lambda: not any("not chosen" in text for text in label_texts(dock.models)), timeout=60_000)


def test_without_the_distribution_the_dock_says_how_to_add_it(open_plane, label_texts):
    dock = open_plane("BF")
    assert any("pip install ./real-models" in text for text in label_texts(dock.models))


def test_a_stack_has_nothing_to_say_of_it(real_models, ready, arrange, label_texts):
    arrange([ready], QSize(1200, 1100))
    assert "mito-2d" in label_texts(ready.models)
    assert not any("single planes, but" in text or "pip install" in text for text in label_texts(ready.models))


def test_the_start_of_a_training_says_which_cells_a_model_knows(real_models, make_train_dock):
    step = make_train_dock().start
    rows = [step.model.itemText(i) for i in range(step.model.count())]
    assert "mito-2d (real: H9c2, bright-field, one microscope)" in rows
    assert "mito-z (simulated)" in rows
    step.model.setCurrentIndex(step.model.findData("mito-2d"))
    assert "GPL-3.0-only" in step.note.text()
    step.model.setCurrentIndex(step.model.findData("mito-z"))
    assert "GPL-3.0-only" not in step.note.text()
