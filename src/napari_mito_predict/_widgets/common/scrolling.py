"""A dock that scrolls: never sideways, and its main button stays in sight."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer
from qtpy.QtWidgets import QApplication, QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

_MARGIN = 6
"""Pixels between the buttons and the edge of the dock."""
_MOVED = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)


class InSight(QWidget):
    """The place of a step's main buttons. Where it is scrolled away, they stay at the edge of the dock.

    Parameters
    ----------
    content : QWidget
        The buttons.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.buttons = QWidget(self)
        box = QVBoxLayout(self.buttons)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(content)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return self.buttons.sizeHint()

    def minimumSizeHint(self) -> QSize:
        return self.buttons.minimumSizeHint()


class ScrollingColumn(QScrollArea):
    """A widget that is as wide as the dock and as high as it likes.

    What does not fit into the width is cut off alone: the rest of the dock does not widen with it.
    """

    def __init__(self, inside: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setWidget(inside)

    def keep_in_sight(self, place: InSight, fold: QWidget, *, after: QWidget) -> None:
        """Keep the buttons of `place` in sight, unless `fold` is folded; Tab comes to them from `after`."""
        _Keeper(self, place, fold, after)


class _Keeper(QObject):
    """Moves some buttons over what scrolls: to their place, or where that is out of sight to the nearest edge.

    They are children of the viewport, so that nothing scrolls when the keyboard comes to them.
    """

    def __init__(self, area: QScrollArea, place: InSight, fold: QWidget, after: QWidget) -> None:
        super().__init__(area)
        self._area = area
        self._place = place
        self._fold = fold
        self._room: QWidget = area.viewport() or area
        self._shade = QWidget(self._room)
        self._shade.setProperty("shade", True)
        self._shade.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._shade.hide()
        self._buttons = place.buttons
        self._buttons.setParent(self._room)
        self._keep_tab_order(after)
        watched: QWidget | None = place
        while watched is not None and watched is not area:
            watched.installEventFilter(self)
            watched = watched.parentWidget()
        self._buttons.installEventFilter(self)
        # A moment later: the area scrolls first to what the keyboard came to.
        self._focus_came = QTimer(self)
        self._focus_came.setSingleShot(True)
        self._focus_came.timeout.connect(self._uncover)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_moved)

    def _keep_tab_order(self, after: QWidget) -> None:
        """Another parent put the buttons at the end."""
        for widget in self._buttons.findChildren(QWidget):
            if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                QWidget.setTabOrder(after, widget)
                after = widget

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:
        if a1 is not None:
            if a0 is self._buttons and a1.type() == QEvent.Type.LayoutRequest:
                self._place.updateGeometry()
            elif a0 is not self._buttons and a1.type() in _MOVED:
                self._move()
        return False

    def _focus_moved(self, before: object, now: object) -> None:
        self._focus_came.start()

    def _uncover(self) -> None:
        """Scroll what the keyboard came to out from under the buttons."""
        focused = QApplication.focusWidget()
        inside, bar = self._area.widget(), self._area.verticalScrollBar()
        if focused is None or inside is None or bar is None or not inside.isAncestorOf(focused):
            return
        place = QRect(focused.mapTo(self._room, QPoint(0, 0)), focused.size())
        covered = self._shade.geometry()
        if self._shade.isHidden() or not covered.intersects(place):
            return
        if covered.top() > 0:  # they are at the lower edge
            bar.setValue(bar.value() + place.bottom() - covered.top() + _MARGIN)
        else:
            bar.setValue(bar.value() - (covered.bottom() - place.top() + _MARGIN))

    def _move(self) -> None:
        top = self._place.mapTo(self._room, QPoint(0, 0))
        height = self._place.height()
        lowest = self._room.height() - height - _MARGIN
        y = min(max(top.y(), _MARGIN), lowest)
        shown = not self._fold.isHidden() and height > 0
        self._buttons.setVisible(shown)
        self._shade.setVisible(shown and y != top.y())
        self._shade.setGeometry(0, y - _MARGIN, self._room.width(), height + 2 * _MARGIN)
        self._buttons.setGeometry(top.x(), y, self._place.width(), height)
        self._shade.raise_()
        self._buttons.raise_()
