"""Looking into folders on drives that may not answer: nobody waits longer for them than for a page to load."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path

from napari_mito_predict.models.info import ModelInfo, Source, unusable
from napari_mito_predict.models.neighbours import models_in

PATIENCE_S = 5.0
"""For all folders together."""


class _Look(threading.Thread):
    """One look into a shared folder. A system call that hangs cannot be ended: the thread is left behind with it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name=f"models in {folder}", daemon=True)
        self.folder = folder
        self.found: list[ModelInfo] | None = None

    def run(self) -> None:
        self.found = models_in(self.folder, Source.SHARED)


_unanswered: dict[Path, _Look] = {}
"""Looks that were given up: no second one is begun while they hang, and what they find later is used."""
_lock = threading.Lock()


def shared_models(folders: Iterable[Path]) -> list[ModelInfo]:
    """Models in shared folders, one folder after the other; one that does not answer is a row that says so."""
    with _lock:
        looks = [_begin(folder) for folder in folders]
        end = time.monotonic() + PATIENCE_S
        rows: list[ModelInfo] = []
        for look in looks:
            if look.folder not in _unanswered:
                look.join(max(0.0, end - time.monotonic()))
            if look.is_alive():
                _unanswered[look.folder] = look
                problem = f"{look.folder}: this folder does not answer. Is its drive connected?"
                rows.append(unusable(look.folder, Source.SHARED, problem))
            else:
                _unanswered.pop(look.folder, None)
                rows += look.found or []
        return rows


def _begin(folder: Path) -> _Look:
    if folder in _unanswered:
        return _unanswered[folder]
    look = _Look(folder)
    look.start()
    return look
