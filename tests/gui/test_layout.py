"""The dock is usable at 320 x 700 pixels, by keyboard, and says its state in words."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QApplication, QComboBox, QScrollArea, QWidget

from napari_mito_predict._widgets.common.worker import JobState

WIDTH, HEIGHT = 320, 700


def visible(widget, kind):
    return [child for child in widget.findChildren(kind) if child.isVisible()]


@pytest.fixture
def panel(ready, viewer, qtbot):
    """The dock at laptop size, after a prediction, everything unfolded."""
    viewer.window._qt_window.show()
    ready.predict.predict.click()
    qtbot.waitUntil(lambda: ready.job.state is JobState.DONE, timeout=60_000)
    qtbot.waitUntil(lambda: ready.compare.stack is not None, timeout=60_000)
    ready.setParent(None)
    ready.predict.more.setChecked(True)
    ready.resize(WIDTH, HEIGHT)
    ready.show()
    qtbot.waitExposed(ready)
    QApplication.processEvents()
    yield ready
    ready.hide()


def test_nothing_is_cut_off_at_320_pixels(panel):
    assert panel.width() == WIDTH
    scroll = panel.findChild(QScrollArea)
    inside, room = scroll.widget(), scroll.viewport().width()
    assert inside.minimumSizeHint().width() <= room, "else there would be horizontal scrolling"
    for child in visible(inside, QWidget):
        right = child.mapTo(inside, child.rect().topRight()).x()
        assert right <= room, f"{child} ends at {right}"
    for button in visible(inside, QAbstractButton):
        text = button.fontMetrics().horizontalAdvance(button.text().replace("&", ""))
        assert text <= button.width(), f"'{button.text()}' is cut off"


def test_steps_fit_in_700_pixels_when_the_done_ones_are_folded(panel):
    panel.image.collapse(animate=False)
    panel.models.collapse(animate=False)
    panel.predict.more.setChecked(False)
    QApplication.processEvents()
    inside = panel.findChild(QScrollArea).widget()
    assert inside.sizeHint().height() <= HEIGHT


def test_a_folded_step_tells_its_essence(panel):
    panel.image.collapse(animate=False)
    assert panel.image.summary == "zellen ä.czi · T-PMT"
    assert panel.predict.summary == "done"
    assert panel.image.toggleButton().accessibleName() == "1  Image: zellen ä.czi · T-PMT"
    assert "PCC" in panel._compare_step.summary


def test_every_control_is_reached_by_the_keyboard_and_has_a_name(panel):
    controls = [c for kind in (QAbstractButton, QComboBox, QAbstractSpinBox) for c in visible(panel, kind)]
    assert len(controls) > 12
    for control in controls:
        if control.isEnabled():
            assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control
        assert getattr(control, "text", str)() or control.accessibleName(), control


def test_the_main_buttons_have_alt_letters_of_their_own(panel):
    letters = [
        button.text()[button.text().index("&") + 1].lower()
        for button in panel.findChildren(QAbstractButton)
        if "&" in button.text()
    ]
    assert len(letters) == len(set(letters))
    assert not set(letters) & set("fvlpwh"), "those open napari's menus"


def test_themes_change_with_napari(panel, viewer):
    before = panel.styleSheet()
    viewer.theme = "light"
    assert panel.styleSheet() != before
    viewer.theme = "dark"
    assert panel.styleSheet() == before
