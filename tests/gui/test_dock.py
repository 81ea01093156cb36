"""The docks say their state in words, names in full, and are used by keyboard."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QApplication, QComboBox, QLabel, QScrollArea

from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.common.wrapped import Wrapped

WIDTH, HEIGHT = 320, 700
WINDOW = QSize(1280, 790)
"""In which a dock is 700 pixels high."""


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


def test_steps_fit_in_700_pixels_when_the_done_ones_are_folded(panel, settle):
    panel.image.collapse(animate=False)
    panel.models.collapse(animate=False)
    panel.predict.more.setChecked(False)
    settle(panel)
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


def test_a_reason_too_long_for_the_header_stands_below_it(dock, arrange, settle, tooltip, label_texts):
    arrange([dock], WINDOW)
    reason = "The drive with the models cannot be reached: connect it, or choose another folder in the settings."
    dock.predict.set_summary(reason, "error")
    settle(dock)
    assert reason in label_texts(dock.predict.content())
    dock.predict.set_summary("ready", "ok")
    assert not {reason, "ready"} & set(label_texts(dock.predict.content()))
    dock.predict.collapse(animate=False)
    dock.predict.set_summary(reason, "error")
    assert reason in tooltip(dock.predict.toggleButton()), "folded, there is no body"


def test_names_of_models_are_read_in_full(dock, ten_models, arrange, label_texts):
    dock.models.refresh()
    arrange([dock], WINDOW)
    assert set(dock.models._boxes) <= set(label_texts(dock.models))


def test_a_copied_path_is_the_path(qtbot):
    path = f"/data/{40 * 'Mitochondrien'}/20240312_U2OS_TMRM.czi"
    label = Wrapped(f"{path} is 0.11 µm")
    qtbot.addWidget(label)
    assert label.text() == f"{path} is 0.11 µm"
    label.setSelection(0, len(QLabel.text(label)))
    qtbot.keyClick(label, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().text() == f"{path} is 0.11 µm"
