"""Nothing in the docks is cut off at 320 pixels, in any state, and what starts the work is always in sight."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QGraphicsView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollBar,
    QStyle,
    QStyleOptionComboBox,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from napari_mito_predict import prediction
from napari_mito_predict._widgets.batch.listing import Found
from napari_mito_predict._widgets.batch.queue import Doing, Stage
from napari_mito_predict._widgets.batch.run_step import Progress
from napari_mito_predict._widgets.common.facts import KEY
from napari_mito_predict._widgets.common.worker import Failure, JobState
from napari_mito_predict._widgets.models.importing import NotImported, Unclear, Wish
from napari_mito_predict._widgets.predict.work import Live
from napari_mito_predict.errors import OutputError
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.prediction import plan
from napari_mito_predict.prediction.batch.inputs import Entry
from napari_mito_predict.prediction.batch.outcome import Outcome, State
from napari_mito_predict.prediction.traffic_light import Colour, TrafficLight
from napari_mito_predict.training.checks import FieldReport

WINDOWS = (QSize(1280, 790), QSize(900, 600))
"""In the first one a dock is 700 pixels high."""
DOCK_WIDTH = 320
UNLIMITED = 1_000_000
INVISIBLE = {0x200B: None, 0xA0: " "}
"""What says where a line may end, and where not."""
PATIENCE = 60_000
LONG = "20240312_U2OS_TMRM_SYBRGold_63x_Airyscan_Mitochondrienmembranpotential_ミトコンドリア_001"


# ------------------------------------------------------------------ looking for what is cut off


@pytest.fixture
def faults(tooltip):
    """Tells all that cannot be read in a dock: cut off, too narrow for its text, or shortened for good."""

    def find(dock):
        found = []
        for widget in shown(dock):
            name = f"{type(widget).__name__} '{words_of(widget)}'"
            found += [f"{name}: {fault}" for fault in (beyond(widget, dock), *cut_off(widget)) if fault]
            tip = tooltip(widget)
            found += [f"{name}: tooltip '{tip}' does not say '{text}'" for text in hidden(widget) if text not in tip]
        return found

    return find


def shown(widget):
    """Every visible widget of a tree but the innards of Qt's own; folded ones are not looked at."""
    for child in widget.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
        if not child.isVisible() or child.isWindow() or child.size().isEmpty():
            continue
        yield child
        if not isinstance(child, QComboBox | QAbstractSpinBox | QAbstractItemView | QGraphicsView | QScrollBar):
            yield from shown(child)


def words_of(widget):
    text = getattr(widget, "text", None)
    return (text() if callable(text) else "") or widget.accessibleName()


def beyond(widget, dock):
    """By which parent a widget is cut off. Up and down one can scroll, to the sides one cannot."""
    rect = widget.rect()
    while widget is not dock:
        rect.translate(widget.pos())
        widget = widget.parentWidget()
        room = widget.rect()
        if isinstance(widget.parentWidget(), QAbstractScrollArea):
            rect.setTop(room.top())
            rect.setBottom(room.bottom())
        if not room.contains(rect):
            return f"at {rect.getRect()} of {type(widget).__name__} {room.getRect()}"
    return ""


def cut_off(widget):
    """What of a widget's own text cannot be seen."""
    match widget:
        case QScrollBar():
            if widget.orientation() is Qt.Orientation.Horizontal and widget.maximum() > 0:
                yield "scrolls sideways"
        case QLabel():
            yield cut_off_label(widget)
        case QAbstractSpinBox():
            yield cut_off_line(widget.lineEdit(), widget.text())
        case QLineEdit():
            yield cut_off_line(widget, widget.placeholderText() if not widget.text() else "")
        case QProgressBar():
            if widget.isTextVisible() and width_of(widget, widget.text()) > widget.width():
                yield "its text is wider"
        case QTableView():
            yield from cut_off_cells(widget)
    needed = widget.minimumSizeHint().expandedTo(widget.minimumSize())
    if isinstance(widget, QComboBox):
        needed.setWidth(0)  # it may be narrower than its entries, as long as it says what it shows
    if widget.width() < needed.width() or widget.height() < needed.height():
        yield f"{widget.width()} x {widget.height()}, needs {needed.width()} x {needed.height()}"


def width_of(widget, text):
    return widget.fontMetrics().horizontalAdvance(text.replace("&", ""))


def cut_off_label(label):
    drawn, room = QLabel.text(label), label.contentsRect()
    if not drawn:
        return ""
    flags = int(Qt.TextFlag.TextWordWrap) if label.wordWrap() else 0
    needed = label.fontMetrics().boundingRect(QRect(0, 0, room.width(), UNLIMITED), flags, drawn)
    if needed.width() > room.width() or needed.height() > room.height():
        return f"{room.width()} x {room.height()}, needs {needed.width()} x {needed.height()}"
    return ""


def cut_off_line(line, text):
    if width_of(line, text) > line.contentsRect().width() - 4:
        return f"'{text}' is wider than {line.contentsRect().width()}"
    return ""


def cut_off_cells(table):
    """Cells and heads that are cut off; a cell may be where its own tooltip says it."""
    model, header = table.model(), table.horizontalHeader()
    for column in (column for column in range(model.columnCount()) if not table.isColumnHidden(column)):
        if header.sectionSizeHint(column) > header.sectionSize(column):
            yield f"the head of column {column} is cut off"
        for row in range(model.rowCount()):
            index = model.index(row, column)
            option = QStyleOptionViewItem()
            table.initViewItemOption(option)
            option.rect = table.visualRect(index)
            needed = table.itemDelegateForIndex(index).sizeHint(option, index)
            tip = index.data(Qt.ItemDataRole.ToolTipRole) or ""
            too_small = needed.width() > option.rect.width() or needed.height() > option.rect.height() + 1
            if too_small and index.data() not in tip:
                yield f"'{index.data()}' is cut off, and its tooltip is '{tip}'"


def hidden(widget):
    """Texts that a widget does not show in full."""
    match widget:
        case QLabel() if QLabel.text(widget).translate(INVISIBLE) != widget.text():
            return [widget.text()]
        case QComboBox() if width_of(widget, widget.currentText()) > room_of(widget):
            return [widget.currentText()]
        case QLabel() | QAbstractButton():
            start, _, end = widget.text().partition("…")  # shortened before the widget got it
            return [start, end] if end else []
    return []


def room_of(combo):
    option = QStyleOptionComboBox()
    combo.initStyleOption(option)
    field = QStyle.SubControl.SC_ComboBoxEditField
    return combo.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, combo).width() - 4


# ------------------------------------------------------------------ states of the docks


def long_failure():
    return Failure(
        f"/data/{LONG}/{LONG}.czi cannot be read: it is not complete.",
        "It is still being copied, or the copy was interrupted.",
        f"Copy {LONG}.czi again, then open it once more.",
        "Traceback",
    )


def empty(dock, request):
    pass


def predict_file(dock, request):
    request.getfixturevalue("ready")


def predict_long_name(dock, request):
    folder = request.getfixturevalue("tmp_path")
    dock.image.open_file(shutil.copy(request.getfixturevalue("czi"), folder / f"{LONG}.czi"))
    request.getfixturevalue("qtbot").waitUntil(lambda: dock.image.input is not None, timeout=PATIENCE)
    dock.predict.more.setChecked(True)
    dock.predict.set_output_folder(folder / LONG)


def predict_red(dock, request):
    """Reasons against every model, all of them unfolded."""
    predict_file(dock, request)

    def look(plan, cancel):
        found = [
            Finding(
                level, code, f"{job.model.name}, {LONG}: bright is dark {code}.", "Invert it.", model=job.model.name
            )
            for code, level in (("contrast-inverted", Level.SEVERE), ("unfamiliar", Level.WARNING))
            for job in plan.jobs
        ]
        return replace(plan, findings=(*plan.findings, *found), looked=True)

    request.getfixturevalue("monkeypatch").setattr(prediction, "look", look)
    dock._planned_for = None
    dock._plan()
    qtbot = request.getfixturevalue("qtbot")
    qtbot.waitUntil(lambda: dock.models.summary.endswith("do not believe"), timeout=PATIENCE)
    for row in dock.models.rows.values():
        row.light.reasons.more.setChecked(True)


def predict_without_voxel_size(dock, request):
    layer = dock.viewer.add_image(np.random.default_rng(0).random((8, 64, 72), np.float32), name="brightfield")
    dock.image.transmitted.choose(layer)
    dock.image.axes.setCurrentIndex(1)
    dock.image.voxel.z.setValue(0.29)
    assert dock.image.voxel.isVisibleTo(dock)


def predict_ten_models(dock, request):
    request.getfixturevalue("ten_models")
    dock.models.refresh()
    predict_file(dock, request)
    for box in dock.models._boxes.values():
        box.setChecked(box.isEnabled())
    qtbot = request.getfixturevalue("qtbot")
    qtbot.waitUntil(lambda: dock.planning.state is JobState.DONE, timeout=PATIENCE)


def predict_failed(dock, request):
    predict_file(dock, request)
    dock.models.show_plan(None, long_failure())
    dock.predict.show_failure(long_failure())
    dock.predict.show_state(JobState.FAILED)


def predict_running(dock, request):
    predict_file(dock, request)
    dock.predict.show_state(JobState.RUNNING)
    live = Live(started=time.monotonic() - 500)
    live.done, live.total, live.message = 3, 128, "mito-confocal-2024 and dna-z: predicting time point 12"
    dock.predict.show_progress(live)


def predict_too_large(dock, request):
    predict_file(dock, request)
    request.getfixturevalue("monkeypatch").setattr(plan, "free_memory", lambda device: 1000)
    dock.predict.tile.setCurrentIndex(1)  # planned anew
    qtbot = request.getfixturevalue("qtbot")
    qtbot.waitUntil(lambda: dock.predict.choose_folder.isVisibleTo(dock), timeout=PATIENCE)
    request.getfixturevalue("wait_for_plan")(dock)


def predict_taken(dock, request):
    predict_file(dock, request)
    folder = request.getfixturevalue("tmp_path")
    dock.predict.set_output_folder(folder)
    dock.predict.ask_about([folder / f"{LONG}_mitochondria.ome.tif", folder / f"{LONG}_dna.ome.tif"])


def predict_done(dock, request):
    predict_file(dock, request)
    dock.predict.predict.click()
    qtbot = request.getfixturevalue("qtbot")
    qtbot.waitUntil(lambda: dock.job.state is JobState.DONE, timeout=PATIENCE)
    qtbot.waitUntil(lambda: dock.compare.stack is not None, timeout=PATIENCE)
    dock.compare.what.setChecked(True)


def compare_scores(dock, request):
    truth = np.random.default_rng(0).random((6, 64, 72), np.float32)
    viewer = request.getfixturevalue("viewer")
    viewer.add_image(truth, name=f"{LONG} · TMRM")
    facts = {"kind": "prediction", "target": "mitochondria", "input_layer": "BF"}
    disclaimer = "Trained on simulated cells, not validated on real ones."
    metadata = {KEY: facts, "disclaimer": disclaimer}
    predicted = viewer.add_image(np.roll(truth, 6, 2), name=f"{LONG} · mitochondria predicted", metadata=metadata)
    qtbot = request.getfixturevalue("qtbot")
    dock.panel.prediction.choose(predicted)
    dock.panel.truth.choose(viewer.layers[0])
    qtbot.waitUntil(lambda: dock.panel.stack is not None, timeout=PATIENCE)
    dock.panel.pair.draw.click()
    dock.panel.what.setChecked(True)


def compare_problem(dock, request):
    viewer = request.getfixturevalue("viewer")
    viewer.add_image(np.zeros((6, 64, 70), np.float32), name="TMRM")
    metadata = {KEY: {"kind": "prediction", "target": "mitochondria", "input_layer": "BF"}}
    viewer.add_image(np.zeros((6, 64, 72), np.float32), name="mitochondria predicted", metadata=metadata)
    dock.panel.truth.choose(viewer.layers[0])
    request.getfixturevalue("qtbot").waitUntil(lambda: "same field" in dock.panel.problem.text(), timeout=PATIENCE)


def train_source(kind):
    def show(dock, request):
        folder = request.getfixturevalue("tmp_path") / LONG
        for name in ("light", "truth"):
            (folder / f"{LONG}-{name}").mkdir(parents=True)
        source = dock.data.source
        if kind == "folders":
            source.set_folders(folder / f"{LONG}-light", folder / f"{LONG}-truth")
            source.show_matches([(f"{LONG}-1.tif", f"{LONG}-2.tif")])
        elif kind == "table":
            source.set_table(folder / f"{LONG}.csv")
        source.kind.setCurrentIndex(source.kind.findData(kind))
        dock.data.show_failure(long_failure())
        dock.start.options.loss.value = "mse+dssim"
        dock.start.more.setChecked(True)

    show.__name__ = f"train_{kind}"
    return show


def train_checked(dock, request):
    folder = request.getfixturevalue("folder")
    request.getfixturevalue("write_field")(folder / f"{LONG}.ome.tif", 6)
    dock.set_files([folder])
    qtbot = request.getfixturevalue("qtbot")
    qtbot.waitUntil(lambda: dock._checked is not None, timeout=PATIENCE)
    shifted = Finding(Level.WARNING, "shifted", "The truth seems shifted.", "Look.", values={"X": -12.0})
    blank = Finding(Level.ERROR, "no-contrast", "All of it has one value.", "Leave it out.")
    size = (32, 1024, 1024)
    dock.data.table.set_report(FieldReport("field0", "training", "1", size, 120, (shifted,)))
    dock.data.table.set_report(FieldReport("field1", "training", "2", size, 1, (blank,)))
    dock.training.name.setText("")
    dock.data._show_state()


def train_running(dock, request):
    dock.attach(request.getfixturevalue("write_run")("Mitochondrien-Zellen-Dienstag", "running", "Training."))
    dock.start.expand(animate=False)


def train_failed(dock, request):
    write_run = request.getfixturevalue("write_run")
    dock.attach(write_run(LONG[:60], "failed", f"{LONG}.czi is gone. Its folder may have been moved or renamed."))


def models_list(dock, request):
    folder = request.getfixturevalue("tmp_path") / "models"
    shutil.copytree(folder / "mito-z", folder / LONG[:60])
    (folder / f"{LONG}.zip").write_bytes(b"PK")
    dock.folders.expand(animate=False)
    dock.refresh.click()
    qtbot = request.getfixturevalue("qtbot")
    qtbot.waitUntil(lambda: dock.cards.card_of(LONG) is not None, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not dock.cards.views[0].head.picture.is_empty, timeout=PATIENCE)


def models_unfolded(dock, request):
    view = dock.cards.card_of("mito-t")
    view.unfold()
    view.tools._failed(long_failure())
    view.tools._say("ok", f"Written to /data/{LONG}.zip")
    view.tools.name_row.open()
    view.tools.name_row.field.setText("a/b")


def models_asked(dock, request):
    wish = Wish(Path(f"/data/{LONG}.ckpt"))
    dock.imports._take(NotImported(wish, "this is no model of a known format."))
    dock.imports._take(Unclear(wish, f"{LONG} does not say what it predicts.", ("targets", "normalisation")))
    form = dock.imports.form
    form.targets.add.click()
    form.normalisation.kind.setCurrentText("fixed numbers")
    form.targets.rows[0].name.setText("a/b")
    form.start.click()
    dock.imports.address.open("https://lab.example/model.zip")


def many_listed(dock, request):
    """Long names, all kinds of ends, one of them selected, and a run under way."""
    request.getfixturevalue("ten_models")
    dock.refresh_models()
    folder = Path(f"/data/{LONG}")
    entries = [Entry(folder / f"{LONG}_{number}.czi", number, scene_name=f"{LONG}/A/1/0") for number in range(9)]
    dock._found(Found(entries, folder))
    light = TrafficLight("mito-z", Colour.RED, (Finding(Level.SEVERE, "odd", f"{LONG} is odd.", "Look."),))
    scores = {"mitochondria": -0.123, "dna": 0.5, f"{LONG}": 0.25}
    model = dock.images.images
    model.show_outcome(Outcome(entries[0], State.DONE, lights={"mito-z": light}, pcc=scores))
    model.show_outcome(Outcome(entries[1], State.THERE_ALREADY))
    model.show_outcome(Outcome(entries[2], State.FAILED, error=OutputError(f"{LONG} is there.")))
    model.show_doing({entries[3]: Doing(Stage.PREDICTING, 1.0), entries[4]: Doing(Stage.OPENING)})
    dock.images.table.choose(dock._rows[0])
    dock.images.problem.say(f"{folder}: no file fits this pattern.")
    dock.settings.watch.setChecked(True)
    dock.settings.told.more.setChecked(True)
    dock.run.show_state(JobState.RUNNING)
    dock.run.show_progress(Progress(3, 9, 1.0, 4000.0, 1, (f"{LONG}.czi",)))


def many_ended(dock, request):
    many_listed(dock, request)
    dock.run.show_result("6 done, 1 there already, 2 failed. 1 waits: Start goes on with it.")
    dock.run.show_saved(Path(f"/data/{LONG}/predictions.csv"))
    dock.run.show_failure(long_failure())
    dock.run.show_ended(9, 2)
    dock.run.show_state(JobState.DONE)


SOURCES = ("files", "folders", "table", "layers")
STATES = {
    "dock": [
        empty,
        predict_file,
        predict_long_name,
        predict_without_voxel_size,
        predict_ten_models,
        predict_failed,
        predict_running,
        predict_too_large,
        predict_taken,
        predict_done,
    ],
    "compare_dock": [empty, compare_scores, compare_problem],
    "train_dock": [
        *map(train_source, ("files", "folders", "table", "layers")),
        train_checked,
        train_running,
        train_failed,
    ],
    "models_dock": [empty, models_list, models_unfolded, models_asked],
    "many_dock": [empty, many_listed, many_ended],
}
CASES = [
    pytest.param(dock, state, id=f"{dock}-{state.__name__}") for dock, states in STATES.items() for state in states
]


@pytest.mark.parametrize(("fixture", "state"), CASES, ids=lambda case: getattr(case, "__name__", case))
def test_nothing_is_cut_off_in_any_state(fixture, state, viewer, request, arrange, faults):
    widget = request.getfixturevalue(fixture)
    viewer.window._qt_window.show()
    state(widget, request)
    for window in WINDOWS:
        arrange([widget], window)
        assert widget.width() <= DOCK_WIDTH, f"it asks for {widget.minimumSizeHint().width()}"
        assert not faults(widget), window


def test_a_widget_that_is_too_wide_is_found(dock, arrange, settle, faults):
    arrange([dock], WINDOWS[0])
    assert not faults(dock)
    wide = QPushButton("a button with far more words on it than there is room for in a dock")
    dock.image.body.addWidget(wide)
    lost = QLabel("20240312_U2OS_TMRM_SYBRGold_63x_Airyscan_001_without_an_end.czi")
    lost.setFixedWidth(100)
    dock.models.body.addWidget(lost)
    settle(dock)
    found = "\n".join(faults(dock))
    assert wide.text() in found
    assert lost.text() in found
    assert dock.models.fine_tune.text() not in found, "the others are as they were"


def test_a_shortened_text_needs_a_tooltip(dock, arrange, settle, faults):
    arrange([dock], WINDOWS[0])
    combo = QComboBox()
    combo.setMinimumWidth(60)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.addItem(LONG)
    dock.image.body.addWidget(combo)
    settle(dock)
    assert LONG in combo.currentText()
    assert len(faults(dock)) == 1
    combo.setToolTip(LONG)
    assert not faults(dock)


LARGER = [
    *product((11, 13), ("dock",), (predict_without_voxel_size,)),
    *product((11, 13), ("models_dock",), (models_unfolded, models_asked)),
    (13, "dock", predict_red),
    (13, "many_dock", many_listed),
]


@pytest.mark.parametrize(("points", "fixture", "state"), LARGER, ids=lambda case: getattr(case, "__name__", str(case)))
def test_nothing_is_cut_off_with_larger_letters(points, fixture, state, arrange, faults, request):
    from napari.settings import get_settings

    dock = request.getfixturevalue(fixture)
    state(dock, request)
    get_settings().appearance.font_size = points
    arrange([dock], WINDOWS[0])
    assert not faults(dock)


def test_two_docks_side_by_side_can_be_used(dock, train_dock, request, arrange, faults):
    predict_without_voxel_size(dock, request)
    train_checked(train_dock, request)
    arrange([dock, train_dock], WINDOWS[0])
    assert dock.y() == train_dock.y()
    for widget in (dock, train_dock):
        assert widget.width() <= DOCK_WIDTH
        assert not faults(widget)
    for button in (dock.predict.predict, train_dock.training.start):
        assert button.visibleRegion().boundingRect() == button.rect()
