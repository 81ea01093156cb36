"""Choosing fields: files, folders, tables, layers; what the table says of each; how they are split."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_mito_predict._widgets.common.controls import FindingLine
from napari_mito_predict._widgets.train.fields_table import FieldsTable, short
from napari_mito_predict.image import Finding, Level, open_image
from napari_mito_predict.training import TrainingConfig
from napari_mito_predict.training.checks import FieldReport

PATIENCE = 60_000
GRID = {"scale": (0.29, 0.11, 0.11), "units": ["um"] * 3, "axis_labels": ("z", "y", "x")}


def wait_until_checked(qtbot, dock):
    qtbot.waitUntil(lambda: dock._checked is not None or not dock.data.failure.isHidden(), timeout=PATIENCE)


def findings(dock):
    table = dock.data.table
    return {table.item(row, 0).text(): table.item(row, 2).text() for row in range(table.rowCount())}


@pytest.fixture
def from_scratch(train_dock):
    """Edges are compared for shifts, not what a random model predicts."""
    train_dock.start.model.setCurrentIndex(train_dock.start.model.findText("from scratch"))
    train_dock.start._user_chose = True
    return train_dock


def test_good_and_bad_fields(from_scratch, folder, write_field, qtbot):
    write_field(folder / "blank.ome.tif", 7, np.full((8, 36, 44), 100))
    write_field(folder / "copy.ome.tif", 1)
    (folder / "damaged.czi").write_bytes(b"no image")
    from_scratch.set_files([folder])
    wait_until_checked(qtbot, from_scratch)
    found = findings(from_scratch)
    assert found["blank"] == "× blank"
    assert found["damaged"] == "× unreadable"
    assert sum(text.endswith("a copy") for text in found.values()) == 1
    assert from_scratch.data.found.text().startswith("8 fields: 5 ok")
    assert "1 blank" in from_scratch.data.found.text()
    assert from_scratch.data.split.text() == "3 train · 1 validate · 1 test · seed 0"
    assert {"blank", "damaged"} < set(from_scratch.request().data.exclude)
    assert len(from_scratch.request().data.exclude) == 3
    assert from_scratch.data.summary == "5 of 8 fields"
    blank = from_scratch.data.table.item(from_scratch.data.table.names.index("blank"), 0)
    assert not blank.flags() & Qt.ItemFlag.ItemIsUserCheckable, "it cannot be used"


def test_ticks_change_the_split_and_reading_again_keeps_them(from_scratch, folder, qtbot):
    from_scratch.set_files([folder])
    wait_until_checked(qtbot, from_scratch)
    from_scratch.data.table.item(4, 0).setCheckState(Qt.CheckState.Unchecked)
    assert from_scratch.data.split.text() == "2 train · 1 validate · 1 test · seed 0"
    assert from_scratch.request().data.exclude == ("field4",)
    from_scratch.start.options.seed.value = 3
    assert from_scratch.data.split.text().endswith("seed 3")
    assert from_scratch.request().split.seed == 3
    from_scratch.start.target_box.setEditText("DNA")
    qtbot.waitUntil(lambda: from_scratch.checking.state.busy, timeout=PATIENCE)
    wait_until_checked(qtbot, from_scratch)
    assert from_scratch.data.excluded == ["field4"]
    assert list(from_scratch.request().targets) == ["dna"]


def test_choosing_the_same_folder_again_reads_it_again(from_scratch, folder, write_field, qtbot):
    from_scratch.set_files([folder])
    wait_until_checked(qtbot, from_scratch)
    write_field(folder / "field0.ome.tif", 0, np.full((8, 36, 44), 100), overwrite=True)
    from_scratch.set_files([folder])
    qtbot.waitUntil(lambda: "1 blank" in from_scratch.data.found.text(), timeout=PATIENCE)
    assert "field0" not in from_scratch.data.split.toolTip()


def test_channels_are_guessed_by_their_names(train_dock, folder, qtbot):
    train_dock.set_files([folder / "field0.ome.tif"])
    qtbot.waitUntil(lambda: train_dock.data.peek is not None, timeout=PATIENCE)
    assert train_dock.data.channels.transmitted.currentText() == "T-PMT"
    assert train_dock.data.channels.truth.currentText() == "TMRM"
    assert train_dock.start.target == "mitochondria"
    assert train_dock.start.start_from == "mito-z"


def test_two_folders(from_scratch, tmp_path, qtbot):
    rng = np.random.default_rng(0)
    for kind in ("phase", "mito"):
        (tmp_path / kind).mkdir()
        for i in range(4):
            data = rng.integers(100, 4000, (8, 36, 44)).astype(np.uint16)
            metadata = {"axes": "ZYX"} | {f"PhysicalSize{axis}": 0.2 for axis in "ZYX"}
            tifffile.imwrite(tmp_path / kind / f"f{i}_{kind}.ome.tif", data, ome=True, metadata=metadata)
    from_scratch.data.source.set_folders(tmp_path / "phase", tmp_path / "mito")
    wait_until_checked(qtbot, from_scratch)
    assert from_scratch.data.source.match_label.text().startswith("4 pairs: f0_phase.ome.tif ↔ f0_mito.ome.tif")
    assert from_scratch.request().targets == {"mitochondria": None}
    assert not from_scratch.data.channels.isVisibleTo(from_scratch)
    (tmp_path / "mito" / "f3_mito.ome.tif").unlink()
    from_scratch.data.source.set_folders(tmp_path / "phase", tmp_path / "mito")
    qtbot.waitUntil(lambda: not from_scratch.data.failure.isHidden(), timeout=PATIENCE)
    assert "f3_phase" in from_scratch.data.failure.what.text()
    assert from_scratch.data.summary == "cannot be read"
    assert not from_scratch.training.start.isEnabled()


def test_a_table(from_scratch, folder, qtbot):
    rows = "".join(f"field{i}.ome.tif,0,1\n" for i in range(4))
    (folder / "pairs.csv").write_text(f"path_czi,channel_signal,channel_target\n{rows}", encoding="utf-8")
    from_scratch.data.source.set_table(folder / "pairs.csv")
    wait_until_checked(qtbot, from_scratch)
    assert from_scratch.data.found.text().startswith("4 fields: ")
    assert from_scratch.request().data.csv == str(folder / "pairs.csv")


def test_layers_are_written_with_scale_and_names(from_scratch, viewer, qtbot):
    form = from_scratch.data.source.layers
    from_scratch.data.source.kind.setCurrentIndex(3)
    place = {"scale": (0.3, 0.1, 0.1), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    for i in range(2):
        viewer.layers.clear()
        for seed, name in enumerate(("BF", "TMRM")):
            data = np.random.default_rng(10 * i + seed).integers(0, 999, (8, 36, 44)).astype(np.uint16)
            viewer.add_image(data, name=name, **place)
        form.transmitted.choose(viewer.layers[0])
        form.truth.choose(viewer.layers[1])
        assert form.add_button.isEnabled()
        form.add_button.click()
        qtbot.waitUntil(lambda n=i + 1: len(form.files) == n, timeout=PATIENCE)
    wait_until_checked(qtbot, from_scratch)
    image = open_image(from_scratch.data.source.data["files"][1])
    assert [channel.name for channel in image.channels] == ["transmitted light", "TMRM"]
    np.testing.assert_allclose(image.voxel_size_um, (0.3, 0.1, 0.1))
    np.testing.assert_array_equal(image.read(0, 1), viewer.layers[1].data)
    assert from_scratch.request().targets == {"mitochondria": "TMRM"}


@pytest.mark.parametrize("name", ["x" * 300, "A/B 1", "../up", "con", "細胞"])
def test_layers_of_any_name_are_written_into_the_folder_of_fields(from_scratch, viewer, qtbot, name):
    light, truth = np.random.default_rng(0).integers(0, 100, (2, 8, 40, 48)).astype(np.uint16)
    viewer.add_image(light, name=name, **GRID)
    viewer.add_image(truth, name="TMRM", **GRID)
    form = from_scratch.data.source.layers
    form.transmitted.choose(viewer.layers[0])
    form.truth.choose(viewer.layers[1])
    form.add()
    qtbot.waitUntil(lambda: len(form.files) == 1, timeout=PATIENCE)
    assert form.files[0].parent == form._folder
    assert open_image(form.files[0]).sizes["Z"] == 8


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32", "int64", "uint64", "float16", "float32", "float64", ">i2"])
def test_layers_of_any_type_of_number_are_taken(from_scratch, viewer, qtbot, dtype):
    values = np.random.default_rng(0).integers(0, 100, (2, 8, 40, 48))
    if dtype == "bool":
        values = values > 50
    light, truth = values.astype(dtype)
    viewer.add_image(light, name="BF", **GRID)
    viewer.add_image(truth, name="TMRM", **GRID)
    form = from_scratch.data.source.layers
    form.transmitted.choose(viewer.layers[0])
    form.truth.choose(viewer.layers[1])
    failures = []
    form.failed.connect(failures.append)
    form.add()
    qtbot.waitUntil(lambda: bool(form.files or failures), timeout=PATIENCE)
    assert not failures
    image = open_image(form.files[0])
    np.testing.assert_array_equal(image.read(0, 0), light)
    np.testing.assert_array_equal(image.read(0, 1), truth)


def test_layers_of_other_voxel_sizes_are_refused(train_dock, viewer):
    form = train_dock.data.source.layers
    stack = np.random.default_rng(0).random((8, 40, 48), np.float32)
    viewer.add_image(stack, name="BF", **GRID)
    viewer.add_image(stack, name="TMRM", **GRID | {"scale": (0.29, 0.2, 0.2)})
    form.transmitted.choose(viewer.layers[0])
    form.truth.choose(viewer.layers[1])
    assert not form.add_button.isEnabled()
    assert "0.11" in form.note.text()
    assert "0.2" in form.note.text()


def test_layers_of_a_simulated_file_are_refused(train_dock, viewer, qtbot):
    from napari_mito_predict._widgets.contributions.sample import simulated_cell

    for data, keywords, _ in simulated_cell():
        viewer.add_image(data, **keywords)
    train_dock.data.source.kind.setCurrentIndex(3)
    form = train_dock.data.source.layers
    form.transmitted.choose(viewer.layers[0])
    form.truth.choose(viewer.layers[1])
    form.add_button.click()
    qtbot.waitUntil(lambda: not train_dock.data.failure.isHidden(), timeout=PATIENCE)
    assert "is simulated" in train_dock.data.failure.what.text(), "a copy would not say so any more"
    assert form.files == []


def test_layers_of_other_sizes_are_refused(train_dock, viewer):
    form = train_dock.data.source.layers
    viewer.add_image(np.zeros((4, 8, 8)), name="BF")
    viewer.add_image(np.zeros((4, 8, 9)), name="TMRM")
    form.transmitted.choose(viewer.layers[0])
    form.truth.choose(viewer.layers[1])
    assert "differ in size (4 × 8 × 8 and 4 × 8 × 9)" in form.note.text()
    assert not form.add_button.isEnabled()


def test_a_shifted_field_can_be_looked_at(qtbot):
    message = "The truth seems shifted by +1.0 voxels in Y, -3.2 voxels in X."
    found = Finding(Level.WARNING, "shifted", message, "Look.", values={"Z": 0.0, "Y": 1.0, "X": -3.2})
    picture = np.zeros((20, 44, 3), np.uint8)
    report = FieldReport("a", "training", "1", (8, 20, 20), 1, (found,), picture)
    assert short(report) == "shifted 3 px"
    table = FieldsTable()
    qtbot.addWidget(table)
    table.set_fields(["a", "b"])
    table.set_report(report)
    table.set_report(FieldReport("b", "training", "2", (8, 20, 20), 4))
    assert table.summary() == "1 ok, 1 shifted 3 px"
    assert table.item(1, 1).text() == "4 × 8×20×20"
    assert table.included == ["a", "b"], "a warning is the user's to judge"
    assert "Look." in table.item(0, 2).toolTip()
    dialog = table.look_at(0)
    assert dialog.isVisible()
    assert "shifted" in dialog.windowTitle()
    dialog.close()
    assert table.look_at(1) is None


def test_layers_that_lie_elsewhere_are_refused(train_dock, viewer, qtbot):
    form = train_dock.data.source.layers
    grid = {"scale": (0.3, 0.1, 0.1), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    viewer.add_image(np.zeros((4, 8, 8)), name="BF", **grid)
    viewer.add_image(np.zeros((4, 8, 8)), name="TMRM", translate=(0, 0, 3), **grid)
    form.transmitted.choose(viewer.layers[0])
    form.truth.choose(viewer.layers[1])
    assert "3 µm along x" in form.note.text()
    assert not form.add_button.isEnabled()


def test_what_belongs_together_stays_in_one_part(from_scratch, tmp_path, write_field, qtbot):
    """Three dishes of two fields, in two folders."""
    for i, name in enumerate(["day1/d1_a", "day1/d1_b", "day1/d2_a", "day2/d2_b", "day2/d3_a", "day2/d3_b"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_field(tmp_path / f"{name}.ome.tif", i)
    together = from_scratch.data.together
    assert not together.isVisibleTo(from_scratch), "there is nothing to keep together yet"
    from_scratch.set_files([tmp_path / "day1", tmp_path / "day2"])
    wait_until_checked(qtbot, from_scratch)
    assert together.isVisibleTo(from_scratch)
    assert not together.pattern.isVisibleTo(together)
    assert together.groups.isHidden()
    assert "by" not in from_scratch.request().split.model_dump()
    together.kind.setCurrentIndex(together.kind.findText("by a name pattern"))
    assert together.pattern.isVisibleTo(together)
    assert together.groups.text() == "3 groups: d1 (2), d2 (2), d3 (2)"
    assert from_scratch.data.split.text() == "2 train · 2 validate · 2 test · seed 0"
    parts = from_scratch.data.parts
    assert {field.name[:2] for field in parts.test}.isdisjoint(field.name[:2] for field in parts.training)
    assert from_scratch.request().split.by == "^[^_]+"
    said = [line.accessibleName() for line in from_scratch.data.findChildren(FindingLine)]
    assert any("Only 3 usable groups" in line for line in said)
    together.pattern.setText("^d([12])")
    assert together.problem.startswith(
        "The pattern '^d([12])' that says what belongs together is not found in d3_a, d3_b."
    )
    assert together.findChildren(FindingLine)[-1].accessibleName().startswith(f"error: {together.problem}")
    assert from_scratch.data.summary == "pattern does not fit"
    assert not from_scratch.training.start.isEnabled()
    from_scratch.data.table.item(from_scratch.data.table.names.index("d3_a"), 0).setCheckState(Qt.CheckState.Unchecked)
    from_scratch.data.table.item(from_scratch.data.table.names.index("d3_b"), 0).setCheckState(Qt.CheckState.Unchecked)
    assert together.groups.text() == "2 groups: 1 (2), 2 (2)", "fields without a tick do not count"
    assert not together.problem
    for typed, said in (("(", "This is not a pattern: "), ("", "There is no pattern yet.")):
        together.pattern.setText(typed)
        assert together.problem.startswith(said)
        assert from_scratch.data.parts is None
    together.kind.setCurrentIndex(together.kind.findText("files in one folder"))
    assert together.groups.text() == "2 groups: day1 (3), day2 (1)"
    assert from_scratch.request().split.by == "folder"
    together.kind.setCurrentIndex(0)
    assert from_scratch.request().split.by is None


def test_what_belongs_together_is_in_the_command(checked, qtbot):
    together = checked.data.together
    together.kind.setCurrentIndex(together.kind.findText("by a name pattern"))
    together.pattern.setText(r"\d$")
    checked.start.options.seed.value = 4
    checked.copy_command()
    command = QGuiApplication.clipboard().text()
    written = TrainingConfig.load(Path(shlex.split(command)[-1]))
    assert written.split.by == r"\d$"
    assert written.split.seed == 4
