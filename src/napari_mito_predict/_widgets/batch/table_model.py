"""The images of the dock as a table of Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from napari_mito_predict._widgets.batch.rows import Row
from napari_mito_predict._widgets.common.style import state_icon

if TYPE_CHECKING:
    from qtpy.QtGui import QIcon

    from napari_mito_predict._widgets.batch.queue import Doing
    from napari_mito_predict.prediction.batch.inputs import Entry
    from napari_mito_predict.prediction.batch.outcome import Outcome

IMAGE: Final = 0
STATE: Final = 1
SCORES: Final = 2
HEADS: Final = ("Image", "State", "PCC")
_NOWHERE: Final = QModelIndex()


class ImagesModel(QAbstractTableModel):
    """A row for each image of a batch; each image is there once."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._numbers: dict[tuple[Path, int | str | None], int] = {}
        self._icons: dict[str, QIcon] = {}

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
        if role == Qt.ItemDataRole.ToolTipRole and section == SCORES:
            return "Pearson correlation with the fluorescence in the same image, where there is any"
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _TEXTS[index.column()](row)
            case Qt.ItemDataRole.ToolTipRole:
                return _TOOLTIPS[index.column()](row).strip()
            case Qt.ItemDataRole.DecorationRole if index.column() == STATE:
                return self._icon(row.icon)
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{HEADS[index.column()]}: {_TEXTS[index.column()](row)}".replace("\n", ", ")
        return None

    def _icon(self, state: str) -> QIcon:
        if state not in self._icons:
            self._icons[state] = state_icon(state)
        return self._icons[state]

    def restyle(self) -> None:
        """Draw icons anew, in the colours of another theme."""
        self._icons.clear()
        self._tell_changed(0, len(self.rows) - 1)

    # ------------------------------------------------------------------ what the dock says

    def row_of(self, entry: Entry) -> Row | None:
        """The row of an image, if it is there."""
        number = self._numbers.get(_key(entry))
        return None if number is None else self.rows[number]

    def new(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those that are not there yet, each once."""
        return list({_key(entry): entry for entry in entries if _key(entry) not in self._numbers}.values())

    def add(self, entries: Sequence[Entry]) -> None:
        """Add images that are `new`; they wait."""
        if not entries:
            return
        first = len(self.rows)
        self.beginInsertRows(QModelIndex(), first, first + len(entries) - 1)
        self.rows += [Row(entry) for entry in entries]
        self._number_rows(first)
        self.endInsertRows()

    def remove(self, entries: Iterable[Entry]) -> None:
        """Take images out."""
        gone = {_key(entry) for entry in entries}
        self.beginResetModel()
        self.rows = [row for row in self.rows if _key(row.entry) not in gone]
        self._numbers.clear()
        self._number_rows(0)
        self.endResetModel()

    def show_doing(self, doing: Mapping[Entry, Doing]) -> None:
        """Say what is done now; with all others nothing."""
        now = {_key(entry): what for entry, what in doing.items()}
        for number, row in enumerate(self.rows):
            what = now.get(_key(row.entry))
            if what != row.doing:
                row.doing = what
                self._tell_changed(number, number)

    def show_outcome(self, outcome: Outcome) -> None:
        """Say what became of an image."""
        number = self._numbers[_key(outcome.entry)]
        self.rows[number].outcome = outcome
        self.rows[number].doing = None
        self._tell_changed(number, number)

    def forget_outcomes(self, rows: Iterable[Row]) -> None:
        """Let images wait again."""
        for row in rows:
            row.outcome = None
        self._tell_changed(0, len(self.rows) - 1)

    def _number_rows(self, first: int) -> None:
        for number, row in enumerate(self.rows[first:], first):
            self._numbers[_key(row.entry)] = number

    def _tell_changed(self, first: int, last: int) -> None:
        if first <= last:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(HEADS) - 1))


def _key(entry: Entry) -> tuple[Path, int | str | None]:
    """What tells images apart, however they were found."""
    return entry.path, entry.scene


def _image_text(row: Row) -> str:
    return f"{row.name}\n{row.scene}".rstrip()


_TEXTS: Final[Sequence[Callable[[Row], str]]] = (
    _image_text,
    lambda row: row.state_words,
    lambda row: row.scores,
)
_TOOLTIPS: Final[Sequence[Callable[[Row], str]]] = (
    lambda row: f"{_image_text(row)}\n{row.entry.path}",
    lambda row: f"{row.state_words}\n{row.reasons}",
    lambda row: f"{row.scores}\n{row.scores_in_full}",
)
