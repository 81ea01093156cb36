"""What a card shows while it is folded: one button, which says and shows it all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStyle,
    QStyleOption,
    QStylePainter,
    QWidget,
)

from napari_mito_predict._widgets.common.layouts import column, row
from napari_mito_predict._widgets.common.model_words import cells_explained, cells_kind, problem_of, sampling_explained
from napari_mito_predict._widgets.common.style import StateIcon
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.models.thumbnails import SIZE, colour_of
from napari_mito_predict._widgets.models.words import (
    input_line,
    licence_line,
    place_of,
    scores_of,
    target_line,
    training_images_line,
)

if TYPE_CHECKING:
    from napari_mito_predict._widgets.models.words import Score
    from napari_mito_predict.models.card import ModelCard, Target
    from napari_mito_predict.models.registry import ModelInfo

_MOST_LINES = 4
"""Targets and scores that a folded card names; the unfolded one has them all."""
_Z = "z\u2011"
"""With a hyphen at which no line ends."""
_TOP = Qt.AlignmentFlag.AlignTop


class CardHead(QAbstractButton):
    """A model at a glance. Pressed, it unfolds or folds the card; `dragged` tells that it is pulled out of the dock."""

    dragged = Signal()

    def __init__(self, info: ModelInfo) -> None:
        super().__init__()
        self.setCheckable(True)
        # That of buttons is as high as their hint, which knows nothing of text that wraps.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setProperty("card_head", True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._pressed_at: QPointF | None = None
        self._arrow = QLabel("▸")
        self.picture = Picture()
        self._lines = column(3)
        self._lines.setContentsMargins(6, 5, 6, 6)
        self.setLayout(self._lines)
        title = row()
        title.addWidget(self._arrow, 0, _TOP)
        name = Wrapped(info.name, quiet=info.card is None)
        name.setProperty("title", True)
        title.addWidget(name, 1)
        self._lines.addLayout(title)
        if info.card is None:
            self._say_problem(info)
        else:
            title.addWidget(_badge(info.card), 0, _TOP)
            self._say_card(info, info.card)
        self.toggled.connect(self._turn_arrow)
        for child in self.findChildren(QWidget):
            child.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            if isinstance(child, QLabel):
                child.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)

    def show_picture(self, image: QImage | None) -> None:
        """Show what the model does; None where there is nothing to show."""
        self.picture.show_image(image)
        self.picture.setVisible(image is not None)

    # ------------------------------------------------------------------ building

    def _say_card(self, info: ModelInfo, card: ModelCard) -> None:
        beside = row(spacing=8)
        beside.addWidget(self.picture, 0, _TOP)
        facts = column(2)
        for target in card.targets[:_MOST_LINES]:
            facts.addLayout(_target_row(target))
        facts.addWidget(Wrapped(_and_more(len(card.targets)), quiet=True))
        facts.addWidget(Wrapped(input_line(card).replace("z-", _Z)))
        facts.addStretch(1)
        beside.addLayout(facts, 1)
        self._lines.addLayout(beside)
        for score in scores_of(card)[:_MOST_LINES]:
            self._lines.addLayout(_score_row(score))
        if card.trained_on:
            self._lines.addWidget(Wrapped(card.cells, quiet=True))
        self._lines.addWidget(Wrapped(training_images_line(card), quiet=True))
        self._lines.addWidget(Wrapped(licence_line(info), quiet=True))
        for line in self.findChildren(Wrapped):
            line.setVisible(bool(line.text()))
        self.setToolTip(f"{card.title}\n{cells_explained(card)}\n{sampling_explained(card)}")
        said = [info.name, card.cells, *map(target_line, card.targets), input_line(card)]
        said += [score.text for score in scores_of(card)]
        said += [line for line in (training_images_line(card), licence_line(info)) if line]
        self.setAccessibleName(", ".join(said))

    def _say_problem(self, info: ModelInfo) -> None:
        text = f"Cannot be used: {problem_of(info)}"
        self._lines.addWidget(Wrapped(text, quiet=True))
        self._lines.addWidget(Wrapped(place_of(info), quiet=True))
        self.setToolTip(str(info.path))
        self.setAccessibleName(f"{info.name}: {text}")

    # ------------------------------------------------------------------ a button

    def sizeHint(self) -> QSize:
        return self._lines.sizeHint()

    def minimumSizeHint(self) -> QSize:
        return self._lines.minimumSize()

    def paintEvent(self, e: QPaintEvent | None) -> None:
        option = QStyleOption()
        option.initFrom(self)
        QStylePainter(self).drawPrimitive(QStyle.PrimitiveElement.PE_Widget, option)

    def keyPressEvent(self, e: QKeyEvent | None) -> None:
        """Return unfolds, too: a list is gone through with either key."""
        if e is not None and e.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(e)

    def mousePressEvent(self, e: QMouseEvent | None) -> None:
        super().mousePressEvent(e)
        if e is not None:
            self._pressed_at = e.position()

    def mouseMoveEvent(self, e: QMouseEvent | None) -> None:
        super().mouseMoveEvent(e)
        if e is None or self._pressed_at is None or not self.isDown():
            return
        if (e.position() - self._pressed_at).manhattanLength() >= QApplication.startDragDistance():
            self.setDown(False)  # it is no click any more
            self._pressed_at = None
            self.dragged.emit()

    def _turn_arrow(self, unfolded: bool) -> None:
        arrow = "▸"
        if unfolded:
            arrow = "▾"
        self._arrow.setText(arrow)


class Picture(QWidget):
    """Input and prediction beside each other; empty until they are drawn."""

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self.setFixedSize(SIZE)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see yet."""
        return self._image is None

    def show_image(self, image: QImage | None) -> None:
        """Show this; None shows nothing."""
        self._image = image
        self.update()

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        if self._image is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        size = QSize(self._image.size()).scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        painter.drawImage(QRectF(0, 0, size.width(), size.height()), self._image)


class Swatch(QWidget):
    """The colour in which a target is shown; its name stands beside it."""

    def __init__(self, colour: QColor) -> None:
        super().__init__()
        self._colour = colour
        self.setFixedSize(10, 14)

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self.palette().windowText().color())
        painter.setBrush(self._colour)
        painter.drawEllipse(QRectF(0.5, 2.5, 9, 9))


def _target_row(target: Target) -> QHBoxLayout:
    line = row(spacing=4)
    line.addWidget(Swatch(colour_of(target.colormap)), 0, _TOP)
    line.addWidget(Wrapped(target_line(target)), 1)
    return line


def _score_row(score: Score) -> QHBoxLayout:
    line = row(spacing=4)
    text = score.text
    if not score.better:
        line.addWidget(StateIcon("warning"), 0, _TOP)
        text += ": no better than that"
    line.addWidget(Wrapped(text), 1)
    return line


def _and_more(targets: int) -> str:
    if targets <= _MOST_LINES:
        return ""
    return f"and {targets - _MOST_LINES} more"


def _badge(card: ModelCard) -> QLabel:
    badge = QLabel(cells_kind(card))
    badge.setProperty("badge", True)
    return badge
