"""Pulling a card out of the dock: a file manager gets the model as one file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QMimeData, QObject, Qt, QUrl, Signal
from qtpy.QtGui import QDrag, QGuiApplication

from napari_mito_predict._widgets.common.destruction import on_destruction
from napari_mito_predict._widgets.common.worker import Job

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict.models.registry import ModelInfo


class DragOut(QObject):
    """Zips a model in a worker and hands it over, if the mouse still holds it by then.

    What is handed over is always a copy, so that a file manager that moves it moves no model.
    """

    failed = Signal(object)

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self._job = Job(self)
        self._job.yielded.connect(self.hand_over)
        self._job.failed.connect(self.failed)
        folder = self._folder = tempfile.TemporaryDirectory(prefix="mito-predict-", ignore_cleanup_errors=True)
        on_destruction(self, folder.cleanup)

    def begin(self, info: ModelInfo) -> None:
        """Make the file; a model that cannot be used is no file for others."""
        if info.card is not None:
            self._job.start(_zipping(info, Path(self._folder.name)))

    def hand_over(self, file: Path) -> None:
        """Let the mouse carry the file; nothing happens where it let go already."""
        if not QGuiApplication.mouseButtons() & Qt.MouseButton.LeftButton:
            return
        drag = QDrag(self._dock)
        drag.setMimeData(carried(file))
        drag.exec(Qt.DropAction.CopyAction)


def carried(file: Path) -> QMimeData:
    """What a file manager takes."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    return data


def _zipping(info: ModelInfo, folder: Path) -> Work:
    def work(should_stop: Callable[[], bool]) -> Iterator[Path]:
        from napari_mito_predict.models.library import export_model

        final = folder / f"{info.name}.zip"
        yield export_model(info.path, final, file_format="zip", overwrite=True)

    return work
