"""The dock "Many images" from files to predictions, with the real engine and tiny networks."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from qtpy.compat import isalive
from qtpy.QtCore import QMimeData, QPointF, Qt, QThreadPool, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QApplication

from napari_mito_predict import errors
from napari_mito_predict._widgets.batch.pace import Pace
from napari_mito_predict._widgets.batch.queue import Stage
from napari_mito_predict._widgets.batch.table_model import ImagesModel
from napari_mito_predict._widgets.common.facts import input_facts, prediction_facts
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict.image import open_image, write_ome_tiff
from napari_mito_predict.models.record import read_record
from napari_mito_predict.prediction import Execution
from napari_mito_predict.prediction.batch import watch as watching
from napari_mito_predict.prediction.batch.inputs import Entry
from napari_mito_predict.prediction.batch.outcome import State

PATIENCE = 60_000
VOXEL_UM = (0.29, 0.11, 0.11)


@pytest.fixture
def record(tmp_path):
    """Write recordings of transmitted light, and of TMRM unless there is none."""

    def write(name, seed=0, *, truth=True):
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        channels = ["Brightfield", "TMRM"] if truth else ["Brightfield"]
        data = np.random.default_rng(seed).integers(100, 4000, (len(channels), 4, 24, 24), np.uint16)
        return write_ome_tiff(path, data, axes="CZYX", channel_names=channels, voxel_size_um=VOXEL_UM, overwrite=True)

    return write


@pytest.fixture
def scans(record, tmp_path):
    """Two recordings, and between them a file that is broken."""
    record("a.ome.tif", 1)
    (tmp_path / "scans" / "b.czi").write_bytes(b"ZISRAWFILE and no more")
    record("c.ome.tif", 2, truth=False)
    return tmp_path / "scans"


@pytest.fixture
def make_many(own_settings, qtbot):
    """Docks beside a viewer without a window."""
    from napari.components import ViewerModel

    from napari_mito_predict._widgets.batch.widget import ManyImagesWidget

    made = []

    def make():
        widget = ManyImagesWidget(ViewerModel())
        made.append(widget)
        qtbot.addWidget(widget)
        widget.resize(320, 900)
        widget.show()
        return widget

    yield make
    for widget in made:
        if isalive(widget):
            widget.job.cancel()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=PATIENCE)


def choose_models(dock):
    dock.settings.kind.setCurrentIndex(1)
    for name in ("mito-z", "dna-z"):
        dock.settings.models[name].setChecked(True)


@pytest.fixture
def many(make_many):
    """The dock, with both models chosen."""
    dock = make_many()
    choose_models(dock)
    return dock


@pytest.fixture
def hold(monkeypatch):
    """Let the engine wait in each image, until the test lets it go on; cancelling still works."""
    go, predict = threading.Event(), Execution.predict

    def slow(self):
        while not go.wait(0.01):
            if self.context.cancel():
                raise errors.PredictionCancelled("Cancelled; nothing was written.")
        return predict(self)

    monkeypatch.setattr(Execution, "predict", slow)
    yield go
    go.set()


@pytest.fixture
def list_in(qtbot):
    """Add something to a dock, and wait until it is listed."""

    def add(dock, given):
        dock.add(given)
        qtbot.waitUntil(lambda: not dock.images._listing.state.busy, timeout=PATIENCE)

    return add


def ends(dock):
    return lambda: not dock.job.state.busy and not dock._saving.state.busy


def run(dock, qtbot):
    dock.run.start.click()
    qtbot.waitUntil(ends(dock), timeout=PATIENCE)


def states(dock):
    return {row.name: row.state for row in dock._rows}


def texts(dock, row):
    model = dock.images.images
    return [model.index(row, column).data() for column in range(model.columnCount())]


# ------------------------------------------------------------------ a run


def test_one_bad_file_stops_no_other(many, scans, list_in, qtbot):
    assert many.run.summary == "add images"
    list_in(many, [scans])
    assert [texts(many, row)[1] for row in range(3)] == ["waiting"] * 3
    run(many, qtbot)
    assert states(many) == {"a": State.DONE, "b": State.FAILED, "c": State.DONE}
    name, state, scores = texts(many, 0)
    assert (name, state.partition("\n")[0]) == ("a", "done")
    assert state.partition("\n")[2] in ("green", "amber", "red")
    assert float(scores) == pytest.approx(many._rows[0].outcome.pcc["mitochondria"], abs=0.006)
    assert texts(many, 2)[2] == "", "there is no truth"
    assert many.run.result.text() == "2 done, 1 failed"
    assert "damaged" in many.images.about.text(), "the first that failed is selected, and its reason said"
    assert many.run.retry.isVisible()
    assert open_image(scans / "predicted" / "a_mitochondria.ome.tif").sizes["Z"] == 4


def test_the_table_is_written_beside_the_predictions(many, scans, list_in, qtbot, tmp_path):
    list_in(many, [scans])
    many.settings.set_output_folder(tmp_path / "out")
    run(many, qtbot)
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["done", "failed", "done"]
    assert rows[0]["pcc mitochondria"]
    assert rows[1]["reason"]
    many.save_table(tmp_path / "mine.csv")
    qtbot.waitUntil(lambda: "mine.csv" in many.run.saved.text(), timeout=PATIENCE)
    assert (tmp_path / "mine.csv").read_bytes() == (tmp_path / "out" / "predictions.csv").read_bytes()


def test_a_repaired_file_is_tried_again(many, scans, record, list_in, qtbot):
    list_in(many, [scans])
    run(many, qtbot)
    written = (scans / "predicted" / "a_mitochondria.ome.tif").stat().st_mtime_ns
    shutil.copy(record("c.ome.tif", 2), scans / "b.czi")  # what a file is, its first bytes say
    many.run.retry.click()
    qtbot.waitUntil(ends(many), timeout=PATIENCE)
    assert set(states(many).values()) == {State.DONE}
    assert not many.run.retry.isVisible()
    assert not many.run.start.isEnabled()
    assert (scans / "predicted" / "a_mitochondria.ome.tif").stat().st_mtime_ns == written


def test_it_goes_on_in_another_session(make_many, scans, list_in, qtbot):
    for expected in (State.DONE, State.THERE_ALREADY):
        dock = make_many()
        choose_models(dock)
        list_in(dock, [scans])
        run(dock, qtbot)
        assert states(dock)["a"] is expected
    assert texts(dock, 0)[1] == "there already\nred"
    dock.settings.again.setChecked(True)
    run(dock, qtbot)
    assert states(dock)["a"] is State.DONE
    assert dock.run.start.isEnabled(), "and again, if somebody wants to"


def test_other_settings_make_all_of_it_wait_again(many, scans, list_in, qtbot):
    list_in(many, [scans])
    run(many, qtbot)
    assert not many.run.start.isEnabled()
    many.settings.one_file.setChecked(True)
    many.settings.format.setCurrentIndex(1)
    run(many, qtbot)
    assert states(many)["a"] is State.DONE
    (written,) = set(many._rows[0].outcome.files.values())
    assert written.name.endswith(".ome.zarr")
    assert open_image(written).sizes["C"] == 2
    assert len(texts(many, 0)[2].splitlines()) == 1, "of the one target whose truth is there"


def test_what_the_files_do_not_say_is_told(many, tmp_path, list_in, qtbot):
    data = np.random.default_rng(0).integers(100, 4000, (2, 4, 24, 24), np.uint16)
    path = write_ome_tiff(tmp_path / "a.ome.tif", data, axes="CZYX", channel_names=["one", "two"])
    list_in(many, [path])
    run(many, qtbot)
    assert "See below" in many.images.about.text()
    told = many.settings.told
    told.channel.setText("two")
    told.voxel_size.setText("0,29 0.11")
    assert many.run.summary == "voxel size: three numbers"
    told.voxel_size.setText("0,29 0.11 0.11")
    run(many, qtbot)
    assert states(many) == {"a": State.DONE}
    record = read_record(next(iter(many._rows[0].outcome.files.values())))
    assert record.input.channel.name == "two"
    assert record.input.voxel_size_um == VOXEL_UM


def test_what_was_chosen_is_remembered(make_many, tmp_path):
    first = make_many()
    first.settings.set_output_folder(tmp_path / "out")
    first.settings.kind.setCurrentIndex(1)
    assert first.settings.settings is None, "no model is chosen yet"
    first.settings.models["dna-z"].setChecked(True)
    first.settings.format.setCurrentIndex(1)
    first.settings.again.setChecked(True)
    second = make_many().settings
    chosen = second.settings
    assert (chosen.folder, chosen.models, chosen.file_format) == (tmp_path / "out", ("dna-z",), "ome-zarr")
    assert not second.again.isChecked(), "that is for one run"


def test_a_model_that_is_gone_fails_before_the_first_image(places, tmp_path, make_many, scans, list_in, qtbot):
    mine = shutil.copytree(tmp_path / "models" / "mito-z", tmp_path / "models" / "mine")
    card = json.loads((mine / "model.json").read_text(encoding="utf-8"))
    (mine / "model.json").write_text(json.dumps(card | {"name": "mine"}), encoding="utf-8")
    dock = make_many()
    dock.settings.kind.setCurrentIndex(1)
    dock.settings.models["mine"].setChecked(True)
    list_in(dock, [scans])
    shutil.rmtree(mine)
    run(dock, qtbot)
    assert dock.job.state is JobState.FAILED
    assert "'mine'" in dock.run.failure.what.text()
    assert not dock.outcomes
    dock.refresh_models()
    assert dock.run.summary == "failed"
    assert not dock.run.start.isEnabled(), "nothing is chosen any more"


# ------------------------------------------------------------------ under way


def test_pause_continue_cancel_and_go_on(many, scans, hold, list_in, qtbot):
    list_in(many, [scans])
    many.run.start.click()
    qtbot.waitUntil(lambda: texts(many, 0)[1] == "predicting\n0 %", timeout=PATIENCE)
    assert not many.settings.content().isEnabled()
    many.run.pause.click()
    assert many.run.pause.text().replace("&", "") == "Continue"
    assert many.run.summary.startswith("paused")
    hold.set()
    qtbot.wait(150)  # longer than a layer takes
    assert many.outcomes == [], "the engine waits before its first layer"
    hold.clear()
    many.run.pause.click()
    many.run.cancel.click()
    qtbot.waitUntil(ends(many), timeout=PATIENCE)
    assert states(many)["a"] is None
    assert "Start goes on" in many.run.result.text() or not many.outcomes
    assert not list(Path(many.settings.output_folder).glob("*.ome.tif"))
    hold.set()
    run(many, qtbot)
    assert states(many)["a"] is State.DONE


def test_cancelled_while_it_is_paused(many, scans, hold, list_in, qtbot):
    list_in(many, [scans])
    many.run.start.click()
    qtbot.waitUntil(lambda: texts(many, 0)[1].startswith("predicting"), timeout=PATIENCE)
    many.run.pause.click()
    many.run.cancel.click()
    qtbot.waitUntil(ends(many), timeout=PATIENCE)
    assert states(many)["a"] is None


def test_images_come_and_go_while_it_runs(many, scans, record, hold, list_in, qtbot):
    list_in(many, [scans])
    many.run.start.click()
    qtbot.waitUntil(lambda: many._rows[0].doing is not None and many._rows[0].doing.stage is Stage.PREDICTING)
    list_in(many, [record("more/d.ome.tif", 4), record("more/e.ome.tif", 5)])
    many.remove([row for row in many._rows if row.name == "d"])
    many.images.table.choose(many._rows[0])
    assert not many.images.remove_button.isEnabled(), "it is under way"
    hold.set()
    qtbot.waitUntil(ends(many), timeout=PATIENCE)
    assert states(many) == {"a": State.DONE, "b": State.FAILED, "c": State.DONE, "e": State.DONE}


def test_two_images_of_one_name_do_not_replace_each_other(many, scans, record, list_in, qtbot):
    list_in(many, [scans, record("more/A.tif", 3)])
    assert states(many)["A"] is State.FAILED
    assert "same name" in many._rows[3].reasons
    many.remove(many._rows[:1])
    many.run.retry.click()
    qtbot.waitUntil(ends(many), timeout=PATIENCE)
    assert states(many)["A"] is State.DONE


def test_a_folder_is_watched(many, scans, record, list_in, qtbot, monkeypatch):
    for name, seconds in (("every_s", 0.02), ("quiet_s", 0.1), ("patience_s", 0.1)):
        monkeypatch.setitem(watching.watch.__kwdefaults__, name, seconds)
    list_in(many, [scans])
    many.settings.watch.setChecked(True)
    many.settings.set_output_folder(scans)  # predictions there are no news
    many.run.start.click()
    qtbot.waitUntil(lambda: len(many.outcomes) == 3, timeout=PATIENCE)
    assert many.job.state is JobState.RUNNING
    record("later.ome.tif", 7)
    qtbot.waitUntil(lambda: states(many).get("later") is State.DONE, timeout=PATIENCE)
    many.run.cancel.click()
    qtbot.waitUntil(ends(many), timeout=PATIENCE)
    assert set(states(many)) == {"a", "b", "c", "later"}


# ------------------------------------------------------------------ the list


def test_files_patterns_and_plates(many, scans, make_plate, list_in):
    plate = make_plate("0.5", (1, 1, 1, 24, 24))
    list_in(many, [scans / "a.ome.tif", scans / "*.czi", plate, scans / "*.lif"])
    names = [texts(many, row)[0] for row in range(len(many._rows))]
    assert names[:2] == ["a", "b"]
    assert names[2].splitlines()[1].startswith("A/1"), "a field of the plate"
    assert "no file fits" in many.images.problem.text
    before = len(many._rows)
    list_in(many, [scans])
    assert len(many._rows) == before + 1, "what is there is not added again"


def test_predictions_go_into_the_plate_or_a_new_one(many, make_plate, list_in, qtbot, tmp_path):
    formats = many.settings.format
    assert formats.findData("into-plate") < 0, "nothing is of a plate yet"
    plate = make_plate("0.5", (1, 1, 4, 24, 24))
    list_in(many, [plate])
    many.remove(many._rows[1:])
    formats.setCurrentIndex(formats.findData("into-plate"))
    assert not many.settings.folder.isVisible()
    assert many.settings.summary == "into the plate"
    run(many, qtbot)
    assert many._rows[0].state is State.DONE, many._rows[0].outcome.reason
    assert open_image(plate / "A" / "1" / "0predicted").sizes["C"] == 2
    many.images.table.choose(many._rows[0])
    many.images.open_button.click()
    qtbot.waitUntil(lambda: len(many.viewer.layers) == 3, timeout=PATIENCE)
    formats.setCurrentIndex(formats.findData("new-plate"))
    many.settings.set_output_folder(tmp_path / "out")
    run(many, qtbot)
    assert (tmp_path / "out" / "screen_predicted.ome.zarr" / "A" / "1" / "0").is_dir()


def test_an_empty_folder_can_be_watched(many, list_in, tmp_path):
    (tmp_path / "today").mkdir()
    list_in(many, [tmp_path / "today"])
    assert "can be watched" in many.images.problem.text
    many.settings.watch.setChecked(True)
    assert many.run.start.isEnabled()


def test_files_are_dropped(many, scans, qtbot):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(scans / name)) for name in ("a.ome.tif", "c.ome.tif")])
    action, button, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    many.images.dropEvent(QDropEvent(QPointF(5, 5), action, data, button, keys))
    qtbot.waitUntil(lambda: len(many._rows) == 2, timeout=PATIENCE)
    many.images.table.selectAll()
    qtbot.keyClick(many.images.table, Qt.Key.Key_Delete)
    assert not many._rows
    assert (scans / "a.ome.tif").exists()


def test_an_image_is_opened_with_its_predictions(many, scans, list_in, qtbot):
    list_in(many, [scans])
    run(many, qtbot)
    mine = many.viewer.add_image(np.zeros((4, 4)), name="mine")
    for number, expected in ((0, 4), (2, 3)):
        many.images.table.choose(many._rows[number])
        qtbot.keyClick(many.images.table, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda expected=expected: len(many.viewer.layers) == 1 + expected, timeout=PATIENCE)
    assert mine in many.viewer.layers
    light, *predicted = [layer for layer in many.viewer.layers if layer is not mine]
    assert input_facts(light).path.endswith("c.ome.tif")
    assert {prediction_facts(layer).target for layer in predicted} == {"mitochondria", "dna"}
    np.testing.assert_allclose(predicted[0].scale, light.scale)


def test_what_cannot_be_opened_is_said(many, scans, list_in, qtbot):
    list_in(many, [scans])
    many.images.table.choose(many._rows[1])
    many.images.open_button.click()
    qtbot.waitUntil(lambda: "damaged" in many.images.problem.text, timeout=PATIENCE)
    assert not many.viewer.layers


def test_two_thousand_rows(qtbot, qtmodeltester):
    model = ImagesModel()
    entries = [Entry(Path(f"/data/{number}.czi")) for number in range(2000)]
    model.add(model.new([*entries, *entries]))
    assert model.rowCount() == 2000
    assert model.new(entries) == []
    model.remove(entries[:1000])
    assert model.row_of(entries[999]) is None
    assert model.row_of(entries[1000]) is model.rows[0]
    model.remove(entries[1003:])
    qtmodeltester.check(model)


def test_time_left_counts_what_was_computed_and_no_pauses():
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.seconds_left(10, 0.0) is None
    now[0] = 10.0
    pace.count()
    assert pace.seconds_left(9, 0.0) == 90
    assert pace.seconds_left(9, 1.0) == 40
    pace.pause()
    now[0] = 1000.0
    assert pace.seconds_left(9, 0.0) == 90
    pace.go_on()
    now[0] = 1010.0
    assert pace.seconds_left(9, 0.0) == 180


# ------------------------------------------------------------------ the end


def test_the_dock_is_closed_while_it_runs(many_dock, scans, hold, list_in, qtbot):
    list_in(many_dock, [scans])
    many_dock.run.start.click()
    qtbot.waitUntil(lambda: texts(many_dock, 0)[1].startswith("predicting"), timeout=PATIENCE)
    many_dock.run.pause.click()
    many_dock.parentWidget().destroyOnClose()
    QApplication.processEvents()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=PATIENCE)
    assert not list(scans.glob("predicted/*.ome.tif"))


def test_the_dock_opens_from_that_for_one_image(dock, own_settings):
    for _ in range(2):
        dock.image.many.click()
    docks = [widget for widget in QApplication.allWidgets() if getattr(widget, "dock_name", "") == "Many images"]
    assert [many.viewer == dock.viewer for many in docks if many.parentWidget() is not None] == [True]


EXIT = """
import napari, sys
from pathlib import Path
import platformdirs
from qtpy.QtCore import QTimer
from napari_mito_predict._widgets.batch.widget import ManyImagesWidget

platformdirs.user_config_path = lambda *args, **kwargs: Path(sys.argv[1]) / "settings"
viewer = napari.Viewer()
dock = ManyImagesWidget(viewer)
viewer.window.add_dock_widget(dock)
dock.settings.kind.setCurrentIndex(1)
dock.settings.models["mito-z"].setChecked(True)
dock.add([Path(sys.argv[1])])

def close():
    if dock.run.start.isVisible() and dock.run.start.isEnabled():
        dock.run.start.click()
    if dock.job.state == "running":
        dock.toggle_pause()
        viewer.close()
    else:
        QTimer.singleShot(10, close)

close()
napari.run()
"""


def test_napari_is_closed_while_it_is_paused(scans, models_folder):
    command = [sys.executable, "-X", "faulthandler", "-c", EXIT, str(scans)]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Error" not in ended.stderr
