"""The table of images as it is shown: two lines for each, in the width of a dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_mito_predict._widgets.batch.table_model import IMAGE, SCORES, STATE, ImagesModel

if TYPE_CHECKING:
    from qtpy.QtCore import QModelIndex
    from qtpy.QtGui import QKeyEvent, QResizeEvent

    from napari_mito_predict._widgets.batch.rows import Row

_ROWS_SHOWN: Final = 7
_WIDEST_STATE: Final = "predicting"
_WIDEST_SCORES: Final = "mito -0.00"
_AROUND_TEXT: Final = 8
_ICON: Final = 18


class ImagesTable(QTableView):
    """Tells by `picked` that other rows are selected, by `opened` and `removed` what is wanted of those."""

    picked = Signal()
    opened = Signal()
    removed = Signal()

    def __init__(self, model: ImagesModel) -> None:
        super().__init__()
        self._images = model
        self.setModel(model)
        self.setAccessibleName("Images")
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is not None and rows is not None:
            header.setHighlightSections(False)
            header.setMinimumSectionSize(20)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setSectionResizeMode(IMAGE, QHeaderView.ResizeMode.Stretch)
            header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            rows.hide()
        self.doubleClicked.connect(self._open)
        model.rowsInserted.connect(self._fit)
        model.modelReset.connect(self._fit)
        model.modelReset.connect(self.picked)
        selection = self.selectionModel()
        if selection is not None:
            selection.selectionChanged.connect(lambda *_: self.picked.emit())
        self._fit()

    @property
    def chosen(self) -> list[Row]:
        """The selected rows, from top to bottom."""
        selection = self.selectionModel()
        if selection is None:
            return []
        return [self._images.rows[number] for number in sorted(index.row() for index in selection.selectedRows())]

    def choose(self, row: Row) -> None:
        """Select only this row, and scroll to it."""
        number = self._images.rows.index(row)
        self.selectRow(number)
        self.scrollTo(self._images.index(number, IMAGE))

    def resizeEvent(self, e: QResizeEvent | None) -> None:
        super().resizeEvent(e)
        self._fit()

    def changeEvent(self, e: QEvent | None) -> None:
        super().changeEvent(e)
        if e is not None and e.type() == QEvent.Type.FontChange:
            self._fit()

    def keyPressEvent(self, e: QKeyEvent | None) -> None:
        key = None if e is None else e.key()
        if key == Qt.Key.Key_Delete:
            self.removed.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        else:
            super().keyPressEvent(e)

    def _open(self, index: QModelIndex) -> None:
        self.opened.emit()

    def _fit(self) -> None:
        """Rows of two lines, columns as wide as what they may say, and a height of some rows."""
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is None or rows is None:
            return
        metrics = self.fontMetrics()
        rows.setDefaultSectionSize(2 * metrics.lineSpacing() + 6)
        self.setColumnWidth(STATE, metrics.horizontalAdvance(_WIDEST_STATE) + _ICON + _AROUND_TEXT)
        self.setColumnWidth(SCORES, metrics.horizontalAdvance(_WIDEST_SCORES) + _AROUND_TEXT)
        around = header.sizeHint().height() + 2 * self.frameWidth()
        shown = min(len(self._images.rows), _ROWS_SHOWN)
        self.setFixedHeight(shown * rows.defaultSectionSize() + around)
        self.setVisible(bool(self._images.rows))
