"""The measures of a field as a table: name, value, unit, and whether it may be taken from a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from napari.utils.theme import get_theme
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSize, Qt, Signal
from qtpy.QtGui import QColor, QGuiApplication, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_mito_predict._widgets.common.style import state_icon
from napari_mito_predict._widgets.measure.rows import ICONS, FieldRow, number

if TYPE_CHECKING:
    from qtpy.QtGui import QIcon, QKeyEvent, QResizeEvent

    from napari_mito_predict.measurement.measures import DynamicsMeasure, Measure

HEADS: Final = ("Measure", "Value", "Unit", "Verdict")
NAME: Final = 0
VALUE: Final = 1
UNIT: Final = 2
VERDICT: Final = 3
_VERDICT_TIP: Final = "Whether the number may be taken from a prediction, by the card of the model that made it"
_AROUND_TEXT: Final = 8
_ICON: Final = 13
_GREY: Final = 150
_LETTERS: Final = 0.9
"""How large they are: the names of measures and verdicts need room."""
_NOWHERE: Final = QModelIndex()


class FieldModel(QAbstractTableModel):
    """Measures of one structure at a time point."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[FieldRow] = []
        self._icons: dict[str, QIcon] = {}
        self.grey = QColor("grey")

    def show_rows(self, rows: Sequence[FieldRow]) -> None:
        """Show these; of the same measures at another time point, what is selected stays selected."""
        are_the_same = [row.measure for row in rows] == [row.measure for row in self.rows]
        if are_the_same and self.rows:
            self.rows = list(rows)
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(HEADS) - 1))
            return
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def restyle(self, grey: QColor) -> None:
        """Draw in the colours of another theme."""
        self.grey = grey
        self._icons.clear()

    # ------------------------------------------------------------------ what Qt asks

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(HEADS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADS[section]
        if role == Qt.ItemDataRole.ToolTipRole and section == VERDICT:
            return _VERDICT_TIP
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _text(row, index.column())
            case Qt.ItemDataRole.ToolTipRole:
                return tip_of(row)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _alignment(index.column())
            case Qt.ItemDataRole.DecorationRole if index.column() == VERDICT:
                return self._icon(row.verdict)
            case Qt.ItemDataRole.ForegroundRole if not row.is_usable:
                return self.grey
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{HEADS[index.column()]}: {_text(row, index.column())}"
        return None

    def _icon(self, verdict: str) -> QIcon:
        state = ICONS.get(verdict, "idle")
        if state not in self._icons:
            self._icons[state] = state_icon(state)
        return self._icons[state]


class FieldTable(QTableView):
    """Tells by `picked` which measure is selected; Ctrl+C copies the table."""

    picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._rows = FieldModel(self)
        self.setModel(self._rows)
        self.setAccessibleName("Measures of the field")
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setIconSize(QSize(_ICON, _ICON))
        font = self.font()
        font.setPointSizeF(_LETTERS * font.pointSizeF())
        self.setFont(font)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is not None and rows is not None:
            header.setHighlightSections(False)
            header.setMinimumSectionSize(20)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setStretchLastSection(True)
            rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            rows.hide()
        selection = self.selectionModel()
        if selection is not None:
            selection.selectionChanged.connect(lambda *_: self._pick())
        self._fit()

    @property
    def chosen(self) -> Measure | DynamicsMeasure | None:
        """The measure of the selected row."""
        index = self.currentIndex()
        return self._rows.rows[index.row()].measure if index.isValid() else None

    def show_rows(self, rows: Sequence[FieldRow]) -> None:
        """Show the measures of a time point."""
        self._rows.show_rows(rows)
        self._fit()

    def restyle(self, theme_id: str) -> None:
        """Draw in the colours of napari's theme."""
        grey = QColor(get_theme(theme_id).text.as_hex())
        grey.setAlpha(_GREY)
        self._rows.restyle(grey)

    def keyPressEvent(self, e: QKeyEvent | None) -> None:
        clipboard = QGuiApplication.clipboard()
        if e is not None and e.matches(QKeySequence.StandardKey.Copy) and clipboard is not None:
            clipboard.setText(self.as_text())
        else:
            super().keyPressEvent(e)

    def as_text(self) -> str:
        """The table with tabs between its columns, as spreadsheets take it."""
        rows = self._rows.rows
        lines: list[tuple[str, ...]] = [("Structure", *HEADS)]
        lines += [(row.structure, *(_text(row, column) for column in range(len(HEADS)))) for row in rows]
        return "\n".join("\t".join(line) for line in lines)

    def _pick(self) -> None:
        self.picked.emit(self.chosen)

    def resizeEvent(self, e: QResizeEvent | None) -> None:
        super().resizeEvent(e)
        self._fit()

    def _fit(self) -> None:
        """As high as all rows, since the dock scrolls; columns as wide as their texts, the last one has the rest."""
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is None or rows is None:
            return
        metrics = self.fontMetrics()
        rows.setDefaultSectionSize(metrics.lineSpacing() + 6)
        for column in (NAME, VALUE, UNIT):
            texts = [HEADS[column], *(_text(row, column) for row in self._rows.rows)]
            self.setColumnWidth(column, max(map(metrics.horizontalAdvance, texts)) + _AROUND_TEXT)
        around = header.sizeHint().height() + 2 * self.frameWidth()
        self.setFixedHeight(self._rows.rowCount() * rows.defaultSectionSize() + around)


def tip_of(row: FieldRow) -> str:
    """What a row leaves out: meaning and source of the measure, and why its verdict is what it is."""
    lines = [f"{row.name}: {row.measure.meaning} ({row.measure.source})"]
    if row.why:
        lines.append(f"{row.verdict}: {row.why}")
    return "\n".join(lines)


def _text(row: FieldRow, column: int) -> str:
    return (row.name, number(row.value), row.unit, row.verdict)[column]


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column == VALUE else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
