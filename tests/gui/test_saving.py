"""Saving from the dock: names of layers as names of files, earlier results, full disks, results larger than memory."""

from __future__ import annotations

from pathlib import Path

import dask.array
import numpy as np
import pytest
from qtpy.QtWidgets import QPushButton

from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.image_layers import is_prediction, values_of
from napari_mito_predict._widgets.common.worker import JobState, describe
from napari_mito_predict._widgets.predict import saving
from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.image import open_image
from napari_mito_predict.image.names import record_path
from napari_mito_predict.models.record import read_record
from napari_mito_predict.prediction import plan

PATIENCE = 20_000


def finish(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.job.state.busy, timeout=PATIENCE)


def predict(qtbot, dock):
    dock.predict.predict.click()
    finish(qtbot, dock)


def choose(dock, layer):
    dock.image.transmitted.choose(layer)
    dock.models._boxes["mito-z"].setChecked(True)


def answer(dock, text):
    next(b for b in dock.predict.answers.findChildren(QPushButton) if b.text() == text).click()


def written(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*.ome.tif"))


def predictions(viewer):
    return [layer for layer in viewer.layers if is_prediction(layer)]


def say_memory_is(monkeypatch, n_bytes):
    monkeypatch.setattr(plan, "free_memory", lambda device: n_bytes)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("A/B 1", "A_B 1"),
        ("../up", ".._up"),
        ("..\\up", ".._up"),
        ("con", "con_"),
        ("a:b*?", "a_b__"),
        ("at the end. ", "at the end"),
        ("..", "image"),
        ("日本語 細胞", "日本語 細胞"),
        ("x" * 260, "x" * 150),
        ("細" * 200, "細" * 50),
    ],
)
def test_layers_of_any_name_are_saved_in_the_folder_chosen(viewer, dock, qtbot, tmp_path, models_folder, name, stem):
    folder = tmp_path / "out"
    folder.mkdir()
    light = np.random.default_rng(0).normal(size=(8, 32, 40)).astype(np.float32)
    layer = viewer.add_image(light, name=name, scale=(0.29, 0.11, 0.11), units=["um"] * 3, axis_labels=("z", "y", "x"))
    choose(dock, layer)
    qtbot.waitUntil(lambda: dock.predict.predict.isEnabled(), timeout=PATIENCE)
    dock.predict.set_output_folder(folder)
    predict(qtbot, dock)
    assert dock.job.state is JobState.DONE, dock.predict.failure.what.text()
    found = written(tmp_path)
    assert found
    assert all(file.startswith(f"out/{stem}_") for file in found)


def test_the_second_time_the_dock_asks_and_computes_nothing_before(ready, viewer, qtbot, tmp_path):
    ready.predict.set_output_folder(tmp_path)
    predict(qtbot, ready)
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in written(tmp_path)}
    n_layers = len(viewer.layers)
    predict(qtbot, ready)
    assert ready.predict.answers.isVisibleTo(ready)
    assert "already" in ready.predict.taken.text
    assert "--" not in ready.predict.taken.text
    assert len(viewer.layers) == n_layers
    answer(ready, "Do not predict")
    assert not ready.predict.answers.isVisibleTo(ready)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in written(tmp_path)} == before
    ready.remove_run()  # that of the first time is still the last run
    assert predictions(viewer) == []


def test_earlier_files_are_replaced_where_that_is_the_answer(ready, qtbot, tmp_path):
    ready.predict.set_output_folder(tmp_path)
    predict(qtbot, ready)
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in written(tmp_path)}
    predict(qtbot, ready)
    answer(ready, "Replace")
    finish(qtbot, ready)
    assert ready.job.state is JobState.DONE
    after = {name: (tmp_path / name).stat().st_mtime_ns for name in written(tmp_path)}
    assert after.keys() == before.keys()
    assert all(after[name] > before[name] for name in before)


@pytest.mark.parametrize("one_file", [False, True])
def test_both_are_kept_with_one_number_for_all_files(ready, qtbot, tmp_path, one_file):
    ready.predict.set_output_folder(tmp_path)
    ready.predict.one_file.setChecked(one_file)
    predict(qtbot, ready)
    first = written(tmp_path)
    (tmp_path / first[0].replace(".ome.tif", "_2.ome.tif")).write_bytes(b"somebody else's")
    predict(qtbot, ready)
    answer(ready, "Keep both")
    finish(qtbot, ready)
    assert ready.job.state is JobState.DONE
    third = {name.replace(".ome.tif", "_3.ome.tif") for name in first}
    assert third <= set(written(tmp_path))
    for name in third:
        assert read_record(tmp_path / name) is not None


def test_a_record_without_its_image_is_in_nobodys_way(ready, qtbot, tmp_path):
    """It is what remains of a prediction that was killed, or moved."""
    ready.predict.set_output_folder(tmp_path)
    predict(qtbot, ready)
    names = written(tmp_path)
    for name in names:
        (tmp_path / name).unlink()
    predict(qtbot, ready)
    assert not ready.predict.answers.isVisibleTo(ready)
    assert written(tmp_path) == names


def test_what_is_called_like_a_record_is_asked_about(ready, qtbot, tmp_path):
    ready.predict.set_output_folder(tmp_path)
    predict(qtbot, ready)
    for name in written(tmp_path):
        (tmp_path / name).unlink()
        record_path(tmp_path / name).write_text("mine", encoding="utf-8")
    predict(qtbot, ready)
    assert ready.predict.answers.isVisibleTo(ready)


def test_a_question_about_another_folder_is_withdrawn(ready, qtbot, tmp_path):
    ready.predict.set_output_folder(tmp_path)
    predict(qtbot, ready)
    predict(qtbot, ready)
    other = tmp_path / "other"
    other.mkdir()
    ready.predict.set_output_folder(other)
    assert not ready.predict.answers.isVisibleTo(ready)
    predict(qtbot, ready)
    assert len(written(other)) == 2


def test_results_that_cannot_be_saved_stay_in_the_viewer(ready, viewer, qtbot, tmp_path, monkeypatch):
    def full(self, plan, arrays):
        raise UnwritableOutputError("could not be written (No space left on device).", file=tmp_path / "a.ome.tif")

    monkeypatch.setattr(saving.Files, "save", full)
    ready.predict.set_output_folder(tmp_path)
    predict(qtbot, ready)
    assert ready.job.state is JobState.DONE
    assert len(predictions(viewer)) == 2
    assert all(prediction_facts(layer).complete for layer in predictions(viewer))
    assert "No space left" in ready.predict.failure.what.text()
    assert "Saved" not in ready.predict.note.text()


def test_results_larger_than_memory_are_offered_on_disk_while_planning(ready, viewer, qtbot, tmp_path, monkeypatch):
    say_memory_is(monkeypatch, 1000)
    ready.predict.tile.setCurrentIndex(1)  # planned anew
    qtbot.waitUntil(lambda: ready.predict.choose_folder.isVisibleTo(ready), timeout=PATIENCE)
    assert "OME-Zarr" in ready.predict.too_large.text
    assert "--" not in ready.predict.too_large.text
    assert not ready.predict.predict.isEnabled()
    assert ready.predict.preview.isEnabled()
    ready.predict.set_output_folder(tmp_path)
    assert ready.predict.predict.isEnabled()
    assert not ready.predict.choose_folder.isVisibleTo(ready)


@pytest.mark.parametrize("one_file", [False, True])
def test_results_larger_than_memory_are_opened_from_where_they_are_written(
    ready, viewer, qtbot, tmp_path, monkeypatch, one_file
):
    predict(qtbot, ready)
    expected = {prediction_facts(layer).key: np.asarray(layer.data) for layer in predictions(viewer)}
    ready.remove_run()
    say_memory_is(monkeypatch, 1000)
    folder = tmp_path / "Ergebnisse ä"
    folder.mkdir()
    ready.predict.set_output_folder(folder)
    ready.predict.one_file.setChecked(one_file)
    predict(qtbot, ready)
    assert ready.job.state is JobState.DONE, ready.predict.failure.what.text()
    layers = predictions(viewer)
    light = ready.image.input.layer
    assert {prediction_facts(layer).key for layer in layers} == expected.keys()
    for layer in layers:
        facts = prediction_facts(layer)
        assert isinstance(values_of(layer), dask.array.Array)
        assert facts.complete
        np.testing.assert_allclose(np.asarray(layer.data), expected[facts.key], atol=1e-5)
        np.testing.assert_allclose(layer.scale, light.scale)
        assert layer.contrast_limits[1] > layer.contrast_limits[0]
    images = sorted(folder.glob("*.ome.zarr"))
    assert len(images) == (1 if one_file else 2)
    assert open_image(images[0]).channels[0].prediction is not None
    predict(qtbot, ready)
    assert ready.predict.answers.isVisibleTo(ready)


def test_a_prediction_to_a_disk_that_is_cancelled_leaves_nothing(ready, viewer, qtbot, tmp_path, monkeypatch):
    say_memory_is(monkeypatch, 1000)
    n_layers = len(viewer.layers)
    ready.predict.set_output_folder(tmp_path)
    ready.job.yielded.connect(lambda _: ready.job.cancel())
    predict(qtbot, ready)
    assert ready.job.state is JobState.IDLE
    assert list(tmp_path.iterdir()) == []
    assert len(viewer.layers) == n_layers


def test_a_series_of_stacks_goes_to_a_disk_as_well(viewer, dock, qtbot, tmp_path, monkeypatch):
    light = np.random.default_rng(0).normal(size=(3, 8, 32, 40)).astype(np.float32)
    grid = {"scale": (5, 0.29, 0.11, 0.11), "units": ["s", "um", "um", "um"], "axis_labels": ("t", "z", "y", "x")}
    layer = viewer.add_image(light, name="series", translate=(0, 1, 2, 3), **grid)
    choose(dock, layer)
    qtbot.waitUntil(lambda: dock.predict.predict.isEnabled(), timeout=PATIENCE)
    say_memory_is(monkeypatch, 1000)
    dock.predict.set_output_folder(tmp_path)
    predict(qtbot, dock)
    assert dock.job.state is JobState.DONE, dock.predict.failure.what.text()
    (made,) = predictions(viewer)
    assert made.data.shape == light.shape
    np.testing.assert_allclose(made.translate, layer.translate)


def test_memory_that_ran_out_is_said_in_words():
    failure = describe(MemoryError("Unable to allocate 28.6 GiB for an array"))
    assert "Unexpected" not in failure.what
    assert "28.6 GiB" in failure.what
    assert "Close other programs" in failure.fix


def test_a_large_lazy_layer_is_chosen_and_planned_without_reading_it(viewer, dock, qtbot):
    read = []

    def plane(block_id):
        read.append(block_id)
        return np.zeros((1, 1, 4096, 4096), np.uint16)

    chunks = ((1,) * 200, (1,) * 20, (4096,), (4096,))
    data = dask.array.map_blocks(plane, chunks=chunks, dtype=np.uint16, meta=np.empty((0,) * 4, np.uint16))
    layer = viewer.add_image(
        data,
        name="long",
        contrast_limits=(0, 1),
        axis_labels=("t", "z", "y", "x"),
        scale=(1, 0.29, 0.11, 0.11),
        units=["s", "um", "um", "um"],
    )
    choose(dock, layer)
    qtbot.waitUntil(lambda: dock.predict.choose_folder.isVisibleTo(dock), timeout=PATIENCE)
    assert not dock.predict.predict.isEnabled()
    # Of 4000 planes: what napari shows, and the stack that is looked at, which is measured for its normalisation.
    assert len(set(read)) <= 2 * 20
