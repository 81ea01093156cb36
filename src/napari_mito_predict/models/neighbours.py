"""The models in one folder, and whatever else lies there: one odd neighbour never hides the others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import ModelError
from napari_mito_predict.models.files import CARD
from napari_mito_predict.models.info import ModelInfo, Source, file_name, unusable
from napari_mito_predict.models.package import read_card
from napari_mito_predict.models.paths import kind_of, lies_there, why_unreadable

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard

_CARDS_KEPT = 1000


def models_in(folder: Path, source: Source) -> list[ModelInfo]:
    """Look for models in a folder.

    Folders with a card and zip files are models, and so may be links and things that are no files: what cannot be used
    is a row with the reason. Other files and folders, and names with a dot in front, are left alone. The user's own
    folder may be missing; a shared one that is, or that cannot be read, is a row itself.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        if source is not Source.SHARED:
            return []
        return [unusable(folder, source, f"{folder}: there is no such folder. Is its drive connected?")]
    except OSError as error:
        return [unusable(folder, source, f"{folder}: this folder cannot be read ({error.strerror or error}).")]
    rows = (_row(Path(entry.path), entry, source) for entry in entries if not entry.name.startswith("."))
    return list(_with_one_of_each_name(row for row in rows if row is not None))


def _row(path: Path, entry: os.DirEntry[str], source: Source) -> ModelInfo | None:
    try:
        if entry.is_dir():
            if not lies_there(path / CARD):
                return None
        elif entry.is_file():
            if path.suffix.casefold() != ".zip":
                return None
        else:
            return unusable(path, source, f"{path}: is {kind_of(entry.stat().st_mode)}, no model.")
        card = _card(path)
    except OSError as error:
        return unusable(path, source, f"{path}: {why_unreadable(path, error)}.")
    except ModelError as error:
        return unusable(path, source, str(error))
    return ModelInfo(card.name, path, card, source)


def _card(path: Path) -> ModelCard:
    """The card of a package; read again only when its file has changed."""
    file = path
    if path.is_dir():
        file = path / CARD
    try:
        state = file.stat()
    except OSError:
        return read_card(path)  # which says what is wrong
    return _card_as_of(path, state.st_mtime_ns, state.st_size, state.st_ino)


@lru_cache(_CARDS_KEPT)
def _card_as_of(path: Path, changed: int, size: int, inode: int) -> ModelCard:
    return read_card(path)


def _with_one_of_each_name(rows: Iterable[ModelInfo]) -> Iterator[ModelInfo]:
    """Of several cards of one name in a folder, let one count: that of the folder of this name, else the first."""
    ordered = list(rows)
    first: dict[str, ModelInfo] = {}
    for row in sorted(ordered, key=lambda row: file_name(row.path) != row.name):
        if row.card is not None:
            first.setdefault(row.name, row)
    for row in ordered:
        if row.card is None or first[row.name] is row:
            yield row
        else:
            yield _hidden(row, behind=first[row.name])


def _hidden(row: ModelInfo, *, behind: ModelInfo) -> ModelInfo:
    problem = (
        f"{row.path}: the name on its card is '{row.name}', as that of '{behind.path.name}' in the same folder, which "
        "counts. Rename one of the two."
    )
    return replace(unusable(row.path, row.source, problem), distribution=row.distribution)
