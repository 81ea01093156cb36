"""The numbered, foldable steps that a dock is built from."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_mito_predict._widgets.common.scrolling import InSight, ScrollingColumn
from napari_mito_predict._widgets.common.style import StateIcon
from napari_mito_predict._widgets.common.wrapped import Elided, Wrapped

_UNLIMITED = 16777215  # QWIDGETSIZE_MAX, which no binding exports


class Step(QCollapsible):
    """A numbered, foldable step; its header says its state in words, also when folded.

    Why a step is not done yet must not be lost in a header that is too narrow for it: then it stands below, too.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__("", parent, expandedIcon=QIcon(), collapsedIcon=QIcon())
        self.setDuration(0)
        # QCollapsible never grows beyond its size hint, which knows nothing of text that wraps.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._title = title
        header = self.toggleButton()
        header.setStyleSheet("")  # QCollapsible hides the keyboard focus there
        header.setProperty("header", True)
        self._summary = Elided(parent=header)
        self._summary.setProperty("quiet", True)
        self._summary.setProperty("summary", True)
        self._summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._summary.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._icon = StateIcon(parent=header)
        self._text = ""
        self._is_reason = False
        self._reason = Wrapped()
        self._reason.hide()
        self.body.addWidget(self._reason)
        for layout, margins, spacing in ((self.layout(), (0, 0, 0, 0), 0), (self.body, (6, 6, 6, 8), 6)):
            if layout is not None:
                layout.setContentsMargins(*margins)
                layout.setSpacing(spacing)
                # QCollapsible's is aligned to the top: then text that wraps only gets the height that it needs in
                # the width it would like to have.
                layout.setAlignment(Qt.AlignmentFlag(0))
        self.toggled.connect(self._fold)
        self._fold(False)

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

    def set_summary(self, text: str, state: str = "idle", *, chosen: bool = False) -> None:
        """Say the state in words, with an icon: ``ok``, ``info``, ``warning``, ``error`` or ``idle``.

        `chosen` where the words only repeat what was chosen in the body.
        """
        self._text = text
        self._is_reason = state != "ok" and not chosen
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
        self._summary.setGeometry(left, 0, width, header.height())
        self._summary.setText(self._text)
        reason = ""
        if self._is_reason and self._summary.is_elided:
            reason = self._text
        if reason != self._reason.text():
            self._reason.say(reason)
        self._icon.move(header.width() - 20, (header.height() - self._icon.height()) // 2)

    def _fold(self, expanded: bool) -> None:
        if expanded:
            arrow, height = "▾", _UNLIMITED
        else:
            arrow, height = "▸", 0
        self.setText(f"{arrow}  {self._title}")
        # QCollapsible freezes the height of its content; ours changes with what there is to say.
        self.content().setMaximumHeight(height)
        self.content().setVisible(expanded)  # else the Tab key would go through what is folded


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
    column = ScrollingColumn(inside)
    for step in steps:
        for buttons in step.findChildren(InSight):
            column.keep_in_sight(buttons, step.content(), after=step.toggleButton())
    outer = QVBoxLayout(dock)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(column)
    dock.setMinimumWidth(300)
