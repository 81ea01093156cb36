"""What starts and stops the work is in sight however long a dock is, and covers nothing that cannot be reached."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QPoint, QRect, QSize, Qt
from qtpy.QtWidgets import QApplication, QScrollArea

from napari_mito_predict._widgets.common.controls import FindingLine
from napari_mito_predict._widgets.common.worker import JobState

SMALL = QSize(900, 600)
WARNINGS = ("The voxel size is off by 40 %.", "3 of 16 planes are blank.", "2 % of all pixels are saturated.")


@pytest.fixture
def long_dock(ten_models, ready, arrange, wait_for_plan):
    """Ten models, all that can be are checked, and several warnings, in a small window."""
    for box in ready.models._boxes.values():
        box.setChecked(box.isEnabled())
    wait_for_plan(ready)
    for message in WARNINGS:
        ready.models._notes.addWidget(FindingLine("warning", message, "Check the settings of the microscope."))
    arrange([ready], SMALL)
    return ready


def in_sight(widget):
    return widget.visibleRegion().boundingRect() == widget.rect()


def test_predict_is_in_sight_wherever_one_scrolls(long_dock, settle):
    bar = long_dock.findChild(QScrollArea).verticalScrollBar()
    assert bar.maximum() > long_dock.height() / 2, "else nothing is out of sight"
    for where in (0, bar.maximum() // 2, bar.maximum()):
        bar.setValue(where)
        settle(long_dock)
        assert in_sight(long_dock.predict.predict), where


def test_so_is_how_far_it_is_and_cancel(long_dock, settle):
    long_dock.predict.show_state(JobState.RUNNING)
    settle(long_dock)
    for widget in (long_dock.predict.cancel, long_dock.predict.bar):
        assert in_sight(widget)


def test_who_folds_the_step_does_not_want_to_see_its_buttons(long_dock, settle):
    predict = long_dock.predict
    predict.collapse(animate=False)
    settle(long_dock)
    assert not predict.predict.isVisible()
    predict.expand(animate=False)
    settle(long_dock)
    assert in_sight(predict.predict)


def test_where_there_is_room_it_stands_in_its_step(ready, arrange):
    arrange([ready], QSize(1280, 1100))
    button, header = ready.predict.predict, ready.predict.toggleButton()
    below = button.mapTo(ready, QPoint(0, 0)).y() - header.mapTo(ready, QPoint(0, header.height())).y()
    assert 0 < below < 20


def test_what_the_keyboard_comes_to_is_not_covered(long_dock, settle, qtbot):
    long_dock.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is not None, timeout=30_000)
    long_dock.predict.show_state(JobState.RUNNING)
    seen = set()
    widget = long_dock.image.toggleButton()
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    while widget not in seen and long_dock.isAncestorOf(widget):
        seen.add(widget)
        settle(long_dock)
        cancel = long_dock.predict.cancel
        if not cancel.parentWidget().isAncestorOf(widget):
            assert in_sight(widget), (widget, widget.accessibleName())
            assert not place_of(cancel, long_dock).intersects(place_of(widget, long_dock)), widget.accessibleName()
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
        widget = QApplication.focusWidget()
    assert {long_dock.models.fine_tune, long_dock.predict.cancel, long_dock.predict.more} < seen


def place_of(widget, dock):
    return QRect(widget.mapTo(dock, QPoint(0, 0)), widget.size())


def test_tab_goes_through_the_steps_from_top_to_bottom(ready):
    order = []
    widget = ready.image.toggleButton()
    while widget not in order:
        order.append(widget)
        widget = widget.nextInFocusChain()
    predict = ready.predict
    wanted = [ready.models.fine_tune, predict.toggleButton(), predict.predict, predict.preview, predict.cancel]
    places = [order.index(widget) for widget in (*wanted, predict.more, ready._compare_step.toggleButton())]
    assert places == sorted(places)


def test_start_training_is_in_sight_until_it_runs(train_dock, write_run, arrange, settle):
    train_dock.start.more.setChecked(True)
    arrange([train_dock], SMALL)
    start = train_dock.training.start
    assert in_sight(start)
    train_dock.attach(write_run("cells", "running", "Training."))
    settle(train_dock)
    assert not start.isVisible()
    train_dock.attach(None)
    settle(train_dock)
    assert in_sight(start)
