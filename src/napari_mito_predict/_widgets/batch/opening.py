"""Images and their predictions as layers, read in a worker thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mito_predict._widgets.common.file_layers import file_layers
from napari_mito_predict._widgets.common.worker import describe
from napari_mito_predict.errors import MitoPredictError
from napari_mito_predict.image import open_image

if TYPE_CHECKING:
    from pathlib import Path

    from napari_mito_predict._widgets.common.file_layers import LayerData
    from napari_mito_predict._widgets.common.worker import Failure, Work
    from napari_mito_predict.prediction.batch.inputs import Entry


@dataclass(frozen=True)
class Opened:
    """What the layers of an image and its predictions are to be made of, and what could not be read."""

    layers: list[LayerData]
    failures: list[Failure]


def opening(images: Sequence[tuple[Entry, Sequence[Path]]]) -> Work:
    """Work that opens images, each with the files of its predictions, and yields `Opened` for each."""

    def work(should_stop: Callable[[], bool]) -> Iterator[Opened]:
        for entry, predictions in images:
            opened = Opened([], [])
            _read(opened, entry.path, entry.scene, for_overlay=bool(predictions))
            for path in dict.fromkeys(predictions):
                if should_stop():
                    return
                _read(opened, path, None, for_overlay=False)
            yield opened

    return work


def _read(opened: Opened, path: Path, scene: int | str | None, *, for_overlay: bool) -> None:
    try:
        source = open_image(path, scene=scene).complete_part()
        opened.layers.extend(file_layers(source, for_overlay=for_overlay))
    except MitoPredictError as error:
        opened.failures.append(describe(error))
