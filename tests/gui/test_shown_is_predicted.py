"""What is predicted are the pixels that a layer shows now, wherever they came from and whatever was done to it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tifffile
from napari.layers import Image
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_mito_predict import load_model, open_image, predict
from napari_mito_predict._widgets.common import file_layers, image_layers
from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict.image import write_ome_tiff

PATIENCE = 60_000
GRID = {"scale": (0.29, 0.11, 0.11), "units": ("um", "um", "um"), "axis_labels": ("z", "y", "x")}


def stack(seed=0, shape=(8, 40, 48)):
    return np.random.default_rng(seed).integers(0, 1000, shape).astype(np.uint16)


def duplicate(viewer, layer):
    """As "Duplicate" in napari's menu of layers does it."""
    from napari.layers._layer_actions import _duplicate_layer

    viewer.layers.selection = {layer}
    _duplicate_layer(viewer.layers)
    return viewer.layers[viewer.layers.index(layer) + 1]


def run(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.planning.state.busy, timeout=PATIENCE)
    dock.predict.predict.click()
    qtbot.waitUntil(lambda: not dock.job.state.busy, timeout=PATIENCE)
    return [layer for layer in dock.viewer.layers if image_layers.is_prediction(layer)][-2]


def expected(pixels, voxel=(0.29, 0.11, 0.11)):
    return predict(pixels, load_model("mito-z"), voxel_size_um=voxel, precision="32")["mitochondria"].data


def choose(dock, layer, qtbot):
    dock.image.transmitted.choose(layer)
    dock.predict.precision.setCurrentIndex(dock.predict.precision.findData("32"))
    qtbot.waitUntil(lambda: dock.predict.predict.isEnabled(), timeout=PATIENCE)


EDITS = {
    "flipped": lambda data: data[::-1, ::-1].copy(),
    "cropped": lambda data: data[:, 8:40, 8:48].copy(),
    "in another type": lambda data: data.astype(np.float32) / 7,
    "with other values": lambda data: np.where(data > 2000, 100, data).astype(data.dtype),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_copy_is_predicted_not_its_file(ready, viewer, qtbot, edit):
    copy = duplicate(viewer, viewer.layers[0])
    copy.data = edit(copy.data)
    choose(ready, copy, qtbot)
    made = run(ready, qtbot)
    assert made.data.shape == copy.data.shape
    np.testing.assert_allclose(made.data, expected(copy.data), atol=1e-4)
    facts = prediction_facts(made)
    assert facts.record.input.path is None, "it is not what the file holds"


def test_a_file_is_named_only_while_its_pixels_are_shown(ready, czi, viewer, qtbot):
    light = viewer.layers[0]
    choose(ready, light, qtbot)
    assert prediction_facts(run(ready, qtbot)).record.input.path == str(czi)
    light.data[3] = 77  # without a word to napari
    made = run(ready, qtbot)
    np.testing.assert_allclose(made.data, expected(light.data), atol=1e-4)
    assert prediction_facts(made).record.input.path is None


def test_copies_of_large_lazy_layers_are_still_the_files(monkeypatch, dock, viewer, czi, qtbot):
    monkeypatch.setattr(file_layers, "_IN_MEMORY", 0)
    dock.image.open_file(czi)
    qtbot.waitUntil(lambda: dock.image.input is not None, timeout=PATIENCE)
    copy = duplicate(viewer, viewer.layers[0])
    dock.image.transmitted.choose(copy)
    assert dock.image.input.source.path == czi
    copy.data = copy.data[:, ::-1]
    dock.image.refresh()
    assert dock.image.input.source.path is None
    np.testing.assert_array_equal(dock.image.input.source.read(), np.asarray(copy.data))


def test_a_projection_is_a_plane(ready, viewer):
    """Napari's projections keep the metadata of the stack."""
    light = viewer.layers[0]
    flat = viewer.add_image(light.data.max(0), name="MAX BF", metadata=dict(light.metadata), scale=light.scale[1:])
    ready.image.transmitted.choose(flat)
    assert ready.image.input.source.sizes["Z"] == 1
    assert ready.image.input.source.path is None


# ------------------------------------------------------------------ the dock follows


def test_scale_units_and_place_are_followed(dock, viewer, qtbot):
    layer = viewer.add_image(stack(), name="BF", **GRID)
    assert dock.image.input.source.voxel_size_um == pytest.approx((0.29, 0.11, 0.11))
    layer.scale = (300, 200, 200)
    layer.units = ("nm", "nm", "nm")
    layer.translate = (10, 20, 30)
    qtbot.waitUntil(lambda: dock.image.input.source.voxel_size_um == pytest.approx((0.3, 0.2, 0.2)), timeout=PATIENCE)
    np.testing.assert_allclose(dock.image.input.grid.placement["translate"], (10, 20, 30))


def test_an_affine_transform_scales_too(dock, viewer, qtbot):
    layer = viewer.add_image(stack(), name="BF", **GRID)
    layer.affine = np.diag([1, 2, 2, 1])
    qtbot.waitUntil(
        lambda: dock.image.input.source.voxel_size_um == pytest.approx((0.29, 0.22, 0.22)), timeout=PATIENCE
    )


def test_labels_given_later_are_followed(dock, viewer, qtbot):
    layer = viewer.add_image(stack(), name="BF", scale=GRID["scale"], units=GRID["units"])
    assert dock.image.input is None
    layer.axis_labels = ("t", "y", "x")
    qtbot.waitUntil(lambda: dock.image.input is not None, timeout=PATIENCE)
    assert dock.image.input.source.sizes["T"] == 8


def test_a_layer_moved_after_planning_is_predicted_where_it_lies(ready, viewer, qtbot):
    light = viewer.layers[0]
    light.translate = (1, 2, 3)
    made = run(ready, qtbot)
    np.testing.assert_allclose(made.translate, (1, 2, 3))


# ------------------------------------------------------------------ choosing


def unnamed_file(path, seed=1):
    data = np.stack([stack(seed), stack(seed + 1)])
    return write_ome_tiff(path, data, axes="CZYX", channel_names=["A", "B"], voxel_size_um=(0.29, 0.11, 0.11))


def test_a_new_file_chooses_among_its_own_layers_or_asks(ready, viewer, qtbot, tmp_path):
    ready.image.open_file(unnamed_file(tmp_path / "cell2.ome.tif"))
    qtbot.waitUntil(lambda: len(viewer.layers) == 5, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not ready.image._opening.state.busy, timeout=PATIENCE)
    assert ready.image.transmitted.layer is None
    assert ready.image.summary == "choose the transmitted-light layer"
    qtbot.waitUntil(lambda: not ready.predict.predict.isEnabled(), timeout=PATIENCE)
    viewer.add_shapes(name="unrelated")
    assert ready.image.transmitted.layer is None, "nor is the first file chosen when something else happens"


def test_a_file_opened_by_napari_is_a_new_choice(ready, viewer, qtbot, tmp_path):
    path = tmp_path / "cell2.tif"
    tifffile.imwrite(path, stack())
    viewer.open(path, plugin="napari")
    qtbot.waitUntil(lambda: ready.image.transmitted.layer is None, timeout=PATIENCE)
    assert ready.image.input is None


def test_fluorescence_opened_later_is_the_truth(dock, viewer, qtbot, tmp_path):
    light = viewer.add_image(stack(), name="BF", **GRID)
    path = tmp_path / "TMRM.tif"
    tifffile.imwrite(path, stack(1))
    (truth,) = viewer.open(path, plugin="napari")
    qtbot.waitUntil(lambda: any(combo.layer == truth for combo in dock.image.truth.values()), timeout=PATIENCE)
    assert dock.image.transmitted.layer == light


def test_truth_is_taken_from_the_file_of_the_light(ready, czi, viewer, qtbot, tmp_path):
    second = tmp_path / "second.czi"
    shutil.copy(czi, second)
    first_light, first_truth = viewer.layers[:2]
    ready.image.open_file(second)
    qtbot.waitUntil(lambda: len(viewer.layers) == 6, timeout=PATIENCE)
    chosen = next(iter(ready.image.truth.values()))
    assert image_layers.file_of(chosen.layer) == second
    ready.image.transmitted.choose(first_light)
    assert chosen.layer == first_truth


def test_all_dropped_files_are_opened_and_a_broken_one_stops_none(dock, viewer, qtbot, czi, tmp_path):
    broken = tmp_path / "broken.czi"
    broken.write_bytes(b"ZISRAWFILE")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in (czi, broken, unnamed_file(tmp_path / "b.ome.tif"))])
    at = QPointF(5, 5)
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    dock.image.dropEvent(QDropEvent(at, Qt.DropAction.CopyAction, mime, buttons, keys))
    qtbot.waitUntil(lambda: len(viewer.layers) == 5, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not dock.image._opening.state.busy, timeout=PATIENCE)
    assert "broken.czi" in dock.image.failure.what.text()


@pytest.mark.parametrize("shape", [(1, 1, 8, 16, 16), (1, 8, 16, 16), (8, 1, 1, 16, 16)])
def test_single_axes_are_squeezed(dock, viewer, qtbot, shape):
    layer = viewer.add_image(stack(shape=shape), name="BF", scale=(1,) * (len(shape) - 2) + (0.11, 0.11))
    dock.image.axes.setCurrentIndex(next(i for i in range(1, 4) if "Z steps" in dock.image.axes.itemText(i)))
    assert {axis: size for axis, size in dock.image.input.source.sizes.items() if size > 1} == {
        "Z": 8,
        "Y": 16,
        "X": 16,
    }
    np.testing.assert_array_equal(dock.image.input.source.read(), layer.data.reshape(8, 16, 16))


def test_one_channel_of_five_axes_is_predicted_on_their_grid(dock, viewer, qtbot):
    data = stack(shape=(1, 3, 8, 40, 48))
    layer = viewer.add_image(
        data,
        name="BF",
        axis_labels=("t", "c", "z", "y", "x"),
        scale=(1, 1, 0.29, 0.11, 0.11),
        units=("s", "pixel", "um", "um", "um"),
        translate=(0, 0, 1, 2, 3),
    )
    dock.image.channel.setCurrentIndex(dock.image.channel.findData(2))
    for box in dock.models._boxes.values():
        box.setChecked(box.accessibleName() in ("mito-z", "dna-z"))
    choose(dock, layer, qtbot)
    made = run(dock, qtbot)
    np.testing.assert_allclose(made.data, expected(data[0, 2])[None], atol=1e-4)
    np.testing.assert_allclose(made.translate[-3:], (1, 2, 3))
    np.testing.assert_allclose(made.scale[-3:], (0.29, 0.11, 0.11))


def test_why_a_layer_is_not_offered(dock, viewer):
    viewer.add_labels(np.zeros((8, 16, 16), int), name="cells")
    viewer.add_image(np.zeros((16, 16, 3), np.uint8), name="photo", rgb=True)
    assert "cells" in dock.image.not_offered.text()
    assert "colour" in dock.image.not_offered.text()
    viewer.add_image(stack(), name="BF", **GRID)
    assert dock.image.not_offered.isHidden(), "once there is a choice, nobody asks"


# ------------------------------------------------------------------ files that go


def test_the_dock_opens_although_the_file_is_gone(viewer, czi, tmp_path, qtbot):
    from napari_mito_predict._widgets.contributions.predict_dock import MitoPredict

    path = tmp_path / "gone.czi"
    shutil.copy(czi, path)
    for data, keywords, _ in file_layers.file_layers(open_image(path)):
        viewer.add_layer(Image(data, **keywords))
    path.unlink()
    widget = MitoPredict(viewer)
    viewer.window.add_dock_widget(widget)
    assert widget.image.input is not None, "the pixels are in memory"
    for box in widget.models._boxes.values():
        box.setChecked(box.accessibleName() in ("mito-z", "dna-z"))
    qtbot.waitUntil(lambda: "about" in widget.predict.cost.text(), timeout=PATIENCE)
    made = run(widget, qtbot)
    assert made.data.any()
