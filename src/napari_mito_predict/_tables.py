"""Tables as CSV: written whole or not at all, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from napari_mito_predict._files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_GUARD = "'"


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table as UTF-8, replacing the one that is there.

    Text that a spreadsheet would run as a formula gets an apostrophe in front, and names that are no text a ``?``.

    Parameters
    ----------
    path : Path
        Its folder has to exist.
    columns : sequence of str
    rows : iterable of mapping
        Column -> cell.

    Raises
    ------
    UnwritableOutputError
        The folder is missing, read-only or full.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8", errors="replace") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows({column: _guarded(cell) for column, cell in row.items()} for row in rows)


def read_table(path: Path) -> list[dict[str, str]]:
    """Read what `write_table` wrote.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no table: not text, or a row has more or fewer cells than there are columns.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        try:
            columns = reader.fieldnames
            rows = list(reader)
        except csv.Error as error:
            raise ValueError(error) from error
    if not columns:
        raise ValueError("it is empty")
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise ValueError(f"row {number} has another number of cells than there are columns")
    return [{column: _unguarded(cell) for column, cell in row.items()} for row in rows]


def _guarded(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith(_STARTS_OF_FORMULAS) and not _is_number(cell):
        return _GUARD + cell
    return cell


def _unguarded(cell: str) -> str:
    text = cell.removeprefix(_GUARD)
    return text if text.startswith(_STARTS_OF_FORMULAS) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
