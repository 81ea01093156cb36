"""Step 1: files and layers, good and bad; what is chosen by itself and what is asked."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_mito_predict._widgets.common.controls import FindingLine
from napari_mito_predict.image import ChannelRole

GRID = {"scale": (0.29, 0.11, 0.11), "units": ("um", "um", "um"), "axis_labels": ("z", "y", "x")}


def stack(seed=0, shape=(8, 16, 16)):
    return np.random.default_rng(seed).integers(0, 1000, shape).astype(np.uint16)


def test_an_empty_viewer_says_what_to_do(dock):
    assert dock.image.summary == "open a file"
    assert not dock.predict.predict.isEnabled()
    assert dock.predict.summary == "choose an image first"


def test_open_layers_are_taken_with_their_roles(dock, viewer):
    viewer.add_image(stack(), name="TMRM", **GRID)
    viewer.add_image(stack(1), name="T PMT", **GRID)
    viewer.add_image(stack(2), name="Hoechst", **GRID)
    assert dock.image.transmitted.layer.name == "T PMT"
    assert dock.image.truth[ChannelRole.MITOCHONDRIA].layer.name == "TMRM"
    assert dock.image.truth[ChannelRole.DNA].layer.name == "Hoechst"
    assert dock.image.input.source.voxel_size_um == pytest.approx((0.29, 0.11, 0.11))


def test_the_user_may_override_and_other_layers_keep_it(dock, viewer):
    viewer.add_image(stack(), name="BF", **GRID)
    other = viewer.add_image(stack(1), name="odd name", **GRID)
    dock.image.transmitted.choose(other)
    viewer.add_image(stack(2), name="DIC", **GRID)
    assert dock.image.transmitted.layer.name == "odd name"
    assert dock.image.input.source.name == "odd name"


def test_renamed_and_removed_layers_are_followed(dock, viewer):
    layer = viewer.add_image(stack(), name="BF", **GRID)
    layer.name = "brightfield of Tuesday"
    assert dock.image.transmitted.currentText() == "brightfield of Tuesday"
    viewer.layers.remove(layer)
    assert dock.image.input is None
    assert dock.image.summary == "open a file"


def test_without_a_name_that_tells_the_user_is_asked(dock, viewer):
    viewer.add_image(stack(), name="Image 1", **GRID)
    assert dock.image.input is None
    assert dock.image.summary == "choose the transmitted-light layer"


def test_planes_without_a_label_are_asked_for_never_guessed(dock, viewer):
    viewer.add_image(stack(), name="BF", scale=(0.29, 0.11, 0.11), units=("um",) * 3)
    assert dock.image.input is None
    assert not dock.image.axes.isHidden()
    dock.image.axes.setCurrentIndex(dock.image.axes.findData("TYX"))
    assert dock.image.input.source.sizes["T"] == 8
    dock.image.axes.setCurrentIndex(dock.image.axes.findData("ZYX"))
    assert dock.image.input.source.sizes["Z"] == 8


def test_an_unknown_voxel_size_can_be_typed(dock, viewer):
    viewer.add_image(stack(), name="BF", axis_labels=("z", "y", "x"))
    assert "unknown" in dock.image.sizes.text()
    assert not dock.image.voxel.isHidden()
    dock.image.voxel.z.setValue(0.3)
    dock.image.voxel.xy.setValue(0.1)
    assert dock.image.input.voxel_size_um == pytest.approx((0.3, 0.1, 0.1))
    assert dock.image.sizes.text() == "8 planes · 0.3 µm · 16 × 16 at 0.1 µm"


def test_one_channel_of_a_layer_is_asked_for(dock, viewer):
    layer = viewer.add_image(stack(shape=(2, 8, 16, 16)), name="BF", scale=(1, 0.29, 0.11, 0.11))
    layer.axis_labels = ("c", "z", "y", "x")
    dock.image.refresh()
    assert dock.image.input is None
    assert not dock.image.channel.isHidden()
    assert "channel" in dock.image.summary
    dock.image.channel.setCurrentIndex(dock.image.channel.findData(1))
    np.testing.assert_array_equal(dock.image.input.source.read(), layer.data[1])
    assert dock.image.input.grid.shape == (8, 16, 16)


def test_color_pictures_are_not_offered(dock, viewer):
    viewer.add_image(np.zeros((16, 16, 3), np.uint8), name="BF", rgb=True)
    assert dock.image.transmitted.count() == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"version https://git-lfs.github.com/spec/v1\n", "Git"), (b"ZISRAWFILE" + b"\0" * 2000, "")],
)
def test_a_file_that_is_no_image_is_explained(dock, viewer, qtbot, tmp_path, content, said):
    path = tmp_path / "broken.czi"
    path.write_bytes(content)
    dock.image.open_file(path)
    qtbot.waitUntil(lambda: not dock.image.failure.isHidden(), timeout=60_000)
    assert said in dock.image.failure.what.text()
    assert "broken.czi" in dock.image.failure.what.text()
    assert len(viewer.layers) == 0
    qtbot.waitUntil(dock.image.open_button.isEnabled, timeout=60_000)  # other files may follow the one that failed


def test_a_dropped_file_is_opened(dock, viewer, qtbot, czi):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(czi))])
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    dock.image.dropEvent(event)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=60_000)


def test_another_scene_replaces_the_layers_of_the_first_only(dock, viewer, qtbot, tmp_path):
    path = tmp_path / "scenes.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, seed in (("left", 0), ("right", 1)):
            writer.write(stack(seed), metadata={"axes": "ZYX", "Name": name, "Channel": {"Name": "ESID"}})
    mine = viewer.add_image(np.zeros((4, 4)), name="mine")
    dock.image.open_file(path)
    qtbot.waitUntil(lambda: dock.image.input is not None, timeout=60_000)
    assert [dock.image.scene.itemText(i) for i in range(2)] == ["left", "right"]
    assert not dock.image.scene.isHidden()
    np.testing.assert_array_equal(viewer.layers[-1].data, stack(0))
    dock.image.scene.setCurrentIndex(1)
    dock.image.scene.activated.emit(1)
    qtbot.waitUntil(lambda: dock.image.input is not None and dock.image.input.source.scene == 1, timeout=60_000)
    np.testing.assert_array_equal(viewer.layers[-1].data, stack(1))
    assert list(viewer.layers) == [mine, viewer.layers[-1]]


@pytest.fixture
def stopped(make_czi):
    """Four time points, the last of which was stopped at Z 2."""
    data = np.random.default_rng(3).integers(0, 4000, (4, 2, 3, 20, 28), np.uint16)
    return make_czi("stopped.czi", data, skip={(3, 0, 2), (3, 1, 2)})


def test_what_is_complete_of_a_stopped_recording_is_opened(dock, viewer, qtbot, stopped):
    path, data = stopped
    dock.image.open_file(path)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2 and dock.image.input is not None, timeout=60_000)
    np.testing.assert_array_equal(viewer.layers[0].data, data[:3, 0])
    times = dock.image.times
    assert not times.isHidden()
    assert (times.first.value(), times.last.value(), times.last.maximum()) == (0, 2, 3)
    times.first.setValue(1)  # as the user does
    qtbot.waitUntil(lambda: len(viewer.layers) == 2 and len(viewer.layers[0].data) == 2, timeout=60_000)
    np.testing.assert_array_equal(viewer.layers[0].data, data[1:3, 0])
    assert viewer.layers[0].translate[0] == viewer.layers[0].scale[0], "it lies where it lies in the whole"
    assert dock.image.input.source.info.times == range(1, 3)


def test_the_z_steps_of_a_stopped_stack(dock, viewer, qtbot, stopped):
    path, data = stopped
    dock.image.open_file(path)
    qtbot.waitUntil(lambda: dock.image.input is not None, timeout=60_000)
    assert not dock.image.planes.isHidden()
    dock.image.times.last.setValue(3)
    qtbot.waitUntil(lambda: not dock.image.failure.isHidden(), timeout=60_000)
    assert "never recorded" in dock.image.failure.what.text()
    qtbot.waitUntil(lambda: dock.image.times.value() == range(3), timeout=60_000)  # what is open is shown
    dock.image.planes.last.setValue(1)
    qtbot.waitUntil(lambda: viewer.layers[0].data.shape[:2] == (3, 2), timeout=60_000)
    dock.image.times.last.setValue(3)
    qtbot.waitUntil(lambda: viewer.layers[0].data.shape[:2] == (4, 2), timeout=60_000)
    np.testing.assert_array_equal(viewer.layers[0].data, data[:, 0, :2])


def test_complete_stacks_have_no_boxes_for_parts(ready):
    assert ready.image.times.isHidden()
    assert ready.image.planes.isHidden()


def test_a_channel_that_cannot_be_read_is_said(dock, viewer, qtbot, make_czi):
    """A compression of a camera in one channel: the other is opened, and nothing is dropped without a word."""
    path, data = make_czi("camera.czi", np.random.default_rng(3).integers(0, 4000, (1, 2, 3, 20, 28), np.uint16))
    raw = bytearray(path.read_bytes())
    entry = raw.find(b"DV")
    while entry >= 0:  # directory entries, and those of the sub-blocks: compression is their fourth number
        dimensions = bytes(raw[entry + 32 : entry + 32 + 20 * raw[entry + 28]])
        channel = dimensions.find(b"C\0\0\0")
        if channel >= 0 and dimensions[channel + 4] == 1:
            raw[entry + 18 : entry + 22] = (504).to_bytes(4, "little")
        entry = raw.find(b"DV", entry + 2)
    path.write_bytes(raw)
    dock.image.open_file(path)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1 and dock.image.input is not None, timeout=60_000)
    np.testing.assert_array_equal(viewer.layers[0].data, data[0, 0])
    notes = [line.accessibleName() for line in dock.image.findChildren(FindingLine)]
    assert any("TMRM-T1 cannot be read: unsupported compression" in note for note in notes)
