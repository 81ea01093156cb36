"""One model of the list: folded at a glance, unfolded with all that is known of it and can be done with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QTextCharFormat, QTextCursor, QTextFormat
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from napari_mito_predict._widgets.common.card_browser import CardBrowser
from napari_mito_predict._widgets.common.layouts import column, row
from napari_mito_predict._widgets.common.wrapped import Wrapped
from napari_mito_predict._widgets.models.card_actions import CardActions
from napari_mito_predict._widgets.models.card_head import CardHead
from napari_mito_predict._widgets.models.files import copy_text, show_in_files
from napari_mito_predict._widgets.models.words import narrow_markdown, remedy_of

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent

    from napari_mito_predict.models.registry import ModelInfo

_SHOWN_OF_SHA = 12
_INDENT = 14
"""Pixels."""


class CardView(QFrame):
    """A card that unfolds when its head is pressed."""

    unfolded = Signal(bool)
    used = Signal(object)
    trained = Signal(object)
    changed = Signal(object)
    dragged = Signal(object)

    def __init__(self, info: ModelInfo) -> None:
        super().__init__()
        self.info = info
        self.setProperty("model_card", True)
        self.setProperty("unusable", info.card is None)
        self.head = CardHead(info)
        self.tools: CardActions | None = None
        self._body: QWidget | None = None
        lines = column(0)
        self.setLayout(lines)
        self._lines = lines
        lines.addWidget(self.head)
        self.head.toggled.connect(self._fold)
        self.head.dragged.connect(lambda: self.dragged.emit(self.info))

    @property
    def is_unfolded(self) -> bool:
        """Whether all of it is shown."""
        return self.head.isChecked()

    def unfold(self, on: bool = True) -> None:
        """Show all of it, or only its head."""
        self.head.setChecked(on)

    @property
    def busy(self) -> bool:
        """Whether something is being done with this model."""
        return self.tools is not None and self.tools.job.state.busy

    def _fold(self, unfolded: bool) -> None:
        if self._body is None:
            self._body = self._make_body()
            self._lines.addWidget(self._body)
        self._body.setVisible(unfolded)
        self.unfolded.emit(unfolded)

    def _make_body(self) -> QWidget:
        """What is below the head; made when it is first looked at."""
        body = QWidget()
        lines = column(6)
        lines.setContentsMargins(6, 0, 6, 6)
        body.setLayout(lines)
        self.tools = CardActions(self.info)
        self.tools.used.connect(lambda: self.used.emit(self.info))
        self.tools.trained.connect(lambda: self.trained.emit(self.info))
        self.tools.changed.connect(self.changed)
        if self.info.card is None:
            lines.addWidget(Wrapped(remedy_of(self.info)))
        lines.addWidget(self.tools)
        if self.info.card is not None:
            text = CardText(narrow_markdown(self.info.card))
            text.setAccessibleName(f"Card of {self.info.name}")
            lines.addWidget(text)
            origin = self.info.card.origin
            if origin is not None and origin.sha256:
                lines.addWidget(Wrapped(f"SHA-256 of the file it was taken from: {origin.sha256}"))
            lines.addLayout(_fingerprint_row(self.info.card.weights.sha256))
        lines.addLayout(_folder_row(self.info.path))
        return body


class CardText(CardBrowser):
    """The text of a card, as high as it is: the dock scrolls, not a part of it."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(1)
        self.show_card(markdown)
        self._make_compact()
        self._fit()

    def resizeEvent(self, e: QResizeEvent | None) -> None:
        super().resizeEvent(e)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(1, 1)

    def _make_compact(self) -> None:
        """Headings and lists as a narrow dock has room for."""
        document = self.document()
        if document is None:
            return
        document.setIndentWidth(_INDENT)
        block = document.begin()
        while block.isValid():
            if block.blockFormat().headingLevel():
                cursor = QTextCursor(block)
                cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
                letters = QTextCharFormat()
                letters.setProperty(QTextFormat.Property.FontSizeAdjustment, 0)
                cursor.mergeCharFormat(letters)
            block = block.next()

    def _fit(self) -> None:
        document = self.document()
        if document is not None:
            frame = self.height() - self.contentsRect().height()
            self.setFixedHeight(int(document.size().height()) + frame + 1)


def _fingerprint_row(sha256: str) -> QHBoxLayout:
    line = row()
    shown = "not stated"
    if sha256:
        shown = f"SHA-256 {sha256[:_SHOWN_OF_SHA]}…"
    label = Wrapped(f"Weights: {shown}")
    label.setToolTip(sha256)
    line.addWidget(label, 1)
    copy = QPushButton("Copy")
    copy.setToolTip("Copy the whole SHA-256 of the weights")
    copy.setAccessibleName("Copy the SHA-256 of the weights")
    copy.setEnabled(bool(sha256))
    copy.clicked.connect(lambda: copy_text(sha256))
    line.addWidget(copy)
    return line


def _folder_row(package: Path) -> QHBoxLayout:
    line = row()
    line.addWidget(Wrapped(str(package)), 1)
    show = QPushButton("Show")
    show.setToolTip("Open its folder in the file manager")
    show.setAccessibleName("Open the model's folder in the file manager")
    show.clicked.connect(lambda: show_in_files(package))
    line.addWidget(show, 0, Qt.AlignmentFlag.AlignTop)
    return line
