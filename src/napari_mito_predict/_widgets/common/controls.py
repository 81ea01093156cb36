"""The small widgets of every step: findings, failures, combo boxes of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtGui import QGuiApplication, QPaintEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.layouts import row
from napari_mito_predict._widgets.common.style import StateIcon
from napari_mito_predict._widgets.common.wrapped import Wrapped, asks_for_tooltip, show_whole

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_mito_predict._widgets.common.worker import Failure


class FindingLine(QWidget):
    """One sentence with an icon, and below it what to do about it."""

    def __init__(self, state: str, message: str, fix: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        icon_and_text = row()
        icon_and_text.addWidget(StateIcon(state, self), 0, Qt.AlignmentFlag.AlignTop)
        icon_and_text.addWidget(Wrapped(f"{message} {fix}".strip()), 1)
        self.setLayout(icon_and_text)
        self.setAccessibleName(f"{state}: {message} {fix}")


class FailurePanel(QFrame):
    """A failed job: what happened, the likely cause, what to do, and the details for a report."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", True)
        self.what = Wrapped()
        self.cause = Wrapped(quiet=True)
        self.fix = Wrapped()
        self.copy_button = QPushButton("Copy details")
        self.copy_button.clicked.connect(self._copy)
        self._details = ""
        box = QVBoxLayout(self)
        box.setContentsMargins(6, 6, 6, 6)
        for widget in (self.what, self.cause, self.fix, self.copy_button):
            box.addWidget(widget)
        self.hide()

    def show_failure(self, failure: Failure | None) -> None:
        """Show `failure`; None hides the panel."""
        self.setVisible(failure is not None)
        if failure is None:
            return
        self.what.setText(failure.what)
        self.cause.setText(f"Likely cause: {failure.cause}")
        self.fix.setText(f"What to do: {failure.fix}")
        self._details = f"{failure.what}\n\n{failure.details}"

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._details)


class Combo(QComboBox):
    """A combo box that may be narrower than its entries: what it then elides, its tooltip says in full."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        style = self.style()
        if style is None:
            return
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self._shown()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def event(self, event: QEvent | None) -> bool:
        if asks_for_tooltip(event) and self._shown() != self.currentText():
            show_whole(self, event, self.currentText())
            return True
        return bool(super().event(event))

    def _shown(self) -> str:
        """As much of the current text as there is room for."""
        style = self.style()
        if style is None:
            return self.currentText()
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        field = QStyle.SubControl.SC_ComboBoxEditField
        room = style.subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self).width() - 4
        return self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideMiddle, room)


class LayerCombo(Combo):
    """The layers of a viewer that pass a test, following the viewer."""

    picked = Signal()

    def __init__(self, viewer: Viewer, accepts: Callable[[Layer], bool], none: str) -> None:
        super().__init__()
        self._viewer = viewer
        self._accepts = accepts
        self._none = none
        follow(self, viewer.layers.events.inserted, self._inserted)
        follow(self, viewer.layers.events.removed, self._removed)
        follow(self, viewer.layers.events.reordered, self.refill)
        self.currentIndexChanged.connect(lambda _: self.picked.emit())
        self.refill()

    @property
    def layer(self) -> Layer | None:
        """The chosen layer."""
        layer: Layer | None = self.currentData()
        return layer

    def choose(self, layer: Layer | None) -> None:
        """Choose a layer; one that is not in the list chooses nothing."""
        self.setCurrentIndex(max(0, self._index(layer)))

    def refill(self, event: object = None) -> None:
        """Take the list of layers anew, keeping the choice where it is still there."""
        before = self.layer
        with signals_blocked(self):
            self.clear()
            self.addItem(self._none, None)
            for layer in filter(self._accepts, self._viewer.layers):
                self.addItem(layer.name, layer)
                # However often the list is taken anew, the name of each layer is followed once.
                layer.events.name.disconnect(self.refill)
                layer.events.name.connect(self.refill)
            self.choose(before)
        if self.layer != before:
            self.picked.emit()

    def _inserted(self, event: Any) -> None:
        if self._accepts(event.value):
            self.refill()

    def _removed(self, event: Any) -> None:
        if self._index(event.value) > 0:
            self.refill()

    def _index(self, layer: Layer | None) -> int:
        # Equal, not identical: napari hands plugins a proxy of the viewer, which wraps layers anew each time.
        return next((i for i in range(self.count()) if self.itemData(i) == layer), 0)


def words(text: str = "", *, quiet: bool = False) -> Wrapped:
    """Text that wraps, can be selected, and never widens the dock."""
    return Wrapped(text, quiet=quiet)
