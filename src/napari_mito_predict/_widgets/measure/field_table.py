"""The measures of a field as a table: name, value, unit, and whether it may be taken from a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtGui import QColor, QFont, QGuiApplication, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_mito_predict._widgets.common.style import state_icon
from napari_mito_predict._widgets.measure.rows import ICONS, FieldRow, number

if TYPE_CHECKING:
    from qtpy.QtGui import QIcon, QKeyEvent, QResizeEvent

    from napari_mito_predict.measurement.measures import Measure, Structure

HEADS: Final = ("Measure", "Value", "Unit", "Verdict")
NAME: Final = 0
VALUE: Final = 1
UNIT: Final = 2
VERDICT: Final = 3
_VERDICT_TIP: Final = "Whether the number may be taken from a prediction, by the card of the model that made it"
_AROUND_TEXT: Final = 10
_GREY: Final = 110
_ROWS_SHOWN: Final = 13
_NOWHERE: Final = QModelIndex()


class FieldModel(QAbstractTableModel):
    """Rows of a time point, below the name of their structure."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.entries: list[FieldRow | Structure] = []
        self._icons: dict[str, QIcon] = {}
        self.grey = QColor("grey")

    def show_rows(self, rows: Sequence[FieldRow]) -> None:
        """Show these, which may be the same measures at another time point."""
        entries: list[FieldRow | Structure] = []
        for row in rows:
            if row.measure.structure not in entries:
                entries.append(row.measure.structure)
            entries.append(row)
        if [_key(entry) for entry in entries] == [_key(entry) for entry in self.entries]:
            self.entries = entries
            if entries:
                self.dataChanged.emit(self.index(0, 0), self.index(len(entries) - 1, len(HEADS) - 1))
            return
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def restyle(self, grey: QColor) -> None:
        """Draw in the colours of another theme."""
        self.grey = grey
        self._icons.clear()

    # ------------------------------------------------------------------ what Qt asks

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.entries)

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

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        if not isinstance(self.entries[index.row()], FieldRow):
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self.entries[index.row()]
        if not isinstance(entry, FieldRow):
            return _of_head(entry, role)
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _text(entry, index.column())
            case Qt.ItemDataRole.ToolTipRole:
                return tip_of(entry)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _alignment(index.column())
            case Qt.ItemDataRole.DecorationRole if index.column() == VERDICT:
                return self._icon(entry.verdict)
            case Qt.ItemDataRole.ForegroundRole if not entry.is_usable:
                return self.grey
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{HEADS[index.column()]}: {_text(entry, index.column())}"
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
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
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
    def chosen(self) -> Measure | None:
        """The measure of the selected row."""
        index = self.currentIndex()
        if not index.isValid():
            return None
        entry = self._rows.entries[index.row()]
        return entry.measure if isinstance(entry, FieldRow) else None

    def show_rows(self, rows: Sequence[FieldRow]) -> None:
        """Show the measures of a time point."""
        before = self._rows.rowCount()
        self._rows.show_rows(rows)
        if self._rows.rowCount() != before:
            self.clearSpans()
            for number_of_row, entry in enumerate(self._rows.entries):
                if not isinstance(entry, FieldRow):
                    self.setSpan(number_of_row, 0, 1, len(HEADS))
        self._fit()

    def restyle(self) -> None:
        """Draw in the colours of napari's theme."""
        grey = self.palette().text().color()
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
        rows = [row for row in self._rows.entries if isinstance(row, FieldRow)]
        lines: list[tuple[str, ...]] = [("Structure", *HEADS)]
        lines += [(str(row.measure.structure), *(_text(row, column) for column in range(len(HEADS)))) for row in rows]
        return "\n".join("\t".join(line) for line in lines)

    def _pick(self) -> None:
        self.picked.emit(self.chosen)

    def resizeEvent(self, e: QResizeEvent | None) -> None:
        super().resizeEvent(e)
        self._fit()

    def _fit(self) -> None:
        """A height of some rows; columns as wide as their texts, but the last one has the width that is left."""
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is None or rows is None:
            return
        metrics = self.fontMetrics()
        rows.setDefaultSectionSize(metrics.lineSpacing() + 6)
        shown = [entry for entry in self._rows.entries if isinstance(entry, FieldRow)]
        for column in (NAME, VALUE, UNIT):
            texts = [HEADS[column], *(_text(row, column) for row in shown)]
            self.setColumnWidth(column, max(map(metrics.horizontalAdvance, texts)) + _AROUND_TEXT)
        around = header.sizeHint().height() + 2 * self.frameWidth()
        self.setFixedHeight(min(self._rows.rowCount(), _ROWS_SHOWN) * rows.defaultSectionSize() + around)


def tip_of(row: FieldRow) -> str:
    """What a row leaves out: meaning and source of the measure, and why its verdict is what it is."""
    lines = [f"{row.name}: {row.measure.meaning} ({row.measure.source})"]
    if row.why:
        lines.append(f"{row.verdict}: {row.why}")
    return "\n".join(lines)


def _text(row: FieldRow, column: int) -> str:
    return (row.name, number(row.value), row.unit, row.verdict)[column]


def _of_head(structure: Structure, role: int) -> Any:
    if role == Qt.ItemDataRole.DisplayRole:
        return structure.capitalize()
    if role == Qt.ItemDataRole.FontRole:
        bold = QFont()
        bold.setBold(True)
        return bold
    return None


def _key(entry: FieldRow | Structure) -> object:
    return entry.measure if isinstance(entry, FieldRow) else entry


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column == VALUE else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
