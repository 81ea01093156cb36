"""Files that napari itself opened: which of their layers show a prediction, found out without holding up the GUI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_mito_predict._widgets.common.facts import PredictionFacts, facts_of, mark_as_prediction, prediction_in
from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.worker import Job
from napari_mito_predict.errors import MitoPredictError

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_mito_predict._widgets.common.worker import Work


class Recogniser(QObject):
    """Reads what files say of the layers that napari made of them.

    Parameters
    ----------
    viewer : Viewer
        Whose layers.
    parent : QWidget
        It ends with this widget.
    """

    recognised = Signal()
    """A layer turned out to be a prediction."""

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._waiting: list[Layer] = []
        self._layer: Layer | None = None
        self._job = Job(parent)
        self._job.yielded.connect(self._read)
        self._job.state_changed.connect(lambda _: self._next())
        follow(parent, viewer.layers.events.inserted, self._inserted)
        for layer in viewer.layers:
            self._add(layer)

    @property
    def is_done(self) -> bool:
        """Whether all files were read."""
        return not self._waiting and not self._job.state.busy

    def _inserted(self, event: Any) -> None:
        self._add(event.value)

    def _add(self, layer: Layer) -> None:
        if layer.source.path is not None and facts_of(layer) is None:
            self._waiting.append(layer)
            self._next()

    def _next(self) -> None:
        if self._waiting and not self._job.state.busy:
            self._layer = self._waiting.pop(0)
            self._job.start(recognising(Path(str(self._layer.source.path))))

    def _read(self, facts: PredictionFacts) -> None:
        if self._layer is not None:
            mark_as_prediction(self._layer, facts)
            self.recognised.emit()


def recognising(path: Path) -> Work:
    """Work that yields `PredictionFacts` where a file holds a prediction, and nothing where it does not."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.image import open_image

        try:
            facts = prediction_in(open_image(path))
        except MitoPredictError:  # napari could read it: it is an image, of which nothing more is known
            return
        if facts is not None:
            yield facts

    return work
