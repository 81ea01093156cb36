"""The small parts every step is built from: steps, icons, findings, combo boxes of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPaintEvent, QPen, QResizeEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_mito_predict._widgets.common.worker import Failure

_UNLIMITED = 16777215  # QWIDGETSIZE_MAX, which no binding exports
_MARKS = {"ok": "✓", "warning": "!", "error": "×", "info": "i", "idle": ""}


def style_sheet(theme_id: str) -> str:
    """What napari's theme leaves open: quiet text, the main button, step headers, the keyboard focus."""
    theme = get_theme(theme_id)
    text, header, accent = theme.text.as_hex(), theme.foreground.as_hex(), theme.current.as_hex()
    red, green, blue = theme.text.as_rgb_tuple(alpha=False)
    return f"""
        QLabel {{ background: transparent; padding: 0px; qproperty-indent: 0; }}
        QLabel[summary="true"] {{ font-weight: normal; }}
        QLabel[quiet="true"] {{ color: rgba({red}, {green}, {blue}, 185); }}
        QToolButton {{ background: {theme.primary.as_hex()}; border-radius: 3px; padding: 2px 6px; }}
        QToolButton:hover {{ background: {theme.highlight.as_hex()}; }}
        QLabel[badge="true"] {{ border: 1px solid {theme.secondary.as_hex()}; border-radius: 7px; padding: 0px 5px; }}
        QPushButton[main="true"] {{ font-weight: bold; padding: 7px; }}
        QPushButton[main="true"]:enabled {{ background: {accent}; color: white; }}
        QPushButton[main="true"]:enabled:hover {{ background: {theme.highlight.as_hex()}; }}
        QPushButton[header="true"] {{
            background: {header}; color: {text}; border: 1px solid {header}; border-radius: 3px;
            text-align: left; font-weight: bold; padding: 6px 4px;
        }}
        QPushButton:focus, QComboBox:focus, QCheckBox:focus, QToolButton:focus {{ border: 1px solid {text}; }}
        QFrame[card="true"] {{ border: 1px solid {theme.error.as_hex()}; border-radius: 3px; padding: 4px; }}
        QProgressBar::chunk {{ background: {accent}; }}
    """


class StateIcon(QWidget):
    """A shape and a colour for a state; the words beside it say the same."""

    def __init__(self, state: str = "idle", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.setFixedSize(QSize(14, 14))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def set_state(self, state: str) -> None:
        """One of ``ok``, ``info``, ``warning``, ``error``, ``idle``."""
        self._state = state
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if self._state not in _MARKS or self._state == "idle":
            return
        theme = get_theme(_theme_id())
        color = {"warning": theme.warning, "error": theme.error, "ok": theme.current}.get(self._state, theme.secondary)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(color.as_hex()))
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        if self._state in ("warning", "error"):
            painter.drawRoundedRect(box, 3, 3)
        else:
            painter.drawEllipse(box)
        painter.setPen(QPen(QColor("black" if QColor(color.as_hex()).lightness() > 140 else "white")))
        font = painter.font()
        font.setBold(True)
        font.setPixelSize(11)
        painter.setFont(font)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, _MARKS[self._state])


class Step(QCollapsible):
    """A numbered, foldable step; its header says its state in words, also when folded."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__("", parent, expandedIcon=QIcon(), collapsedIcon=QIcon())
        self.setDuration(0)
        # QCollapsible never grows beyond its size hint, which knows nothing of text that wraps.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._title = title
        header = self.toggleButton()
        header.setStyleSheet("")  # QCollapsible hides the keyboard focus there
        header.setProperty("header", True)
        self._summary = QLabel(header)
        self._summary.setProperty("quiet", True)
        self._summary.setProperty("summary", True)
        self._summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._summary.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._icon = StateIcon(parent=header)
        self._text = ""
        for layout, margins, spacing in ((self.layout(), (0, 0, 0, 0), 0), (self.body, (6, 6, 6, 8), 6)):
            if layout is not None:
                layout.setContentsMargins(*margins)
                layout.setSpacing(spacing)
        self.toggled.connect(self._folded)
        self._folded(False)

    @property
    def body(self) -> QVBoxLayout:
        """Where the step's own widgets go."""
        layout = self.content().layout()
        if not isinstance(layout, QVBoxLayout):
            raise TypeError("the content of a QCollapsible has a vertical layout")
        return layout

    @property
    def summary(self) -> str:
        """The state in words."""
        return self._text

    def set_summary(self, text: str, state: str = "idle") -> None:
        """Say the state in words, with an icon: ``ok``, ``info``, ``warning``, ``error`` or ``idle``."""
        self._text = text
        self._icon.set_state(state)
        header = self.toggleButton()
        header.setAccessibleName(f"{self._title}: {text}")
        header.setToolTip(text)
        self._place_summary()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._place_summary()

    def _place_summary(self) -> None:
        header = self.toggleButton()
        metrics = header.fontMetrics()
        left = metrics.horizontalAdvance(self.text()) + 20
        width = max(0, header.width() - left - 24)
        self._summary.setText(self._summary.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideMiddle, width))
        self._summary.setGeometry(left, 0, width, header.height())
        self._icon.move(header.width() - 20, (header.height() - self._icon.height()) // 2)

    def _folded(self, expanded: bool) -> None:
        self.setText(f"{'▾' if expanded else '▸'}  {self._title}")
        # QCollapsible freezes the height of its content; ours changes with what there is to say.
        self.content().setMaximumHeight(_UNLIMITED if expanded else 0)


class FindingLine(QWidget):
    """One sentence with an icon, and below it what to do about it."""

    def __init__(self, state: str, message: str, fix: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = _row(self)
        row.addWidget(StateIcon(state, self), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(words(f"{message} {fix}".strip()), 1)
        self.setAccessibleName(f"{state}: {message} {fix}")


class FailurePanel(QFrame):
    """A failed job: what happened, the likely cause, what to do, and the details for a report."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", True)
        self.what, self.cause, self.fix = words(), words(quiet=True), words()
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
        if failure is not None:
            self.what.setText(failure.what)
            self.cause.setText(f"Likely cause: {failure.cause}")
            self.fix.setText(f"What to do: {failure.fix}")
            self._details = f"{failure.what}\n\n{failure.details}"

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._details)


class Combo(QComboBox):
    """A combo box that may be narrower than its longest entry, and then elides what it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        style, field = self.style(), QStyle.SubControl.SC_ComboBoxEditField
        if style is None:
            return
        room = style.subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self).width() - 4
        option.currentText = self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideMiddle, room)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


class LayerCombo(Combo):
    """The layers of a viewer that pass a test, following the viewer."""

    picked = Signal()

    def __init__(self, viewer: Viewer, accepts: Callable[[Layer], bool], none: str) -> None:
        super().__init__()
        self._viewer, self._accepts, self._none = viewer, accepts, none
        for emitter in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.reordered):
            follow(self, emitter, self.refill)
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
        blocked = self.blockSignals(True)
        self.clear()
        self.addItem(self._none, None)
        for layer in self._viewer.layers:
            layer.events.name.disconnect(self.refill)
            layer.events.name.connect(self.refill)
            if self._accepts(layer):
                self.addItem(layer.name, layer)
        self.choose(before)
        self.blockSignals(blocked)
        if self.layer != before:
            self.picked.emit()

    def _index(self, layer: Layer | None) -> int:
        # Equal, not identical: napari hands plugins a proxy of the viewer, which wraps layers anew each time.
        return next((i for i in range(self.count()) if self.itemData(i) == layer), 0)


def follow(widget: QWidget, emitter: Any, callback: Callable[..., None]) -> None:
    """Call back on a napari event for as long as the widget lives."""
    emitter.connect(callback, position="last")
    widget.destroyed.connect(lambda: emitter.disconnect(callback))


def stack_steps(dock: QWidget, steps: Sequence[Step]) -> None:
    """Put unfolded steps under each other into a dock widget that scrolls up and down, never sideways."""
    inside = QWidget()
    box = QVBoxLayout(inside)
    box.setContentsMargins(4, 4, 4, 4)
    box.setSpacing(4)
    for step in steps:
        box.addWidget(step)
        step.expand(animate=False)
    box.addStretch(1)
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(inside)
    outer = QVBoxLayout(dock)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(scroll)
    dock.setMinimumWidth(300)


def words(text: str = "", *, quiet: bool = False) -> QLabel:
    """Text that wraps, can be selected, and never widens the dock."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setProperty("quiet", quiet)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    label.setMinimumWidth(1)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def column(spacing: int = 4) -> QVBoxLayout:
    """A vertical layout without margins."""
    box = QVBoxLayout()
    box.setContentsMargins(0, 0, 0, 0)
    box.setSpacing(spacing)
    return box


def clear(layout: QLayout) -> None:
    """Delete all widgets of a layout."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()


def _row(widget: QWidget) -> QHBoxLayout:
    row = QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    return row


def _theme_id() -> str:
    from napari.settings import get_settings

    return str(get_settings().appearance.theme)
