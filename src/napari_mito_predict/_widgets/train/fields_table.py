"""The table of fields: which ones take part, how large they are, what was found in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QImage, QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_mito_predict._widgets.common.controls import words
from napari_mito_predict._widgets.common.wrapped import breakable
from napari_mito_predict.image import Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.training.checks import FieldReport

_LINES_SHOWN = 11
_MOST_LINES = 6
"""Of one name; a longer one is shortened, and its tooltip says it all."""
_WIDEST = 120
_LARGEST_PICTURE = 900
_SIZE = 1
"""The hidden column: what stands in it is shown below the name."""
_IN_WORDS = "planes × rows × columns"
_MARKS = {Level.ERROR: "×", Level.WARNING: "!", Level.INFO: "✓"}
_SHORT = {
    "no-contrast": "blank",
    "not-finite": "damaged pixels",
    "other-extent": "other size",
    "same-field-in-two-parts": "a copy",
    "duplicate-field": "a copy",
    "shared-pixels": "overlaps",
}


class _NameOverSize(QStyledItemDelegate):
    """Writes a field's size below its name: beside it, a dock would leave no room for the name."""

    def initStyleOption(self, option: QStyleOptionViewItem | None, index: QModelIndex) -> None:
        super().initStyleOption(option, index)
        if option is not None:
            size = index.siblingAtColumn(_SIZE).data() or "…"
            name = breakable(option.text or "")
            option.text = f"{name}\u2028{size}"


class FieldsTable(QTableWidget):
    """One row per field with a tick; tells by `ticked` when the user includes or leaves out one."""

    ticked = Signal()

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.setHorizontalHeaderLabels(["Field", "Size", "Finding"])
        self.setAccessibleName("Fields")
        self.setItemDelegateForColumn(0, _NameOverSize(self))
        self.setColumnHidden(_SIZE, True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is not None and rows is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setMaximumSectionSize(_WIDEST)
            header.setHighlightSections(False)
            rows.hide()
        self._reports: dict[str, FieldReport] = {}
        self._verdicts: dict[str, str] = {}
        self._left_out: set[str] = set()
        self.itemChanged.connect(self._changed)
        self.cellDoubleClicked.connect(lambda row, _: self.look_at(row))
        self.hide()

    # ------------------------------------------------------------------ content

    @property
    def names(self) -> list[str]:
        """Names of all fields in the table."""
        return [self._name(row) for row in range(self.rowCount())]

    @property
    def included(self) -> list[str]:
        """The fields with a tick."""
        ticked = Qt.CheckState.Checked
        items = [self.item(row, 0) for row in range(self.rowCount())]
        return [item.data(Qt.ItemDataRole.UserRole) for item in items if item and item.checkState() == ticked]

    @property
    def reports(self) -> list[FieldReport]:
        """What was found so far."""
        return list(self._reports.values())

    def set_fields(self, names: Iterable[str]) -> None:
        """List fields that are still to be read; those left out before stay so."""
        wanted = sorted(names)
        self._reports = {}
        self._verdicts = {}
        with signals_blocked(self):
            self.setRowCount(len(wanted))
            for row, name in enumerate(wanted):
                item = QTableWidgetItem(name)
                item.setData(Qt.ItemDataRole.UserRole, name)
                item.setToolTip(name)
                item.setCheckState(self._tick_of(name))
                self.setItem(row, 0, item)
                self.setItem(row, 1, QTableWidgetItem(""))
                self.setItem(row, 2, QTableWidgetItem("…"))
        self._fit_height()
        self.setVisible(bool(wanted))

    def resizeEvent(self, e: QResizeEvent | None) -> None:
        super().resizeEvent(e)
        if e is not None and e.size().width() != e.oldSize().width():
            self._fit_height()

    def _fit_height(self) -> None:
        """Rows as high as their names, and the table as high as its rows, up to a part of a small screen."""
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is None or rows is None:
            return
        line = self.fontMetrics().lineSpacing()
        rows.setMaximumSectionSize((_MOST_LINES + 1) * line)
        self.resizeRowsToContents()
        around = header.sizeHint().height() + 2 * self.frameWidth()
        self.setFixedHeight(min(rows.length(), _LINES_SHOWN * line) + around)

    def _tick_of(self, name: str) -> Qt.CheckState:
        if name in self._left_out:
            return Qt.CheckState.Unchecked
        return Qt.CheckState.Checked

    def set_report(self, report: FieldReport) -> None:
        """Say what was found in a field; one that cannot be used loses its tick."""
        if report.name not in self.names:
            return
        twins = [known.name for known in self.reports if known.digest and known.digest == report.digest]
        self._reports[report.name] = report
        row = self.names.index(report.name)
        with signals_blocked(self):
            self._fill(row, report, next(iter(twins), ""))

    def _fill(self, row: int, report: FieldReport, twin: str) -> None:
        """Write a report into its row; `twin` is the name of a field with the same pixels."""
        name = self.item(row, 0)
        size = self.item(row, 1)
        found = self.item(row, 2)
        if name is None or size is None or found is None:
            return
        if not report.usable:
            name.setFlags(name.flags() & ~(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled))
        if not report.usable or twin:
            name.setCheckState(Qt.CheckState.Unchecked)
        shape = "×".join(map(str, report.shape))
        if report.volumes > 1:
            size.setText(f"{report.volumes} × {shape}")
            name.setToolTip(f"{report.name}\n{report.volumes} volumes of {_IN_WORDS}")
        else:
            size.setText(shape)
            name.setToolTip(f"{report.name}\n{_IN_WORDS}")
        verdict = short(report)
        if twin:
            verdict = "a copy"
        self._verdicts[report.name] = verdict
        found.setText(f"{_MARKS[_worst(report)]} {verdict}")
        found.setToolTip(_tooltip(report, twin))
        self.resizeRowToContents(row)

    def show_problem(self) -> None:
        """Scroll to the first field with something to say."""
        odd = {report.name for report in self.reports if _worst(report) is not Level.INFO}
        rows = (row for row, name in enumerate(self.names) if name in odd)
        if (item := self.item(next(rows, -1), 0)) is not None:
            self.scrollToItem(item)

    def summary(self) -> str:
        """All findings in a line, such as "12 ok, 1 shifted 3 px, 1 blank"."""
        counts = Counter(self._verdicts[name] for name in self.names if name in self._verdicts)
        ordered = sorted(counts.items(), key=lambda entry: (entry[0] != "ok", -entry[1]))
        return ", ".join(f"{count} {verdict}" for verdict, count in ordered)

    def _name(self, row: int) -> str:
        item = self.item(row, 0)
        if item is None:
            return ""
        return str(item.data(Qt.ItemDataRole.UserRole))

    def _changed(self, item: QTableWidgetItem) -> None:
        if item.column() != 0:
            return
        name = self._name(item.row())
        if item.checkState() == Qt.CheckState.Checked:
            self._left_out.discard(name)
        else:
            self._left_out.add(name)
        self.ticked.emit()

    # ------------------------------------------------------------------ looking closer

    def look_at(self, row: int) -> QDialog | None:
        """Open the picture of a field that seems shifted; others say their finding in the tooltip."""
        report = self._reports.get(self._name(row))
        if report is None or report.picture is None:
            return None
        return show_shift(report, self)


def show_shift(report: FieldReport, parent: QWidget) -> QDialog:
    """Show fluorescence over what it is compared with, as recorded and with the shift undone."""
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(f"{report.name}: is it shifted?")
    picture = QLabel()
    picture.setPixmap(_pixmap(report.picture))
    found = next(finding for finding in report.findings if finding.code == "shifted")
    explained = words(
        "Left as recorded, right with the shift undone. Green is the fluorescence, magenta what it is compared with; "
        f"where both agree it is white.\n\n{found.advice}"
    )
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    box = QVBoxLayout(dialog)
    for widget in (picture, explained, buttons):
        box.addWidget(widget)
    dialog.show()
    return dialog


def short(report: FieldReport) -> str:
    """The worst finding in a word or two; "ok" where there is none."""
    worst = _worst(report)
    if worst is Level.INFO:
        return "ok"
    finding = next(finding for finding in report.findings if finding.level is worst)
    if finding.code == "shifted":
        return f"shifted {max(map(abs, finding.values.values()), default=0):.0f} px"
    return _SHORT.get(finding.code, finding.code.replace("-", " "))


def _worst(report: FieldReport) -> Level:
    levels = {finding.level for finding in report.findings}
    return next((level for level in (Level.ERROR, Level.WARNING) if level in levels), Level.INFO)


def _tooltip(report: FieldReport, twin: str) -> str:
    lines = [finding.advice for finding in report.findings]
    if twin:
        lines.append(f"Holds the same pixels as {twin}: both would make scores look too good. It is left out.")
    if report.picture is not None:
        lines.append("Double-click to look at it.")
    return "\n".join(lines) or "Nothing wrong was found."


def _pixmap(picture: NDArray[np.uint8] | None) -> QPixmap:
    if picture is None:
        return QPixmap()
    pixels = np.ascontiguousarray(picture)
    height, width = pixels.shape[:2]
    image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    pixmap = QPixmap.fromImage(image)
    if max(width, height) > _LARGEST_PICTURE:
        pixmap = pixmap.scaled(_LARGEST_PICTURE, _LARGEST_PICTURE, Qt.AspectRatioMode.KeepAspectRatio)
    return pixmap
