"""Opening files for the first step, in a worker thread: one that cannot be read does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict._widgets.common.image_layers import file_layers
from napari_mito_predict._widgets.common.worker import Failure, describe
from napari_mito_predict.errors import MitoPredictError
from napari_mito_predict.image import ImageSource, open_image

if TYPE_CHECKING:
    from napari_mito_predict._widgets.common.image_layers import LayerData
    from napari_mito_predict._widgets.common.worker import Work


@dataclass(frozen=True)
class Opened:
    """A file, and what its layers are to be made of."""

    source: ImageSource
    layers: list[LayerData]


@dataclass(frozen=True)
class NotOpened:
    """A file that cannot be read, and why."""

    path: Path
    failure: Failure


def opening(paths: Sequence[Path], scene: int | None = None) -> Work:
    """Work that opens files, and yields `Opened` or `NotOpened` for each."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        for path in paths:
            if should_stop():
                return
            try:
                source = open_image(path, scene=scene)
                yield Opened(source, file_layers(source, for_overlay=True))
            except MitoPredictError as error:
                yield NotOpened(path, describe(error))

    return work
